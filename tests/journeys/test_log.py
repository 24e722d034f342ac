"""``xgate log`` beside servers that run: what was exchanged is found, exported and proven."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from xgate.cli import main
from xgate.sandbox.country import CONSUMER, PROVIDER

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

Run = Callable[..., Any]


@pytest.fixture
def xgate_log(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``xgate log ... --json``; its exit code and its object."""

    def run(*arguments: object) -> tuple[object, Any]:
        with pytest.raises(SystemExit) as ended:
            main(["log", *map(str, arguments), "--json"])
        return ended.value.code, json.loads(capsys.readouterr().out)

    return run


async def test_an_exchange_is_found_at_both_servers_by_all_that_is_known_of_it(
    caller: Caller, xgate_log: Run
) -> None:
    reply = await caller.rest("POST", "/echo", [("X-Road-Id", "to find")], b"body")
    await caller.prove("to find")
    request_id = reply.header("x-road-request-id")
    service = f"{PROVIDER.short}/rest"
    for place, owner in zip(caller.country.places, (CONSUMER, PROVIDER), strict=True):
        _, said = xgate_log(
            "search", "--config", place.settings, "--request-id", request_id, "--service", service
        )
        assert [row["direction"] for row in said["records"]] == ["request", "response"]
        assert {row["owner"] for row in said["records"]} == {owner.short}
        assert {row["client"] for row in said["records"]} == {CONSUMER.short}
        assert all(row["stamped"] for row in said["records"])
        code, shown = xgate_log("show", said["records"][0]["number"], "--config", place.settings)
        assert (code, shown["attachments"]) == (0, [4])


async def test_what_failed_at_the_service_is_found_as_such(caller: Caller, xgate_log: Run) -> None:
    await caller.rest("GET", "/echo", [("X-Road-Id", "teapot"), ("X-Answer-With", "418")])
    config = caller.country.consumer.settings
    _, said = xgate_log("search", "--config", config, "--failed", "--id", "teapot")
    assert [row["direction"] for row in said["records"]] == ["response"]


async def test_all_that_is_stored_verifies_while_the_server_runs(
    caller: Caller, xgate_log: Run, tmp_path: Path
) -> None:
    for number in range(3):
        await caller.soap("tell", f"verify {number}")
        await caller.prove(f"verify {number}")
    for place in caller.country.places:
        code, said = xgate_log("verify", "--config", place.settings)
        assert (code, said["invalid"], said["failures"]) == (0, 0, [])
        assert said["valid"] >= 6
        code, said = xgate_log("verify", "--config", place.settings, "--sample", 2)
        assert said["valid"] + said["unstamped"] == 2
        code, said = xgate_log(
            "export", tmp_path / place.folder.name, "--config", place.settings, "--id", "verify 1"
        )
        assert (code, said["containers"]) == (0, 2)


async def test_stats_count_what_went_through(caller: Caller, xgate_log: Run) -> None:
    before = xgate_log("stats", "--config", caller.country.consumer.settings)[1]
    await caller.rest("GET", "/echo", [("X-Road-Id", "counted")])
    after = xgate_log("stats", "--config", caller.country.consumer.settings)[1]
    assert after["log"]["records"] == before["log"]["records"] + 2
    assert after["by_owner"][CONSUMER.short] == before["by_owner"].get(CONSUMER.short, 0) + 2
