"""What the provider's side refuses, and what a service does instead of answering.

The codes are those of soap-protocol 9 and rest-protocol 7; until the service is called nothing is
logged at the provider, and no answer is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.journeys.fault_table import assert_in_table

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

pytestmark = pytest.mark.usefixtures("served_on")


@pytest.mark.parametrize(
    ("service", "path", "code"),
    [
        ("nothing", "/", "unknown_service"),
        ("secret", "/", "access_denied"),
        ("off", "/", "service_disabled"),
        ("wsdl", "/", "service_type"),
        ("pets", "/pets/1/x", "access_denied"),
        ("pets", "/pets/1%2Fx", "access_denied"),
        ("pets", "/pets/..", "access_denied"),
        ("refusing", "/", "network_error"),
        ("nameless", "/", "unknown_host"),
        ("slow", "/slow", "io_error"),
    ],
)
async def test_what_a_rest_request_meets_at_the_provider(
    caller: Caller, service: str, path: str, code: str
) -> None:
    query = f"{service}{path}"
    reply = await caller.rest("GET", path, [("X-Road-Id", query)], service=service)

    assert (reply.status, reply.code) == (500, f"server.serverproxy.{code}")
    assert_in_table(reply.code, reply.text)
    called = code in ("network_error", "unknown_host", "io_error")
    assert caller.counts(query) == [1, 1 if called else 0]


async def test_a_right_to_an_endpoint_covers_it(caller: Caller) -> None:
    reply = await caller.rest("GET", "/pets/1", service="pets")

    assert reply.status == 200


async def test_a_service_that_breaks_off_gives_a_fault_in_place_of_the_signature(
    caller: Caller,
) -> None:
    reply = await caller.rest("GET", "/cut", [("X-Road-Id", "cut-1")])

    assert (reply.status, reply.code) == (500, "server.serverproxy.io_error")
    assert caller.counts("cut-1") == [1, 1]


async def test_an_answer_too_large_to_be_logged_is_not_given(caller: Caller) -> None:
    size = (16 << 20) + 1
    reply = await caller.rest("GET", f"?{size}", [("X-Road-Id", "vast-1")], service="test")

    assert (reply.status, reply.code) == (500, "server.serverproxy.logging_failed")
    assert caller.counts("vast-1") == [1, 1]


async def test_a_body_too_large_to_be_logged_is_not_sent(caller: Caller) -> None:
    body = bytes((16 << 20) + 1)
    reply = await caller.rest("POST", "/echo", [("X-Road-Id", "vast-2")], body)

    assert (reply.status, reply.code) == (500, "server.clientproxy.io_error")
    assert "logging_failed: Message size exceeds maximum loggable size" in reply.text
    assert caller.counts("vast-2") == [0, 0]


@pytest.mark.parametrize(
    ("code", "version", "refusal"),
    [
        ("nothing", "", "unknown_service"),
        ("tell", "v9", "unknown_service"),
        ("versioned", "", "unknown_service"),
        ("hidden", "", "access_denied"),
        ("closed", "", "service_disabled"),
        ("rest", "", "service_type"),
        ("down", "", "service_failed.network_error"),
        ("homeless", "", "service_failed.unknown_host"),
        ("late", "", "service_failed.io_error"),
        ("teapot", "", "service_failed.http_error"),
        ("redirect", "", "service_failed.http_error"),
        ("untyped", "", "service_failed.invalid_content_type"),
        ("html", "", "service_failed.invalid_content_type"),
        ("broken", "", "service_failed.invalid_soap"),
        ("doctype", "", "service_failed.invalid_soap"),
        ("empty", "", "service_failed.invalid_message"),
    ],
)
async def test_what_a_soap_request_meets_at_the_provider(
    caller: Caller, code: str, version: str, refusal: str
) -> None:
    query = f"soap-{code}-{version}"
    reply = await caller.soap(code, query, version=version)

    assert (reply.status, reply.code) == (200, f"server.serverproxy.{refusal}")
    assert_in_table(reply.code, reply.text)
    assert caller.counts(query) == [1, 1 if refusal.startswith("service_failed") else 0]


async def test_an_answer_to_another_question(caller: Caller) -> None:
    reply = await caller.soap("stranger", "stranger-1")

    assert reply.code == "server.clientproxy.service_failed.inconsistent_response"
    assert caller.counts("stranger-1") == [1, 2]  # it is proven whose answer that was
