"""A process that was hardened, as the kernel tells of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from xgate.signer.hardening import Hardened, harden_process, wiped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked")

_ASK = """
import json, sys
from pathlib import Path
from xgate.signer.hardening import harden_process
if sys.argv[1] == "unprivileged":
    import os
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
done = harden_process(lock=sys.argv[2] == "lock")
kept = [bytearray(1 << 20) for _ in range(8)]
said = {}
for line in Path("/proc/self/status").read_text().splitlines():
    name, value = line.split(":", 1)
    said[name] = value.split()[0] if value.split() else ""
core = [l.split() for l in Path("/proc/self/limits").read_text().splitlines() if "core" in l][0]
print(json.dumps({"dumps": done.dumps, "swap": done.swap, "core": core[4:6],
    "locked": int(said["VmLck"])}), flush=True)
sys.stdin.read()
"""


@contextmanager
def hardened(who: str = "as we are", lock: str = "lock") -> Iterator[tuple[dict[str, Any], int]]:
    """What a process that was hardened says of itself, and its id."""
    command = [sys.executable, "-c", _ASK, who, lock]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()), process.pid


def test_no_core_dump_and_no_swap() -> None:
    with hardened() as (said, _):
        assert said["dumps"] is None
        assert said["core"] == ["0", "0"]
        if said["swap"] is None:  # root here, or a limit that is none
            assert said["locked"] > 8 << 10  # more than the eight buffers
        else:
            assert "LimitMEMLOCK=infinity" in said["swap"]
            assert said["locked"] == 0


def test_what_holds_no_keys_is_not_locked() -> None:
    with hardened(lock="no") as (said, _):
        assert (said["swap"], said["locked"], said["dumps"]) == (None, 0, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
def test_nobody_else_may_look_into_its_memory() -> None:
    look = (
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "open(f'/proc/{sys.argv[1]}/mem', 'rb')"
    )
    with hardened("unprivileged") as (said, pid):
        assert said["swap"] is None or "LimitMEMLOCK=infinity" in said["swap"]
        command = [sys.executable, "-c", look, str(pid)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "PermissionError" in ran.stderr


def test_a_crash_leaves_no_picture() -> None:
    with hardened() as (_, pid):
        os.kill(pid, signal.SIGABRT)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    assert ended.si_code == os.CLD_KILLED  # CLD_DUMPED if there were one


def test_a_buffer_is_wiped_however_its_block_ends() -> None:
    with wiped(8) as buffer:
        buffer[:] = b"Secret12"
    assert buffer == bytes(8)
    with pytest.raises(ValueError, match=r"assignment|size"), wiped(8) as buffer:
        memoryview(buffer)[:] = b"too long for it"
    assert buffer == bytes(8)


def test_another_platform_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    assert harden_process() == Hardened("plan9 has no such switch", "plan9 has no such switch")
