"""Every row of the tables of faults for REST requests that an information system sends.

rest-protocol 1, 2 and 7, word for word: the statuses, the header that says the code, and the three
forms of the body. Nothing is sent on or logged, and the next message is served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from lxml import etree
from tests.journeys.rows import assert_told

from xgate.ids import ClientId
from xgate.sandbox.country import CONSUMER, PROVIDER

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

pytestmark = pytest.mark.usefixtures("served_on")

SIDE = "server.clientproxy."
ECHO = f"/r1/{PROVIDER.url}/echo"
ELSEWHERE = ClientId("XG", "GOV", "200", "nobody")
ABROAD = ClientId("YY", "GOV", "200", "registry")
GHOST = ClientId("XG", "COM", "100", "ghost")
MEMBER = ClientId("XG", "COM", "100")


@pytest.mark.parametrize(
    ("path", "code", "text"),
    [
        ("/r1/", "internal_error", "Invalid request URI"),
        ("/r1/XG/GOV", "internal_error", "Invalid request URI"),
        (f"/r1/{PROVIDER.url}", "internal_error", "Invalid request URI"),
        ("/r1/XG/GOV/%20/registry/echo", "internal_error", "'memberCode' must not be blank"),
        ("/r1/%20/GOV/200/registry/echo", "internal_error", "'xRoadInstance' must not be blank"),
        ("/r1/XG/%20/200/registry/echo", "internal_error", "'memberClass' must not be blank"),
        ("/r1/XG/GOV/200/registry/%20", "internal_error", "'serviceCode' must not be blank"),
        (
            f"/r1/{ELSEWHERE.url}/echo",
            "unknown_member",
            'Could not find addresses for service provider "SUBSYSTEM:XG/GOV/200/nobody"',
        ),
        (
            f"/r1/{ABROAD.url}/echo",
            "internal_error",
            "Shared params for instance identifier YY not found",
        ),
    ],
)
async def test_whom_it_asks(caller: Caller, path: str, code: str, text: str) -> None:
    headers = [("X-Road-Client", CONSUMER.url), ("X-Road-Id", "whom-1")]

    reply = await caller.send("GET", path, headers)

    assert_told(reply, SIDE + code, text, 500)
    assert caller.counts("whom-1") == [0, 0]


@pytest.mark.parametrize(
    ("client", "code", "text"),
    [
        (None, "invalid_client_identifier", "The client identifier is missing"),
        ("", "internal_error", "Invalid Client Id"),
        ("XG/COM", "internal_error", "Invalid Client Id"),
        ("XG/COM/100/portal/more", "internal_error", "Invalid Client Id"),
        ("XG/COM/100/por tal", "internal_error", "Invalid character in path segment"),
        ("XG/COM/100/%2", "internal_error", "Incomplete percent encoding"),
        ("XG/COM/%FF/portal", "internal_error", "Invalid percent encoding"),
        ("XG/%20/100/portal", "internal_error", "'memberClass' must not be blank"),
        (GHOST.url, "unknown_member", f"Client '{GHOST}' not found"),
        (PROVIDER.url, "unknown_member", f"Client '{PROVIDER}' not found"),
    ],
)
async def test_who_asks(caller: Caller, client: str | None, code: str, text: str) -> None:
    headers = [] if client is None else [("X-Road-Client", client)]

    reply = await caller.send("GET", ECHO, [*headers, ("X-Road-Id", "who-2")])

    assert_told(reply, SIDE + code, text, 500)
    assert caller.counts("who-2") == [0, 0]


async def test_a_member_without_a_subsystem_may_ask(caller: Caller) -> None:
    reply = await caller.send("GET", ECHO, [("X-Road-Client", MEMBER.url)])

    assert_told(reply, f"{SIDE}unknown_member", f"Client '{MEMBER}' not found", 500)


@pytest.mark.parametrize(
    ("header", "value", "code", "text"),
    [
        (
            "X-Road-Security-Server",
            "XG/GOV/200/NONE",
            "invalid_security_server",
            'Could not find security server "SERVER:XG/GOV/200/NONE"',
        ),
        (
            "X-Road-Security-Server",
            "XG/COM/100/CONSUMER",
            "invalid_security_server",
            'Invalid security server "SERVER:XG/COM/100/CONSUMER"',
        ),
        ("X-Road-Security-Server", "XG/GOV", "internal_error", "Invalid SecurityServer Id"),
        ("X-Road-Represented-Party", "a/b/c", "internal_error", "Invalid RepresentedParty Id"),
        ("X-Road-Id", "", "internal_error", ".+"),
        ("X-Road-Id", "i" * 300, "io_error", r"\[.{36}\] \[SYSTEM\] logging_failed: .+"),
    ],
)
async def test_headers_of_x_road(
    caller: Caller, header: str, value: str, code: str, text: str
) -> None:
    reply = await caller.rest("GET", "/echo", [(header, value)])

    assert_told(reply, SIDE + code, text, 500)
    assert caller.counts("i" * 300) == [0, 0]


@pytest.mark.parametrize("query", ["a=|", 'a="', "a={b}", "a=%zz", "a=^", "a=%"])
async def test_queries_that_only_the_provider_refuses(caller: Caller, query: str) -> None:
    reply = await caller.rest("GET", f"/echo?{query}", [("X-Road-Id", "query-1")])

    code = "server.serverproxy.service_failed.internal_error"
    assert_told(reply, code, "Invalid request URI", 500)
    assert caller.counts("query-1")[1] == 0


@pytest.mark.parametrize("verb", ["PROPFIND", "get", "Post"])
async def test_verbs_of_nobody(caller: Caller, verb: str) -> None:
    reply = await caller.rest(verb, "/echo", [("X-Road-Id", "verb-1")])

    assert_told(reply, f"{SIDE}internal_error", ".*" + verb + ".*", 500)
    assert caller.counts("verb-1") == [0, 0]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
        ("application/json, text/xml", "text/xml;charset=utf-8"),
        ("TEXT/XML;q=0.1", "text/xml;charset=utf-8"),
        ("text/*", "text/xml;charset=utf-8"),
        ("application/xml", "application/xml;charset=utf-8"),
    ],
)
async def test_the_form_of_an_error(caller: Caller, accept: str | None, content_type: str) -> None:
    headers = [] if accept is None else [("Accept", accept)]

    reply = await caller.rest("GET", "/echo", headers, client=GHOST)

    assert (reply.status, reply.header("content-type")) == (500, content_type)
    assert reply.header("x-road-error") == f"{SIDE}unknown_member"
    if content_type == "application/json":
        told = msgspec.json.decode(reply.body)
    else:
        assert reply.body.startswith(b'<?xml version="1.0" encoding="UTF-8"')
        told = {child.tag: child.text for child in etree.fromstring(reply.body)}
    assert list(told) == ["type", "message", "detail"]
    assert told["type"] == f"{SIDE}unknown_member"
    line = await caller.running.consumer.wait("exchange", detail=told["detail"])
    assert line["text"] == told["message"] == f"Client '{GHOST}' not found"
