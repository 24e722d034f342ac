"""Descriptions are read as they are now; what cannot be read is named and stays as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest

from xgate.net.server import Exchange
from xgate.sandbox.desk import Desk
from xgate.securityserver.client_settings import (
    ClientSettings,
    DescriptionSettings,
    Document,
    ReadService,
)
from xgate.securityserver.describe import read_descriptions

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]


@pytest.fixture
async def base(serve: Serve) -> str:
    return f"http://127.0.0.1:{await serve(Desk().serve)}/documents"


async def read(
    *described: DescriptionSettings,
) -> tuple[tuple[DescriptionSettings, ...], list[str]]:
    document = Document((ClientSettings("XG/GOV/2/reg", description=described),))
    found, problems = await read_descriptions(document, Path())
    return found.client[0].description, [problem.cause for problem in problems]


async def test_a_wsdl_tells_its_services(base: str) -> None:
    (described,), problems = await read(DescriptionSettings(f"{base}/service.wsdl"))
    assert problems == []
    assert described.services == (
        ReadService("tellOne", "http://10.0.0.7/secret", "v1"),
        ReadService("tellTwo", "http://10.0.0.7/secret"),
    )


async def test_an_openapi_document_tells_its_server_and_endpoints(base: str) -> None:
    (described,), problems = await read(
        DescriptionSettings(f"{base}/people.yaml", "OPENAPI3", "people")
    )
    assert problems == []
    assert described.read_url == "http://10.0.0.7:8000/secret/base"
    assert described.endpoints == ("GET /people", "GET /persons")


@pytest.mark.parametrize(
    ("name", "kind", "cause"),
    [
        ("nowhere", "WSDL", "http_error: "),
        ("tell.wsdl", "WSDL", "invalid_wsdl: The WSDL has no operation"),
        ("old.yaml", "OPENAPI3", "openapi_parsing_error: "),
    ],
)
async def test_one_that_cannot_be_read_stays_as_it_was(
    base: str, name: str, kind: Literal["WSDL", "OPENAPI3"], cause: str
) -> None:
    before = DescriptionSettings(f"{base}/{name}", kind, "code", endpoints=("GET /kept",))
    good = DescriptionSettings(f"{base}/service.wsdl")
    (described, other), problems = await read(before, good)
    assert described is before
    assert len(other.services) == 2
    (problem,) = problems
    assert problem.startswith(cause)


async def test_a_server_that_is_away_is_a_problem_like_others() -> None:
    (_,), problems = await read(DescriptionSettings("http://127.0.0.1:1/x.wsdl"))
    assert problems[0].startswith("network_error: ")
