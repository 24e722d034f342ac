"""Small calls: HTTP, verified HTTPS, limits of size and time."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import trio
from cryptography import x509
from trio.testing import MockClock

from xgate.clock import SystemClock
from xgate.net.context import TlsIdentity, information_system_context
from xgate.net.errors import HttpError, TimedOutError, TlsError, TooBigError
from xgate.net.fetch import fetch
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Exchange, Handler, ServerLimits, serve_connection
from xgate.net.stream import SocketStream, Stream
from xgate.net.tls import accept_tls
from xgate.testing.clock import FakeClock
from xgate.testing.network import make_identity

CA = make_identity("ca", ca=True)
LOCAL = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
GOOD = make_identity("good", issuer=CA, names=LOCAL)


@asynccontextmanager
async def a_server(handler: Handler, identity: TlsIdentity | None = None) -> AsyncIterator[str]:
    """The address of a server on loopback, without its path."""

    async def serve(plain: SocketStream) -> None:
        stream: Stream = plain
        if identity is not None:
            stream = await accept_tls(plain, information_system_context(identity))
        await serve_connection(stream, handler, ServerLimits(), SystemClock())

    async with trio.open_nursery() as nursery:
        listeners = await listen_on("127.0.0.1", 0)
        await nursery.start(serve_listeners, listeners, serve)
        scheme = "https" if identity else "http"
        yield f"{scheme}://127.0.0.1:{listeners[0].getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def mirror(exchange: Exchange) -> None:
    body = b""
    while piece := await exchange.receive():
        body += piece
    text = f"{exchange.method} {exchange.target} {exchange.find_header('x-a')} ".encode()
    await exchange.respond(404, [("X-Case", "kept")], text + body)


async def test_a_call_and_its_answer_whatever_the_status() -> None:
    async with a_server(mirror) as url:
        answer = await fetch(url + "/p?q=%20", method="POST", headers=[("X-A", "1")], body=b"b")
        assert (answer.status, answer.reason) == (404, "Not Found")
        assert ("X-Case", "kept") in answer.headers
        assert answer.body == b"POST /p?q=%20 1 b"
        assert (await fetch(url)).body == b"GET / None "


async def test_redirects_are_answers_like_others() -> None:
    async def redirect(exchange: Exchange) -> None:
        await exchange.respond(302, [("Location", "http://localhost/")])

    async with a_server(redirect) as url:
        assert (await fetch(url)).status == 302


async def test_too_much_is_refused() -> None:
    async def flood(exchange: Exchange) -> None:
        await exchange.start(200, [])
        for _ in range(100):
            await exchange.send(bytes(1000))
        await exchange.finish()

    async with a_server(flood) as url:
        assert len((await fetch(url, max_bytes=100_000)).body) == 100_000
        with pytest.raises(TooBigError):
            await fetch(url, max_bytes=99_999)


async def test_a_server_that_takes_its_time_is_left(autojump_clock: MockClock) -> None:
    async def dawdle(exchange: Exchange) -> None:
        await exchange.start(200, [])
        while True:
            await exchange.send(b".")
            await trio.sleep(1)

    async with a_server(dawdle) as url:
        with pytest.raises(TimedOutError):
            await fetch(url, timeout=20)
        assert trio.current_time() == pytest.approx(20)


async def test_https_is_verified_by_chain_name_and_time() -> None:
    roots = list(CA.chain)
    async with a_server(mirror, GOOD) as url:
        assert (await fetch(url + "/x", roots=roots)).body == b"GET /x None "
        named = url.replace("127.0.0.1", "localhost")
        assert (await fetch(named, roots=roots)).status == 404
        with pytest.raises(TlsError, match="not trusted"):
            await fetch(url)
        with pytest.raises(TlsError, match="not trusted"):
            await fetch(url, roots=make_identity("other ca", ca=True).chain)
        later = FakeClock(SystemClock().now() + timedelta(days=30))
        with pytest.raises(TlsError, match="not trusted"):
            await fetch(url, roots=roots, clock=later)
    elsewhere = make_identity("x", issuer=CA, names=[x509.DNSName("elsewhere.example")])
    async with a_server(mirror, elsewhere) as url:
        with pytest.raises(TlsError, match="not trusted"):
            await fetch(url, roots=roots)
        assert (await fetch(url, roots=elsewhere.chain)).status == 404


async def test_https_is_verified_as_far_as_is_asked() -> None:
    elsewhere = make_identity("x", issuer=CA, names=[x509.DNSName("elsewhere.example")])
    nameless = make_identity("y", issuer=CA)
    roots = list(CA.chain)
    async with a_server(mirror, elsewhere) as url:
        assert (await fetch(url, roots=roots, verify="chain")).status == 404
        with pytest.raises(TlsError, match="not trusted"):
            await fetch(url, verify="chain")
        assert (await fetch(url, verify="nothing")).status == 404
    async with a_server(mirror, nameless) as url:
        with pytest.raises(TlsError, match="it has no name"):
            await fetch(url, roots=roots, verify="chain")


@pytest.mark.parametrize(
    "url",
    ["ftp://a/", "http://", "a", "http://u:p@a/", "http://a/ b", "http://a/\r\nX: y", "http://ä/"],
)
async def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        await fetch(url)


async def test_a_server_that_does_not_speak_http_is_told_apart() -> None:
    async def speak(stream: SocketStream) -> None:
        await stream.send_all(b"220 mail.example ESMTP\r\n\r\n")
        await stream.receive()

    async with trio.open_nursery() as nursery:
        listeners = await listen_on("127.0.0.1", 0)
        await nursery.start(serve_listeners, listeners, speak)
        with pytest.raises(HttpError):
            await fetch(f"http://127.0.0.1:{listeners[0].getsockname()[1]}/")
        nursery.cancel_scope.cancel()


async def test_a_large_answer_is_whole_and_bounded() -> None:
    body = bytes(range(256)) * 12_288  # 3 MiB

    async def large(exchange: Exchange) -> None:
        await exchange.respond(200, [], body)

    async with a_server(large) as url:
        assert (await fetch(url, max_bytes=len(body))).body == body
        with pytest.raises(TooBigError):
            await fetch(url, max_bytes=len(body) - 1)
