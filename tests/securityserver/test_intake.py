"""Which protocol an information system speaks, and whether an answer is to its request."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import cast

import pytest

from xgate.errors import Fault
from xgate.net.fetch import fetch
from xgate.net.server import Exchange
from xgate.sandbox.messages import soap_request
from xgate.sandbox.places import CONSUMER, PROVIDER
from xgate.securityserver.intake import (
    check_belongs,
    check_information_system,
    is_rest,
    shown_certificate,
    take_in,
)
from xgate.securityserver.rest_intake import RestIntake
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.soap_intake import SoapIntake
from xgate.securityserver.tls_settings import TlsSettings
from xgate.serverconf.model import Authentication, Client
from xgate.testing.clock import FakeClock
from xgate.trust.seal import seal_of
from xgate.wire.attachments import BodyLimits
from xgate.wire.rest import read_rest_response, request_hash, write_rest_response
from xgate.wire.target import BadTarget

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]
Look = Callable[[Exchange], Awaitable[None]]

REST_TARGET = f"/r1/{PROVIDER.url}/people/x"


async def call(serve: Serve, look: Look, target: str, body: bytes = b"") -> None:
    """Call a server that looks at the exchange; what it raises is seen there."""
    seen: list[BaseException | None] = []

    async def handle(exchange: Exchange) -> None:
        try:
            await look(exchange)
            seen.append(None)
        except BaseException as error:  # noqa: BLE001  it is raised again where the test looks
            seen.append(error)
        await exchange.respond(200, [])

    headers = [("X-Road-Client", CONSUMER.url), ("Content-Type", "text/xml")]
    url = f"http://127.0.0.1:{await serve(handle)}{target}"
    await fetch(url, method="POST", headers=headers, body=body)
    (error,) = seen
    if error is not None:
        raise error


@pytest.mark.parametrize(
    ("target", "rest"), [(REST_TARGET, True), ("/", False), ("/r2/x", False), ("/a/r1/b", False)]
)
async def test_the_path_alone_tells_the_protocol(serve: Serve, target: str, rest: bool) -> None:
    async def look(exchange: Exchange) -> None:
        assert is_rest(exchange) is rest

    await call(serve, look, target)


@pytest.mark.parametrize(
    ("settings", "refused"), [(TlsSettings(), True), (TlsSettings(verify_clients=False), False)]
)
async def test_who_speaks_for_a_client_is_looked_at_unless_told_otherwise(
    serve: Serve, settings: TlsSettings, refused: bool
) -> None:
    sealed = Client(CONSUMER, Authentication.SSLNOAUTH)
    server = cast(
        "SecurityServer",
        SimpleNamespace(
            settings=SimpleNamespace(tls=settings),
            internal=SimpleNamespace(certificate=b"own"),
            clock=FakeClock(),
        ),
    )

    async def look(exchange: Exchange) -> None:
        check_information_system(exchange, sealed, server)

    if refused:
        with pytest.raises(Fault, match="made plaintext connection"):
            await call(serve, look, "/")
    else:
        await call(serve, look, "/")


async def test_a_bad_target_has_no_protocol(serve: Serve) -> None:
    async def look(exchange: Exchange) -> None:
        with pytest.raises(BadTarget):
            is_rest(exchange)

    await call(serve, look, "/r1//x")


async def test_each_protocol_is_taken_in_by_its_own(serve: Serve) -> None:
    async def rest(exchange: Exchange) -> None:
        intake = await take_in(exchange, True, "XG", BodyLimits(head=1000))
        assert isinstance(intake, RestIntake)
        assert intake.request.service.service_code == "people"

    async def soap(exchange: Exchange) -> None:
        intake = await take_in(exchange, False, "XG", BodyLimits(head=10_000))
        assert isinstance(intake, SoapIntake)
        assert intake.request.id == "q"

    await call(serve, rest, REST_TARGET)
    await call(serve, soap, "/", soap_request(CONSUMER, PROVIDER, "x", "q"))


@pytest.mark.parametrize("body", [None, b"", b"body"])
async def test_an_answer_belongs_to_the_request_as_it_was_sent(
    serve: Serve, body: bytes | None
) -> None:
    """The hash of the body part counts, and an empty one is not none."""

    async def look(exchange: Exchange) -> None:
        intake = await take_in(exchange, True, "XG", BodyLimits(head=1000))
        assert isinstance(intake, RestIntake)
        sent = seal_of(intake.request.octets, [] if body is None else [body])
        head, *parts = (part.digest for part in sent.parts)
        value = request_hash(head, parts[0] if parts else None)
        written = write_rest_response(intake.request, 200, "OK", [], value)
        answer = read_rest_response(written.octets)
        check_belongs(intake, answer, sent)
        other = seal_of(intake.request.octets, [b"another body"])
        with pytest.raises(Fault, match="inconsistent_response"):
            check_belongs(intake, answer, other)

    await call(serve, look, REST_TARGET)


@pytest.mark.parametrize(
    ("chain", "wanted", "told"),
    [
        ((b"no certificate",), True, "a certificate that cannot be read, SHA-256 "),
        ((b"no certificate",), False, None),
        ((), True, None),
    ],
)
def test_whatever_was_shown_has_words(
    chain: tuple[bytes, ...], wanted: bool, told: str | None
) -> None:
    exchange = cast("Exchange", SimpleNamespace(peer_chain=chain))
    settings = SimpleNamespace(tls=TlsSettings(log_clients=wanted))
    server = cast("SecurityServer", SimpleNamespace(settings=settings))
    said = shown_certificate(exchange, server)
    assert said == (told and told + hashlib.sha256(chain[0]).hexdigest())
