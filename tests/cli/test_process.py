"""What commands that run until told to stop have in common."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from xgate.cli.output import Unusable
from xgate.cli.process import pass_over_modules, read_settings, run_until_told
from xgate.clock import Clock
from xgate.net.drain import Drain
from xgate.net.errors import ConnectError
from xgate.securityserver.journal import Journal
from xgate.securityserver.settings import Settings
from xgate.signer.hardening import Hardened

DONE = Hardened(None, "no such switch")
SETTINGS = Settings("XG/COM/1/S")


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """The garbage collector looks at everything again: this process goes on."""
    yield
    gc.unfreeze()


async def until_drained(_: Settings, __: Path, ___: Clock, ____: Journal, drain: Drain) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await drain.wait()


async def deaf(_: Settings, __: Path, ___: Clock, ____: Journal, drain: Drain) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    await drain.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await trio.sleep_forever()


async def unusable(_: Settings, __: Path, ___: Clock, ____: Journal, drain: Drain) -> None:
    raise ConnectError("cannot listen on a port")


def test_the_first_signal_drains(tmp_path: Path) -> None:
    assert run_until_told(until_drained, SETTINGS, tmp_path / "xgate.toml", DONE) == 0


def test_the_second_signal_stops_at_once(tmp_path: Path) -> None:
    assert run_until_told(deaf, SETTINGS, tmp_path / "xgate.toml", DONE) == 0


def test_what_cannot_be_used_is_the_command_lines_fault(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="cannot listen on a port"):
        run_until_told(unusable, SETTINGS, tmp_path / "xgate.toml", DONE)


def test_what_could_not_be_done_for_the_keys_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_until_told(until_drained, SETTINGS, tmp_path / "xgate.toml", DONE)
    (line,) = map(json.loads, capfd.readouterr().err.splitlines())
    assert (line["event"], line["swap"]) == ("keys less protected", "no such switch")
    run_until_told(until_drained, SETTINGS, tmp_path / "xgate.toml", Hardened(None, None))
    assert capfd.readouterr().err == ""


def test_settings_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="No such file"):
        read_settings(tmp_path / "none.toml")


class Knot:
    """Nothing but itself refers to it."""

    def __init__(self) -> None:
        self.own = self


def test_what_is_there_by_then_is_not_collected_and_what_comes_later_is() -> None:
    before, early = gc.get_freeze_count(), weakref.ref(Knot())
    pass_over_modules()
    assert gc.get_freeze_count() - before > 10_000
    late = weakref.ref(Knot())
    gc.collect()
    assert (early() is None, late()) == (False, None)


def test_large_blocks_go_back_when_they_are_free() -> None:
    """Also one below a block that is still in use, which glibc would keep by itself."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from xgate.cli.process import give_memory_back\n"
        "if sys.argv[1] == 'back': give_memory_back()\n"
        "def resident(): return int(Path('/proc/self/statm').read_text().split()[1]) // 256\n"
        "large = bytearray(b'x' * (25 << 20))\n"
        "del large\n"
        "large, above = bytearray(b'x' * (24 << 20)), [bytes(5000) for _ in range(900)]\n"
        "before = resident()\n"
        "del large\n"
        "print(before - resident())"
    )
    command = [sys.executable, "-c", code]
    kept, back = (
        int(subprocess.run([*command, how], capture_output=True, check=True).stdout)
        for how in ("kept", "back")
    )
    assert back >= 23
    assert kept <= back
