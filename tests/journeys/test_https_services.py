"""Services over HTTPS in both protocols: known by their certificate, or not called.

pipeline 9: whole certificates are compared, nothing else about them counts; a handshake that fails
is no matter of certificates.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
from tests.journeys.rows import assert_told
from tests.journeys.spoken import https_desk

from xgate.sandbox.country import PROVIDER
from xgate.sandbox.ports import find_free_ports
from xgate.testing.pki import Credential, make_ca

if TYPE_CHECKING:
    from tests.journeys.conftest import Started, Starter

PSS = "server.serverproxy."
OLD = make_ca("an old certificate")


def https(port: int, *, listed: bool = True, more: str = "") -> dict[str, str]:
    """The services ``nameless`` (REST) and ``down`` (SOAP) are served over HTTPS."""
    provider = f'id = "{PROVIDER.short}"\n'
    listing = 'certificates = ["trusted.pem"]\n' if listed else ""
    return {
        'url = "http://nobody.invalid"\n': f'url = "https://127.0.0.1:{port}/rest"\n{more}',
        'url = "http://127.0.0.1:1/"\n': f'url = "https://127.0.0.1:{port}/soap/tell"\n{more}',
        provider: provider + listing,
    }


async def assert_both(started: Started, leaf: str, text: str) -> None:
    rest = await started.caller.rest("GET", "/", service="nameless")
    soap = await started.caller.soap("down", "https-1")
    assert_told(rest, PSS + leaf, text, 500)
    assert_told(soap, f"{PSS}service_failed.{leaf}", text)


@pytest.fixture
def port() -> int:
    (port,) = find_free_ports(1, ["127.0.0.1"])
    return port


async def test_the_listed_certificate_is_called_and_no_other(
    start: Starter, port: int, trusted: Credential, stranger: Credential
) -> None:
    async with start(changes=https(port)) as started:
        async with https_desk(port, trusted, started.desk.serve):
            soap = await started.caller.soap("down", "https-2")
            rest = await started.caller.rest("GET", "/", service="nameless")
        seen = len(started.desk.seen)
        async with https_desk(port, stranger, started.desk.serve):
            await assert_both(started, "ssl_authentication_failed", "IS certificate is not trusted")

        assert (soap.code, rest.status) == ("", 200)
        assert len(started.desk.seen) == seen, "nothing was said to a stranger"


async def test_without_listed_certificates_none_is_called(
    start: Starter, port: int, trusted: Credential
) -> None:
    text = f"Client '{PROVIDER}' has no IS certificates"
    async with start(changes=https(port, listed=False)) as started:
        async with https_desk(port, trusted, started.desk.serve):
            await assert_both(started, "ssl_authentication_failed", text)
        assert started.desk.seen == []


async def test_unverified_services_may_show_anything(start: Starter, port: int) -> None:
    changes = https(port, listed=False, more="verify-tls = false\n")
    async with start(changes=changes) as started, https_desk(port, OLD, started.desk.serve):
        soap = await started.caller.soap("down", "https-3")
        rest = await started.caller.rest("GET", "/", service="nameless")

    assert (soap.code, rest.status) == ("", 200)


async def test_what_is_no_tls(start: Starter, port: int) -> None:
    async def speak(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with start(changes=https(port)) as started, trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_tcp, speak, port, host="127.0.0.1"))
        await assert_both(started, "io_error", ".+")
        nursery.cancel_scope.cancel()


async def test_who_keeps_silent_has_the_time_of_the_service(start: Starter, port: int) -> None:
    """A connection that stands, and a handshake that never comes."""

    async def keep_silent(stream: trio.SocketStream) -> None:
        async with stream:
            await trio.sleep_forever()

    changes = https(port, more="timeout-seconds = 0.3\n")
    async with start(changes=changes) as started, trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_tcp, keep_silent, port, host="127.0.0.1"))
        with trio.fail_after(10):
            await assert_both(started, "io_error", ".+")
        nursery.cancel_scope.cancel()
