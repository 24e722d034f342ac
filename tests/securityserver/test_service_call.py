"""The call to the service: it gets what was signed, and its answer goes on as it comes."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import cast

import pytest

from xgate.errors import Fault
from xgate.ids import ServiceId
from xgate.net.body import Spool
from xgate.net.context import service_context
from xgate.net.fetch import fetch
from xgate.net.server import Exchange
from xgate.sandbox.desk import Desk
from xgate.sandbox.messages import soap_request
from xgate.sandbox.places import CONSUMER, PROVIDER
from xgate.securityserver.gate import open_gates
from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.receive import Received
from xgate.securityserver.reply import Reply
from xgate.securityserver.send import Sent
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.service_call import call_service
from xgate.securityserver.services import Services
from xgate.serverconf.model import Protocol, Service
from xgate.testing.clock import FakeClock
from xgate.trust.verify import Evidence
from xgate.wire.attachments import BodyLimits
from xgate.wire.message import Answer, Request
from xgate.wire.parts import Head, PartBegin, PartData, PartEnd
from xgate.wire.rest import RestResponse, read_rest_call
from xgate.wire.soap import SoapMessage, read_soap
from xgate.wire.transport import REST_BODY, REST_REQUEST, TransportHead

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]
XML = "text/xml; charset=UTF-8"


def rest(verb: str, path: str, *headers: tuple[str, str]) -> Request:
    return read_rest_call(
        verb,
        f"/r1/{PROVIDER.url}/svc{path}",
        [("Host", "h"), ("X-Road-Client", CONSUMER.url), *headers],
        request_id="0001",
        fresh_id="XG-1",
    )


def soap() -> Request:
    message = read_soap(soap_request(CONSUMER, PROVIDER, "svc", "q", version=""), XML)
    assert isinstance(message, SoapMessage)
    return message


class Call:
    """Calls a service for a request as a provider's server does."""

    def __init__(self, serve: Serve, url: str, timeout: float = 5.0) -> None:
        self._serve = serve
        self._url = url
        self._timeout = timeout
        self.sent = Sent(lambda: Spool(limit=1 << 20))
        limits = LimitSettings(exchanges=2, wait_seconds=0.01)
        self.gates = open_gates(limits, lambda: 0.0)

    async def __call__(self, request: Request, body: bytes | None = None) -> Answer:
        """What the service answered; the refusal is raised."""
        found: list[Answer | Fault] = []

        async def handle(exchange: Exchange) -> None:
            reply = Reply(exchange, "a" * 30, keep_alive=False)
            try:
                found.append(await self._call(request, body, reply))
                await reply.finish(Evidence(b"signature"))
            except Fault as fault:
                found.append(fault)
                await reply.fail(fault)

        await fetch(f"http://127.0.0.1:{await self._serve(handle)}/", method="POST", body=b"x")
        (answer,) = found
        if isinstance(answer, Fault):
            raise answer
        return answer

    async def _call(self, request: Request, body: bytes | None, reply: Reply) -> Answer:
        received = Received(lambda: Spool(limit=1 << 20))
        kind = REST_REQUEST if request.protocol == "REST" else XML
        received.take(Head(kind, (), request.octets))
        if body is not None:
            for event in (PartBegin(1, REST_BODY, ()), PartData(body), PartEnd()):
                received.take(event)
        services = Services(service_context, FakeClock().monotonic)
        parts = {
            "services": services,
            "gates": self.gates,
        }
        server = cast("SecurityServer", SimpleNamespace(**parts))
        service = Service(
            ServiceId(PROVIDER, "svc"),
            Protocol(request.protocol),
            self._url,
            timeout=self._timeout,
            verify_tls=False,
        )
        head = TransportHead(request.protocol, "b", XML, '"urn:act"')
        try:
            return await call_service(
                service, (), BodyLimits(), request, head, received, self.sent, reply, server
            )
        finally:
            await services.aclose()


async def desk(serve: Serve) -> tuple[Desk, str]:
    desk = Desk()
    return desk, f"http://127.0.0.1:{await serve(desk.serve)}"


async def test_a_rest_service_gets_path_query_and_headers_as_signed(serve: Serve) -> None:
    service, url = await desk(serve)
    request = rest("GET", "/a%20b?c=%2F&d", ("X-Own", "1"), ("X-Own", "2"))
    answer = await Call(serve, url + "/rest/")(request)
    assert isinstance(answer, RestResponse)
    assert answer.status == 200
    ((method, target, headers, body),) = service.seen
    assert (method, target, body) == ("GET", "/rest/a%20b?c=%2F&d", b"")
    assert [value for name, value in headers if name == "X-Own"] == ["1", "2"]
    assert ("x-road-request-id", "0001") in headers


@pytest.mark.parametrize("body", [None, b"", b"body", bytes(200_000)])
async def test_a_body_goes_with_its_length(serve: Serve, body: bytes | None) -> None:
    service, url = await desk(serve)
    call = Call(serve, url + "/rest")
    await call(rest("POST", "/x"), body)
    ((_, _, headers, received),) = service.seen
    assert received == (body or b"")
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    assert lengths == [str(len(body or b""))]
    assert [part.spool.read() for part in call.sent.parts] == [body or b""]


async def test_a_service_that_hangs_does_not_hold_all_places(serve: Serve) -> None:
    service, url = await desk(serve)
    call = Call(serve, url + "/rest")
    called = ServiceId(PROVIDER, "svc")
    async with call.gates.services.enter(called), call.gates.services.enter(called):
        with pytest.raises(Fault, match="more to do than it can") as refusal:
            await call(rest("GET", "/x"))
    assert refusal.value.code == "network_error"
    assert refusal.value.limit == "[limits] exchanges = 2, at the gate of services"
    assert not service.seen


async def test_the_body_of_a_verb_that_has_none_stays_here(serve: Serve) -> None:
    service, url = await desk(serve)
    await Call(serve, url + "/rest")(rest("DELETE", "/x"), b"signed, not delivered")
    assert service.seen[0][3] == b""


async def test_an_error_of_a_rest_service_is_its_answer(serve: Serve) -> None:
    _, url = await desk(serve)
    answer = await Call(serve, url + "/rest")(rest("GET", "/x", ("X-Answer-With", "404")))
    assert isinstance(answer, RestResponse)
    assert answer.status == 404


async def test_a_soap_service_answers_with_the_hash_of_its_request(serve: Serve) -> None:
    service, url = await desk(serve)
    answer = await Call(serve, url + "/soap/well")(soap())
    assert isinstance(answer, SoapMessage)
    assert answer.request_hash is not None
    ((method, target, headers, body),) = service.seen
    assert (method, target) == ("POST", "/soap/well")
    assert ("SOAPAction", '"urn:act"') in headers
    assert body == soap().octets


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("teapot", "service_failed.http_error"),
        ("untyped", "service_failed.invalid_content_type"),
        ("broken", "service_failed.invalid_soap"),
        ("faulty", "s:Server"),
    ],
)
async def test_what_a_soap_service_may_not_answer(serve: Serve, path: str, code: str) -> None:
    _, url = await desk(serve)
    with pytest.raises(Fault) as caught:
        await Call(serve, f"{url}/soap/{path}")(soap())
    assert caught.value.code == code


def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "service_missing_url"),
        ("http://127.0.0.1:{dead}/", "network_error"),
        ("http://nobody.invalid/", "unknown_host"),
        ("https://127.0.0.1:{desk}/", "io_error"),  # it speaks no TLS
    ],
)
async def test_who_cannot_be_reached_is_named_by_how(serve: Serve, url: str, code: str) -> None:
    _, address = await desk(serve)
    url = url.format(dead=dead_port(), desk=address.rpartition(":")[2])
    with pytest.raises(Fault) as as_rest:
        await Call(serve, url)(rest("GET", "/x"))
    assert as_rest.value.code == code
    with pytest.raises(Fault) as as_soap:
        await Call(serve, url)(soap())
    prefix = "" if code == "service_missing_url" else "service_failed."
    assert as_soap.value.code == prefix + code


async def test_a_service_that_never_answers_is_given_up(serve: Serve) -> None:
    _, url = await desk(serve)
    with pytest.raises(Fault) as caught:
        await Call(serve, url + "/rest", timeout=0.05)(rest("GET", "/slow"))
    assert caught.value.code == "io_error"
