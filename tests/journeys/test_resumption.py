"""TLS sessions between security servers: resumed, and judged as if they were new."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import trio
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL

from xgate.clock import SystemClock
from xgate.globalconf.shared import CaInfo
from xgate.net import tls
from xgate.net.context import TlsContext, TlsIdentity, peer_client_context
from xgate.sandbox.country import Country
from xgate.sandbox.publication import describe_country, publish_country
from xgate.securityserver import identity
from xgate.testing.pki import make_ca

if TYPE_CHECKING:
    from tests.journeys.conftest import Started, Starter

PROTOCOLS = ["TLSv1.2", "TLSv1.3"]
FRESH = {
    "[peers]\n": "[peers]\nkeep-alive = false\n",
    "[globalconf]\n": "[globalconf]\nrefresh-seconds = 0.05\n",
}


@pytest.fixture
def resumed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, bool]]:
    """Of every handshake on port 5500, on either side: whether it was a client's; resumed."""
    seen: list[tuple[bool, bool]] = []
    shake_hands = tls.TlsStream.shake_hands

    async def watched(stream: tls.TlsStream, timeout: float) -> None:
        await shake_hands(stream, timeout)
        connection = stream._connection
        reused = bool(SSL._lib.SSL_session_reused(connection._ssl))  # type: ignore[attr-defined]
        seen.append((bool(stream._session_key), reused))

    monkeypatch.setattr(tls.TlsStream, "shake_hands", watched)
    return seen


def limited(own: TlsIdentity, protocol: str) -> TlsContext:
    context = peer_client_context(own)
    if protocol == "TLSv1.2":
        context.context.set_max_proto_version(SSL.TLS1_2_VERSION)
    return context


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_two_servers_shake_hands_once_and_then_resume(
    start: Starter,
    resumed: list[tuple[bool, bool]],
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
) -> None:
    monkeypatch.setattr(identity, "peer_client_context", partial(limited, protocol=protocol))
    async with start(changes=FRESH) as started:
        for number in range(4):
            reply = await started.caller.rest("POST", "/echo", body=b"x")
            assert (reply.status, reply.body) == (200, b"x"), number
    for client in (True, False):
        assert [reused for ours, reused in resumed if ours == client] == [False, True, True, True]


# With OpenSSL as the client


class Session:
    """The consumer's server as OpenSSL plays it, with its real key and a session kept in a file."""

    def __init__(self, country: Country, folder: Path, protocol: str) -> None:
        auth = country.consumer.auth
        self._country = country
        self._file = folder / "session.pem"
        self._protocol = protocol
        self._key, self._certificate = folder / "auth.key", folder / "auth.der"
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._key.write_bytes(auth.key.private_bytes(*form))
        self._certificate.write_bytes(auth.certificate.der)

    async def ask(self, *more: str) -> tuple[str, str]:
        """What became of the handshake (``New``, ``Reused``), and the status of an HTTP answer."""
        place, port = self._country.provider.address, self._country.ports.server
        command = ["openssl", "s_client", "-connect", f"{place}:{port}", "-ign_eof"]
        command += ["-key", str(self._key), "-cert", str(self._certificate), "-certform", "DER"]
        command += ["-no_tls1_3" if self._protocol == "TLSv1.2" else "-tls1_3", *more]
        request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        done = await trio.run_process(
            command, stdin=request, capture_stdout=True, stderr=subprocess.STDOUT, check=False
        )
        said = done.stdout.decode("latin-1")
        handshake = re.search(r"^(New|Reused), TLSv1\.[23]", said, re.M)
        answer = re.search(r"HTTP/1\.1 (\d+)", said)
        return handshake[1] if handshake else "", answer[1] if answer else ""

    async def begin(self) -> tuple[str, str]:
        return await self.ask("-sess_out", str(self._file))

    async def resume(self) -> tuple[str, str]:
        return await self.ask("-sess_in", str(self._file))


@asynccontextmanager
async def begun(
    start: Starter, country: Country, folder: Path, protocol: str
) -> AsyncIterator[tuple[Started, Session]]:
    async with start(country) as started:
        session = Session(country, folder, protocol)
        assert await session.begin() == ("New", "200")
        assert await session.resume() == ("Reused", "200")
        yield started, session


async def publish(started: Started, country: Country, **changed: object) -> None:
    """Change the shared parameters, and wait until the provider's server knows."""
    shared = msgspec.structs.replace(describe_country(country), **changed)
    since = len(started.running.provider)
    publish_country(country, SystemClock().now(), shared)
    await started.running.provider.wait("global configuration refreshed", since=since)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_certificate_that_is_registered_no_more_resumes_nothing(
    start: Starter, found: Callable[..., Country], tmp_path: Path, protocol: str
) -> None:
    country = found(FRESH)
    async with begun(start, country, tmp_path, protocol) as (started, session):
        shared = describe_country(country)
        others = tuple(s for s in shared.servers if s.owner != country.consumer.id.owner)
        await publish(started, country, servers=others)
        _, status = await session.resume()
        assert status == ""
        await publish(started, country)
        assert (await session.resume())[1] == "200", "it is registered again"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_new_configuration_ends_no_session(
    start: Starter, found: Callable[..., Country], tmp_path: Path, protocol: str
) -> None:
    country = found(FRESH)
    async with begun(start, country, tmp_path, protocol) as (started, session):
        await publish(started, country, ocsp_freshness_seconds=1800)
        assert await session.resume() == ("Reused", "200")


async def test_new_approved_cas_end_them_once(
    start: Starter, found: Callable[..., Country], tmp_path: Path
) -> None:
    country = found(FRESH)
    async with begun(start, country, tmp_path, "TLSv1.2") as (started, session):
        (service,) = describe_country(country).certification_services
        another = CaInfo(make_ca("Another approved CA").certificate.der)
        more = (service, msgspec.structs.replace(service, name="Another", top=another))
        await publish(started, country, certification_services=more)
        assert await session.resume() == ("New", "200")
        assert await session.begin() == ("New", "200")
        assert await session.resume() == ("Reused", "200")
