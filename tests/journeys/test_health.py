"""A running server tells how it is: well, and then not, by what is taken from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from xgate.clock import SystemClock
from xgate.net.fetch import fetch
from xgate.sandbox.country import Country
from xgate.sandbox.lines import Lines
from xgate.sandbox.pair import run_in_process

if TYPE_CHECKING:
    from tests.journeys.conftest import Starter

CHANGES = {"[globalconf]": '[health]\nhost = "127.0.0.1"\nport = 0\n\n[globalconf]'}


async def readiness(lines: Lines) -> tuple[int, dict[str, dict[str, Any]]]:
    """Status and findings, by name."""
    serving = await lines.wait("serving")
    answer = await fetch(f"http://127.0.0.1:{serving['health']}/readyz")
    return answer.status, {check["name"]: check for check in json.loads(answer.body)["checks"]}


async def test_a_server_at_work_is_ready(start: Starter) -> None:
    async with start(changes=CHANGES) as started:
        status, checks = await readiness(started.running.consumer)

        assert status == 200
        assert all(check["ok"] for check in checks.values())
        assert checks["Message log"]["text"] == "writable"
        assert checks["Signing keys"]["text"] == "keys for 5 clients; their tokens sign"


async def test_a_server_without_ocsp_responses_is_not(found: Any) -> None:
    country: Country = found(CHANGES)  # its authorities do not run
    text = country.consumer.settings.read_text()
    kept = f'use = "disk"\ndirectory = "{country.verification}"'
    country.consumer.settings.write_text(text.replace('use = "http"', kept))
    lines = Lines()
    async with run_in_process(country.consumer, SystemClock(), lines):
        status, checks = await readiness(lines)

        assert status == 503
        assert {name for name, check in checks.items() if not check["ok"]} == {
            "Authentication key OCSP status",
            "Signing keys",
        }
        assert "no OCSP response" in checks["Authentication key OCSP status"]["text"]
