"""A country at work for the journeys, its information systems, and the proof of what was logged.

The provider's information system is ``xgate.sandbox.desk``: it answers as the path asks.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from xgate.clock import Clock, SystemClock
from xgate.globalconf.disk import read_disk
from xgate.ids import ClientId
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.record import LoggedRecord
from xgate.messagelog.sqlite import SqliteStore
from xgate.net.client import connect
from xgate.net.context import TlsIdentity, service_context
from xgate.net.drain import Drain
from xgate.net.errors import ClosedError
from xgate.sandbox.authority import Authority
from xgate.sandbox.background import Running, run_in_background
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, Tenant, found_country
from xgate.sandbox.desk import Desk
from xgate.sandbox.lines import Lines
from xgate.sandbox.messages import multipart_related, soap_request
from xgate.sandbox.pair import run_in_process, serve_surroundings
from xgate.sandbox.peer import Peer
from xgate.sandbox.ports import find_free_ports
from xgate.testing.pki import Credential, make_ca
from xgate.trust.verify import ContainerProof, verify_container
from xgate.wire.faults import read_soap_fault

SUBSYSTEM = ClientId("XG", "COM", "100", "sub/system")
TRUSTED = make_ca("information system")
STRANGER = make_ca("another information system")

_VERBS = ("DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE")
_SOAP = (
    *("tell", "wsdl", "attached", "faulty", "bom", "latin", "lone", "rude"),
    *("teapot", "untyped", "html", "broken", "doctype", "stranger", "empty", "redirect"),
)
_LARGE = 16 << 20


def _service(code: str, url: str, more: str = "", kind: str = "REST") -> str:
    allow = f'"{CONSUMER.short}", "{SUBSYSTEM.url}"'
    rights = more if "allow =" in more else f"allow = [{allow}]\n{more}"
    head = f'\n[[client.service]]\ncode = "{code}"\ntype = "{kind}"\nurl = "{url}"\n'
    return head + rights + "\n"


def _services() -> str:
    verbs = ", ".join(
        f'{{subject = "{CONSUMER.short}", method = "{verb}", path = "**"}}' for verb in _VERBS
    )
    rest = "{base}/rest"
    return "".join(
        (
            _service("rest", rest),
            _service("echo", rest + "/echo"),
            _service("test", rest + "/bytes"),
            _service("service", rest + "/service", f"allow = [{verbs}]"),
            _service("pets", rest, f'allow = [{{subject = "{CONSUMER.short}", path = "/pets/*"}}]'),
            _service("secret", rest, "allow = []"),
            _service("off", rest, 'disabled = "closed for the night"'),
            _service("refusing", "http://127.0.0.1:1"),
            _service("nameless", "http://nobody.invalid"),
            _service("slow", rest, "timeout-seconds = 0.2"),
            *(_service(code, f"{{base}}/soap/{code}", kind="SOAP") for code in _SOAP),
            _service("versioned", "{base}/soap/tell", 'version = "v1"', "SOAP"),
            _service("hidden", "{base}/soap/tell", "allow = []", "SOAP"),
            _service("closed", "{base}/soap/tell", 'disabled = ""', "SOAP"),
            _service("down", "http://127.0.0.1:1/", kind="SOAP"),
            _service("homeless", "http://nobody.invalid/", kind="SOAP"),
            _service("late", "{base}/soap/slow", "timeout-seconds = 0.2", "SOAP"),
            *_described(),
        )
    )


def _described() -> Iterator[str]:
    """Services with descriptions; of ``people`` callers may only have ``GET /people/*``."""
    for code, document in (
        ("people", "people.yaml"),
        ("people2", "people"),
        ("old", "old.yaml"),
        ("odd", "list.json"),
        ("lost", "nowhere.yaml"),
    ):
        narrow = f'allow = [{{subject = "{CONSUMER.short}", method = "GET", path = "/people/*"}}]'
        more = (
            f'{narrow}\nendpoints = ["GET /people/*", "POST /people"]' if code == "people" else ""
        )
        described = f'description = "{{base}}/documents/{document}"\n{more}'
        yield _service(code, "{base}/rest", described)
    for code, document in (
        ("tellWsdl", "tell.wsdl"),
        ("brokenWsdl", "broken.wsdl"),
        ("movedWsdl", "moved.wsdl"),
    ):
        described = f'version = "v2"\ndescription = "{{base}}/documents/{document}"'
        yield _service(code, "{base}/soap/tell", described, "SOAP")


TENANTS = (
    Tenant(SUBSYSTEM),
    Tenant(ClientId("XG", "COM", "100", "sealed"), 'authentication = "SSLNOAUTH"'),
    Tenant(
        ClientId("XG", "COM", "100", "pinned"),
        'authentication = "SSLAUTH"\ncertificates = ["trusted.pem"]',
    ),
    Tenant(ClientId("XG", "COM", "100", "bare"), 'authentication = "SSLAUTH"'),
    Tenant(
        ClientId("XG", "GOV", "200", "s/ub"),
        'authentication = "NOSSL"' + _service("öäå", "{base}/rest/echo"),
    ),
)


def new_country(
    folder: Path, changes: Mapping[str, str] | None = None, *, hsm: Path | None = None
) -> Country:
    """A country with the services above; ``changes`` are made to its servers' settings.

    :param hsm: as ``found_country`` takes it.
    """
    country = found_country(
        folder,
        SystemClock().now(),
        kind="P-256",
        services=_services(),
        tenants=TENANTS,
        stamp_seconds=0.1,
        hsm=hsm,
    )
    for place in country.places:
        (place.folder / "trusted.pem").write_bytes(TRUSTED.certificate.der)
        text = place.settings.read_text()
        messagelog = f"[messagelog]\nmax-body-bytes = {_LARGE}\n\n[messagelog.timestamping]"
        text = text.replace("[messagelog.timestamping]", messagelog)
        for old, new in (changes or {}).items():
            text = text.replace(old, new)
        place.settings.write_text(text)
    return country


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A country at work while a module's tests run."""
    country = new_country(tmp_path_factory.mktemp("country"))
    with run_in_background(country, SystemClock(), services=Desk().serve) as running:
        yield running


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """The consumer of a country whose provider's server is left to the tests."""
    country = new_country(tmp_path_factory.mktemp("lonely"))
    with (
        run_in_background(country, SystemClock(), provider=False) as running,
        closing(Caller(running)) as caller,
    ):
        yield caller


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """As ``lonely``; it waits for answers no longer than half a second."""
    changes = {"[peers]\n": "[peers]\nanswer-seconds = 0.5\n"}
    country = new_country(tmp_path_factory.mktemp("impatient"), changes)
    with (
        run_in_background(country, SystemClock(), provider=False) as running,
        closing(Caller(running)) as caller,
    ):
        yield caller


@pytest.fixture(scope="module")
def unserved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Caller, int]]:
    """A country whose services ``tell``, ``late`` and ``echo`` are the tests' own, at this port.

    ``late`` is waited for no longer than 0.2 seconds.
    """
    country = new_country(tmp_path_factory.mktemp("unserved"))
    (port,) = find_free_ports(1, ["127.0.0.1"])
    settings = country.provider.settings
    url = re.compile(r'"http://[^"]*(/soap/tell|/soap/slow|/rest/echo)"')
    settings.write_text(url.sub(rf'"http://127.0.0.1:{port}\1"', settings.read_text()))
    with (
        run_in_background(country, SystemClock(), services=Desk().serve) as running,
        closing(Caller(running)) as caller,
    ):
        yield caller, port


@pytest.fixture(scope="module")
def caller(running: Running) -> Iterator[Caller]:
    with closing(Caller(running)) as caller:
        yield caller


@pytest.fixture(scope="module")
def peer(caller: Caller) -> Peer:
    """A security server with the consumer's real keys that sends whatever it is told to."""
    return Peer(caller.country, caller.country.consumer, SystemClock())


@pytest.fixture
def nothing_left(caller: Caller) -> Iterator[None]:
    """Nothing is logged of what was refused, and the next message is served.

    No coroutine, as ``served_on``.
    """
    yield
    assert caller.counts("hostile") == [0, 0]
    reply = trio.run(partial(caller.rest, "POST", "/echo", body=b"still here"))
    assert (reply.status, reply.body) == (200, b"still here")


@pytest.fixture(scope="session")
def calling() -> Callable[[Running], Caller]:
    """Makes the information system of a consumer that a test runs itself; it must be closed."""
    return Caller


@pytest.fixture
def served_on(caller: Caller) -> Iterator[None]:
    """Whatever the test did, the next exchange is a good one.

    No coroutine: pytest-trio runs only those that a test takes as an argument.
    """
    yield
    reply = trio.run(partial(caller.rest, "POST", "/echo", body=b"still here"))
    assert (reply.status, reply.body) == (200, b"still here")
    assert caller.counts(reply.id) == [2, 2]


Starter = Callable[..., AbstractAsyncContextManager["Started"]]


class Started(msgspec.Struct, frozen=True):
    """A country at work in the test's own loop."""

    running: Running
    caller: Caller
    desk: Desk
    drains: tuple[Drain, Drain]


@pytest.fixture(scope="session")
def trusted() -> Credential:
    """Whose certificate is listed for the client ``pinned``, and for the provider's services."""
    return TRUSTED


@pytest.fixture(scope="session")
def stranger() -> Credential:
    """Whose certificate is listed nowhere."""
    return STRANGER


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., Country]:
    """Founds a country that may be changed before it is started."""
    return partial(new_country, tmp_path)


@pytest.fixture(scope="module")
def founding(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Country]:
    """Founds countries for a module's tests, each in a folder of this name."""
    return lambda name: new_country(tmp_path_factory.mktemp(name))


@pytest.fixture
def start(tmp_path: Path) -> Starter:
    """Starts a country for one test: ``async with start() as started``."""

    @asynccontextmanager
    async def started(
        country: Country | None = None,
        changes: Mapping[str, str] | None = None,
        *,
        clock: Clock | None = None,
        clocks: tuple[Clock, Clock] | None = None,
        authority: Authority | None = None,
    ) -> AsyncIterator[Started]:
        clock = clock or SystemClock()
        mine, theirs = clocks or (clock, clock)
        country = country or new_country(tmp_path, changes)
        desk = Desk()
        authority = authority or Authority(country, clock)
        running = Running(country, authority, Lines(), Lines())
        async with trio.open_nursery() as nursery:
            surroundings = partial(
                serve_surroundings, services=desk.serve, authority=running.authority
            )
            await nursery.start(surroundings, country, clock)
            async with (
                run_in_process(country.consumer, mine, running.consumer) as first,
                run_in_process(country.provider, theirs, running.provider) as second,
            ):
                for lines in (running.consumer, running.provider):
                    await lines.wait("OCSP responses refreshed")
                with closing(Caller(running)) as caller:
                    yield Started(running, caller, desk, (first, second))
            nursery.cancel_scope.cancel()

    return started


class Reply(msgspec.Struct, frozen=True):
    """What an information system got back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    @property
    def id(self) -> str:
        return self.header("x-road-id")

    @property
    def code(self) -> str:
        """The code of the error that this is; blank for an answer."""
        if self.all("x-road-error"):
            return self.header("x-road-error")
        if b":Fault>" in self.body:
            return read_soap_fault(self.body).code
        return ""

    @property
    def text(self) -> str:
        """The sentence of the error that this is."""
        if self.all("x-road-error"):
            return str(msgspec.json.decode(self.body)["message"])
        return read_soap_fault(self.body).text


class Caller:
    """The consumer's information system."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.country = running.country
        self.door = self.country.consumer.address, self.country.ports.client
        self._stores = [SqliteStore(place.messagelog) for place in self.country.places]
        self._trust = read_disk(self.country.verification, SystemClock().now()).conf

    def close(self) -> None:
        for store in self._stores:
            store.close()

    async def send(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | AsyncIterator[bytes] = b"",
        *,
        secure: bool = False,
        identity: Credential | None = None,
    ) -> Reply:
        """One request on a connection of its own."""
        ports = self.country.ports
        tls = None
        if secure:
            chain = (identity.certificate.der,) if identity else ()
            tls = service_context(TlsIdentity(identity.key, chain) if identity else None)
        host, port = self.door
        connection = await connect(
            host, ports.client_tls if secure else port, tls=tls, timeout=10.0
        )
        connection.timeout = 30.0
        try:
            with suppress(ClosedError):  # the server may have answered before it heard all
                await connection.request(method, target, headers, body)
            head = await connection.receive_head()
            octets = bytearray()
            while data := await connection.receive():
                octets += data
            return Reply(head.status, head.headers, bytes(octets))
        finally:
            await connection.aclose()

    async def rest(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | AsyncIterator[bytes] = b"",
        *,
        service: str = "rest",
        client: ClientId = CONSUMER,
        provider: ClientId = PROVIDER,
        **more: object,
    ) -> Reply:
        target = f"/r1/{provider.url}/{service}{path}"
        whole = [("X-Road-Client", client.url), *headers]
        return await self.send(method, target, whole, body, **more)  # type: ignore[arg-type]

    async def soap(
        self,
        code: str,
        query_id: str,
        attachments: list[tuple[str, bytes]] | None = None,
        *,
        mtom: bool = False,
        version: str = "",
        client: ClientId = CONSUMER,
        provider: ClientId = PROVIDER,
        content: str = "",
        **more: object,
    ) -> Reply:
        octets = soap_request(client, provider, code, query_id, version=version, content=content)
        kind = "text/xml; charset=UTF-8"
        if attachments is not None:
            kind, octets = multipart_related(octets, attachments, mtom=mtom)
        return await self.post(octets, kind, **more)

    async def post(self, octets: bytes, kind: str = "text/xml", **more: object) -> Reply:
        headers = [("Content-Type", kind), ("SOAPAction", '""')]
        return await self.send("POST", "/", headers, octets, **more)  # type: ignore[arg-type]

    def records(self, query_id: str) -> list[list[LoggedRecord]]:
        """What the consumer's and the provider's server have logged under this query id."""
        return [list(store.find(query_id=query_id)) for store in self._stores]

    def counts(self, query_id: str) -> list[int]:
        """How many records each server has under this query id."""
        return [len(records) for records in self.records(query_id)]

    async def prove(self, query_id: str) -> list[ContainerProof]:
        """The proofs of all records of an exchange: two at each server, each a valid container."""
        proofs = []
        for store, lines in zip(
            self._stores, (self.running.consumer, self.running.provider), strict=True
        ):
            for record in await _stamped(store, lines, query_id):
                _, octets = write_evidence(record)
                proofs.append(verify_container(self._trust, octets))
        signers = [str(proof.proven.signer) for proof in proofs]
        assert signers == ["MEMBER:XG/COM/100", "MEMBER:XG/GOV/200"] * 2
        return proofs


async def _stamped(store: SqliteStore, lines: Lines, query_id: str) -> list[LoggedRecord]:
    """The records under a query id, once all of them are timestamped."""
    while True:
        seen = len(lines)
        records = list(store.find(query_id=query_id))
        if records and all(record.stamp for record in records):
            return records
        await lines.wait("timestamped", since=seen)
