"""Who asks how the server is, what they are told, and who may turn the switch."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import cast

import pytest

from xgate.net.fetch import Response, fetch
from xgate.net.server import Exchange
from xgate.securityserver.health import Finding, Health
from xgate.securityserver.health_door import answer_admin, answer_health
from xgate.securityserver.occupancy import (
    Connections,
    GateFilling,
    Occupancy,
    SpoolFilling,
    Strained,
)

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]
WELL = Finding("One", True, "fine")
ILL = Finding("Two", False, "Two is down")


FULL = Occupancy(
    gates={"callers": GateFilling(1, 2, 3, 4, 5, 6, {"exchanges": 7})},
    strain=Strained("", 0.0, 1.0, 0.0, 5.0),
    connections=Connections(8, 9, {}),
    spool=SpoolFilling(10, 11, {}),
)


class Found:
    """Health that finds what it is told."""

    def __init__(self, *findings: Finding) -> None:
        self.maintenance = False
        self.findings = findings
        self.looks = 0

    async def look(self) -> tuple[Finding, ...]:
        self.looks += 1
        return self.findings


class Doors:
    """Both doors of one server."""

    def __init__(self, health: Found, port: int, admin: int) -> None:
        self.health = health
        self._port = port
        self._admin = admin

    async def ask(self, path: str = "/", method: str = "GET") -> Response:
        return await fetch(f"http://127.0.0.1:{self._port}{path}", method=method)

    async def turn(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        url = f"http://127.0.0.1:{self._admin}{path}"
        return await fetch(url, headers=list((headers or {}).items()))


@pytest.fixture
async def doors(serve: Serve) -> Doors:
    found = Found(WELL)
    health = cast("Health", found)
    port = await serve(partial(answer_health, health=health, look=lambda: FULL))
    return Doors(found, port, await serve(partial(answer_admin, health=health)))


@pytest.mark.parametrize("path", ["/", "/any/path?x"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
async def test_a_well_server_answers_anything_with_nothing(
    doors: Doors, path: str, method: str
) -> None:
    answer = await doors.ask(path, method)
    assert (answer.status, answer.body) == (200, b"")


async def test_the_first_that_is_not_well_is_told(doors: Doors) -> None:
    doors.health.findings = (WELL, ILL, Finding("Three", False, "also"))
    answer = await doors.ask()
    assert (answer.status, answer.body) == (500, b"Two is down\n")


async def test_readiness_lists_everything(doors: Doors) -> None:
    ready = await doors.ask("/readyz")
    assert ready.status == 200
    assert json.loads(ready.body) == {
        "ready": True,
        "maintenance": False,
        "checks": [{"name": "One", "ok": True, "text": "fine"}],
    }
    doors.health.findings = (WELL, ILL)
    ill = await doors.ask("/readyz")
    assert (ill.status, json.loads(ill.body)["ready"]) == (503, False)


async def test_how_full_it_is_is_told_without_a_check(doors: Doors) -> None:
    doors.health.findings = (ILL,)
    answer = await doors.ask("/statistics?x")
    assert (answer.status, doors.health.looks) == (200, 0)
    told = json.loads(answer.body)
    assert told["gates"]["callers"]["refused"] == {"exchanges": 7}
    assert (told["connections"]["inside"], told["spool"]["most_octets"]) == (8, 11)


@pytest.mark.parametrize("path", ["/livez", "/startupz"])
async def test_being_alive_needs_no_check(doors: Doors, path: str) -> None:
    doors.health.findings = (ILL,)
    assert (await doors.ask(path)).status == 200
    assert doors.health.looks == 0


async def test_the_switch_takes_the_server_out_of_service_and_back(doors: Doors) -> None:
    said = await doors.turn("/maintenance?targetState=true")
    assert (said.status, said.body) == (200, b"Maintenance mode set: false => true\n")
    out = await doors.ask()
    text = b"Health check interface is in maintenance mode.\n"
    assert (out.status, out.body) == (503, text)
    assert (await doors.ask("/readyz")).status == 503
    assert (await doors.ask("/livez")).status == 200
    assert (await doors.turn("/maintenance")).body == b"true\n"
    back = await doors.turn("/maintenance?targetState=FALSE")
    assert back.body == b"Maintenance mode set: true => false\n"
    assert (await doors.ask()).status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/maintenance/", 404),
        ("/maintenance?targetState=maybe", 400),
        ("/maintenance?" + "a&" * 20, 400),
    ],
)
async def test_other_requests_turn_nothing(doors: Doors, path: str, status: int) -> None:
    assert (await doors.turn(path)).status == status
    assert not doors.health.maintenance


async def test_nobody_from_elsewhere_turns_the_switch(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Exchange, "peer_address", "192.0.2.1")
    assert (await doors.turn("/maintenance?targetState=true")).status == 403
    assert not doors.health.maintenance


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Referer": "https://evil.example/"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example:5566"},  # a name that leads here
        {"Host": "evil.example"},
    ],
)
async def test_no_page_in_a_browser_turns_the_switch(doors: Doors, headers: dict[str, str]) -> None:
    answer = await doors.turn("/maintenance?targetState=true", headers)
    assert answer.status == 403
    assert not doors.health.maintenance


@pytest.mark.parametrize(
    "headers", [{"Host": "localhost:5566"}, {"Host": "127.0.0.1"}, {"Sec-Fetch-Site": "none"}]
)
async def test_who_sits_at_the_machine_does(doors: Doors, headers: dict[str, str]) -> None:
    assert (await doors.turn("/maintenance?targetState=true", headers)).status == 200
    assert doors.health.maintenance
