"""The reference's own ecosystem, signed by its own central server; its security server is xgate.

Anchor, configuration, token and authorities are those of the golden data ``env-dev-v6``. The server
hosts both members, so each message goes through both of its halves, over real TLS on loopback: the
provider's client is registered on SS0 alone. Names of hosts are mapped, nothing else is changed; in
most tests the configuration is signed anew, for ports that are free.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

import msgspec
import pytest
import trio
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from xgate.clock import SystemClock
from xgate.globalconf.anchor import read_anchor
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.file_source import TreeSource
from xgate.globalconf.generate import (
    PRIVATE_PARAMETERS,
    SHARED_PARAMETERS,
    Boundaries,
    software_signer,
)
from xgate.globalconf.publish import PublishedPart, publish
from xgate.ids import ClientId
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.record import LoggedRecord
from xgate.messagelog.sqlite import SqliteStore
from xgate.net.drain import Drain
from xgate.net.errors import ConnectError
from xgate.net.fetch import Response, fetch
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.net.stream import Stream
from xgate.sandbox.desk import Desk
from xgate.sandbox.lines import Lines
from xgate.sandbox.messages import multipart_related, rest_url, soap_request
from xgate.sandbox.ports import find_free_ports
from xgate.securityserver.journal import Journal
from xgate.securityserver.run import run_server
from xgate.securityserver.settings import load_settings
from xgate.signer.keyconf import read_token_folder
from xgate.signer.store import write_store
from xgate.testing.pki import Credential
from xgate.testing.responders import GOOD, answer_ocsp, answer_timestamp
from xgate.trust.certificate import Certificate
from xgate.trust.verify import verify_container
from xgate.wire.faults import read_soap_fault
from xgate.wire.fields import find_header

pytestmark = pytest.mark.reference

CLIENT = ClientId("DEV", "COM", "4321", "TestClient")
SERVICE = ClientId("DEV", "COM", "1234", "TestService")
PIN = "Secret1234"
CLOCK = SystemClock()


class Ports(msgspec.Struct, frozen=True):
    """Of the OCSP responder, the timestamping service, the service and the server's three."""

    ocsp: int
    tsa: int
    desk: int
    client: int
    server: int
    stapled: int


class World(msgspec.Struct, frozen=True):
    """The ecosystem at work."""

    ports: Ports
    conf: GlobalConf
    lines: Lines
    folder: Path

    async def rest(self, path: str, body: bytes = b"", *, service: str = "mock1") -> Response:
        url = rest_url("127.0.0.1", self.ports.client, SERVICE, service, path)
        headers = [("X-Road-Client", CLIENT.url)]
        return await fetch(url, method="POST" if body else "GET", headers=headers, body=body)

    async def soap(self, kind: str, body: bytes) -> Response:
        url = f"http://127.0.0.1:{self.ports.client}/"
        return await fetch(url, method="POST", headers=[("Content-Type", kind)], body=body)

    async def containers(self, query_id: str, expected: int = 4) -> list[str]:
        """Verify all records of an exchange; who signed which, and how."""
        with closing(SqliteStore(self.folder / "messagelog.sqlite")) as store:
            records: list[LoggedRecord] = []
            while len(records) < expected or not all(record.stamp for record in records):
                seen = len(self.lines)
                records = list(store.find(query_id=query_id))
                if len(records) < expected or not all(record.stamp for record in records):
                    await self.lines.wait("timestamped", since=seen)
        told = []
        for record in records:
            _, octets = write_evidence(record)
            proof = verify_container(self.conf, octets)
            assert abs(proof.timestamp.gen_time - CLOCK.now()) < timedelta(minutes=5)
            told.append(f"{proof.proven.signer.short} {proof.kind}")
        return told


def credential(golden: Path, name: str) -> Credential:
    octets = (golden / "env-dev-v6" / "ca" / "private" / f"{name}.p12").read_bytes()
    key, certificate, _ = pkcs12.load_key_and_certificates(octets, b"test")
    assert certificate is not None
    der = certificate.public_bytes(Encoding.DER)
    return Credential(Certificate.load(der), key)  # type: ignore[arg-type]  # an RSA key


def signed_anew(golden: Path, folder: Path, ports: Ports) -> Path:
    """The published tree with other ports, signed by the key that the anchor names."""
    source = golden / "env-dev-v6"
    (generation,) = (source / "globalconf-initial" / "V6").glob("2*")
    shared = (generation / "shared-params.xml").read_bytes()
    for place, port in ((b"testca:8888", ports.ocsp), (b"testca:8899", ports.tsa)):
        assert place in shared
        shared = shared.replace(place, f"testca:{port}".encode())
    octets = (source / "globalconf-signing-key" / "internal.p12").read_bytes()
    key, certificate, _ = pkcs12.load_key_and_certificates(octets, b"test")
    assert certificate is not None
    files = publish(
        "DEV",
        [
            PublishedPart(
                PRIVATE_PARAMETERS,
                "private-params.xml",
                (generation / "private-params.xml").read_bytes(),
            ),
            PublishedPart(SHARED_PARAMETERS, "shared-params.xml", shared),
        ],
        software_signer(key, certificate.public_bytes(Encoding.DER)),  # type: ignore[arg-type]  # an RSA key
        Boundaries("outer", "inner"),
        generation=generation.name,
        expires=CLOCK.now() + timedelta(days=1),
    )
    for name, content in files.items():
        path = folder / "published" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "published"


def settings(ports: Ports, anchor: Path, tree: Path) -> str:
    return f"""
server = "DEV/COM/1234/SS0"
[listen]
client-host = "127.0.0.1"
client-http-port = {ports.client}
client-https-port = 0
server-host = "127.0.0.1"
server-port = {ports.server}
ocsp-host = "127.0.0.1"
ocsp-port = {ports.stapled}
[peers]
server-port = {ports.server}
ocsp-port = {ports.stapled}
[peers.hosts]
ss0 = "127.0.0.1"
ss1 = "127.0.0.1"
testca = "127.0.0.1"
[globalconf]
use = "published"
anchor = "{anchor}"
directory = "{tree}"
[keys]
pin-file = "pin"
[messagelog.timestamping]
interval-seconds = 0.2
[[client]]
id = "{CLIENT.short}"
authentication = "NOSSL"
[[client]]
id = "{SERVICE.short}"
authentication = "NOSSL"
[[client.service]]
code = "mock1"
url = "http://127.0.0.1:{ports.desk}/rest"
allow = ["{CLIENT.short}"]
[[client.service]]
code = "secret"
url = "http://127.0.0.1:{ports.desk}/rest"
[[client.service]]
code = "getRandom"
version = "v1"
type = "SOAP"
url = "http://127.0.0.1:{ports.desk}/soap/attached"
allow = ["{CLIENT.short}"]
[[client.service]]
code = "tell"
type = "SOAP"
url = "http://127.0.0.1:{ports.desk}/soap/tell"
allow = ["{CLIENT.short}"]
"""


def responders(golden: Path) -> dict[str, Callable[[bytes], tuple[str, bytes]]]:
    ca, ocsp, tsa = (credential(golden, name) for name in ("ca", "ocsp", "tsa"))
    serials = count(1)

    def on_ocsp(request: bytes) -> tuple[str, bytes]:
        answer = answer_ocsp(
            request,
            ocsp,
            ca.certificate,
            lambda _: GOOD,
            CLOCK.now(),
            certificates=(ocsp.certificate,),
        )
        return "application/ocsp-response", answer

    def on_tsa(request: bytes) -> tuple[str, bytes]:
        answer = answer_timestamp(request, tsa, CLOCK.now(), next(serials))
        return "application/timestamp-reply", answer

    return {"ocsp": on_ocsp, "tsa": on_tsa}


def posted(answer: Callable[[bytes], tuple[str, bytes]]) -> Callable[[Exchange], object]:
    async def handle(exchange: Exchange) -> None:
        body = bytearray()
        while data := await exchange.receive():
            body += data
        kind, octets = answer(bytes(body))
        await exchange.respond(200, [("Content-Type", kind)], octets)

    return handle


async def serve_at(nursery: trio.Nursery, port: int, handler: Callable[[Exchange], object]) -> None:
    async def serve(stream: Stream) -> None:
        await serve_connection(stream, handler, ServerLimits(), CLOCK)  # type: ignore[arg-type]  # it is a coroutine function

    listeners = await listen_on("127.0.0.1", port)
    await nursery.start(partial(serve_listeners, listeners, serve))


@asynccontextmanager
async def at_work(golden: Path, folder: Path, ports: Ports, tree: Path) -> AsyncIterator[World]:
    anchor = golden / "env-dev-v6" / "configuration-anchor.xml"
    write_store(
        folder / "keys.xgate", PIN, read_token_folder(golden / "env-dev-v6" / "signer", PIN)
    )
    (folder / "pin").write_text(PIN + "\n")
    (folder / "xgate.toml").write_text(settings(ports, anchor, tree))
    conf = TreeSource(read_anchor(anchor.read_bytes()), tree).fetch(CLOCK.now()).conf
    lines, drain, answers = Lines(), Drain(), responders(golden)
    async with trio.open_nursery() as nursery:
        await serve_at(nursery, ports.ocsp, posted(answers["ocsp"]))
        await serve_at(nursery, ports.tsa, posted(answers["tsa"]))
        await serve_at(nursery, ports.desk, Desk().serve)
        async with trio.open_nursery() as server:
            loaded = load_settings(folder / "xgate.toml")
            journal = Journal(CLOCK, lines.write)
            await server.start(partial(run_server, loaded, folder, CLOCK, journal, drain))
            await lines.wait("OCSP responses refreshed", answered=3)
            yield World(ports, conf, lines, folder)
            drain.start()
        nursery.cancel_scope.cancel()


def free_ports(*fixed: int) -> Ports:
    found = find_free_ports(6 - len(fixed), ["127.0.0.1"])
    return Ports(*fixed, *found)


BOTH = ["DEV/COM/4321", "DEV/COM/1234"]


def id_of(reply: Response) -> str:
    return find_header(reply.headers, "x-road-id") or ""


async def test_messages_of_every_kind_and_their_evidence(golden: Path, tmp_path: Path) -> None:
    ports = free_ports()
    tree = signed_anew(golden, tmp_path, ports)
    async with at_work(golden, tmp_path, ports, tree) as world:
        got = await world.rest("/x?a=1")
        posted_body = await world.rest("/y", b"body" * 1000)
        plain = soap_request(CLIENT, SERVICE, "tell", "plain-1", version="")
        told = await world.soap("text/xml", plain)
        envelope = soap_request(CLIENT, SERVICE, "getRandom", "parts-1")
        parts = await world.soap(*multipart_related(envelope, [("text/plain", b"one")], mtom=True))

        assert (got.status, posted_body.status, posted_body.body) == (200, 200, b"body" * 1000)
        assert b"requestHash" in told.body
        assert parts.body.count(b"--sandbox-boundary") == 5
        # The client's and the service's server are one here: each message is in its log twice.
        assert await world.containers("plain-1") == [
            f"{member} plain" for member in (BOTH[0], BOTH[0], BOTH[1], BOTH[1])
        ]
        assert [kind.partition(" ")[2] for kind in await world.containers("parts-1")] == [
            "batch"
        ] * 4
        assert len(await world.containers(id_of(got))) == 4
        assert len(await world.containers(id_of(posted_body))) == 4


async def test_refusals_and_merged_signatures(golden: Path, tmp_path: Path) -> None:
    ports = free_ports()
    async with at_work(golden, tmp_path, ports, signed_anew(golden, tmp_path, ports)) as world:
        denied = await world.rest("/x", service="secret")
        stranger = soap_request(ClientId("DEV", "COM", "1"), SERVICE, "tell", "no-1", version="")
        refused = read_soap_fault((await world.soap("text/xml", stranger)).body)
        ids: list[str] = []

        async def one() -> None:
            reply = await world.rest("/x", b"together")
            assert (reply.status, reply.body) == (200, b"together")
            ids.append(id_of(reply))

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(one)

        assert find_header(denied.headers, "x-road-error") == "server.serverproxy.access_denied"
        assert refused.code == "server.clientproxy.unknown_member"
        for query_id in ids:
            assert sorted(await world.containers(query_id)) == [
                f"{member} batch" for member in (BOTH[1], BOTH[1], BOTH[0], BOTH[0])
            ]


async def test_the_configuration_octet_for_octet(golden: Path, tmp_path: Path) -> None:
    """OCSP and TSA stand where the signed configuration says: at ports 8888 and 8899."""
    tree = golden / "env-dev-v6" / "globalconf-initial"
    try:
        for port in (8888, 8899):
            for listener in await listen_on("127.0.0.1", port):
                listener.close()
    except ConnectError:
        pytest.skip("another program listens at a port that the signed configuration names")
    async with at_work(golden, tmp_path, free_ports(8888, 8899), tree) as world:
        reply = await world.rest("/x", b"question")

        assert (reply.status, reply.body) == (200, b"question")
        assert await world.containers(id_of(reply)) == [
            f"{member} batch" for member in (BOTH[0], BOTH[0], BOTH[1], BOTH[1])
        ]
