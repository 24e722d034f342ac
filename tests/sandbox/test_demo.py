"""The demo's tale: every step is told in order, and what it says is what was done."""

from __future__ import annotations

import re
from pathlib import Path

from xgate.clock import SystemClock
from xgate.sandbox.demo import run_demo
from xgate.trust.asic import read_container


def logged_messages(folder: Path) -> list[bytes]:
    return [read_container(path.read_bytes()).message for path in folder.rglob("*.asice")]


async def test_the_tale_is_told_step_by_step_and_true(tmp_path: Path) -> None:
    tale: list[str] = []
    result = await run_demo(tmp_path, SystemClock(), tale.append)
    steps = [line for line in tale if re.match(r"\d\. ", line)]
    assert [line[0] for line in steps] == list("12345678")
    assert result.ok
    told = [int(n) for line in tale for n in re.findall(r"(\d+) containers verified", line)]
    assert sum(told) == result.asic_verified
    messages = logged_messages(tmp_path)
    rest = [m for m in messages if m.startswith((b"GET\r\n", b"POST\r\n"))]
    assert len(rest) == 2 * result.rest + result.refused
    assert sum(m.startswith(b"<?xml") and b"<p:getRandom" in m for m in messages) == 2 * result.soap
    assert tale[-1].startswith("Done in ")
