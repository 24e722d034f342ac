"""The process that encrypts: its task comes whole by its standard input, or it fails."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xgate.messagelog.openpgp_child import Task, write_task

pysequoia = pytest.importorskip("pysequoia")


def task_of(key: Any) -> bytes:
    pipe = io.BytesIO()
    write_task(pipe, Task([bytes(key.extract_certificate())], bytes(key), None))
    return pipe.getvalue()


def child(output: Path, octets: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "xgate.messagelog.openpgp_child", str(output)],
        input=octets,
        capture_output=True,
        check=False,
    )


def test_what_follows_the_task_is_encrypted_and_signed(tmp_path: Path) -> None:
    key = pysequoia.Tsk.generate("somebody")
    content = bytes(range(256)) * 1000
    done = child(tmp_path / "out", task_of(key) + content)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"")
    opened = pysequoia.decrypt(
        (tmp_path / "out").read_bytes(),
        decryptor=key.decryptor(),
        store=lambda _: [key.extract_certificate()],
    )
    assert opened.bytes == content
    assert len(opened.valid_sigs) == 1


@pytest.mark.parametrize(
    "octets", [b"", b"\0" * 7, b"\xff" * 8, b"\0" * 7 + b"\x05{}", b"\0" * 7 + b"\x02{}"]
)
def test_half_a_task_or_none_is_an_error_in_one_line(tmp_path: Path, octets: bytes) -> None:
    done = child(tmp_path / "out", octets)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert not (tmp_path / "out").exists()
