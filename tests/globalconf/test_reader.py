"""The process that reads: a snapshot from one open file to another, or a refusal in JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from xgate.globalconf.generate import write_shared
from xgate.globalconf.mapped import map_parameters
from xgate.globalconf.reader import main
from xgate.globalconf.shared import SharedParameters
from xgate.globalconf.snapshot import Snapshot


def run(octets: bytes) -> tuple[subprocess.CompletedProcess[bytes], int]:
    given, out = (os.memfd_create("test", os.MFD_CLOEXEC) for _ in range(2))
    os.write(given, octets)
    command = [sys.executable, "-m", main.__module__, str(given), str(out)]
    done = subprocess.run(command, pass_fds=(given, out), capture_output=True, check=False)
    os.close(given)
    return done, out


def test_a_file_becomes_a_snapshot(country: SharedParameters) -> None:
    done, out = run(write_shared(country))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    snapshot = Snapshot(out)
    os.close(out)
    assert map_parameters(snapshot).members == country.members
    assert snapshot == write_shared(country)


@pytest.mark.parametrize("octets", [b"", b"<conf/>", b"<!DOCTYPE conf []><conf/>"])
def test_a_file_that_makes_no_sense_is_refused(octets: bytes) -> None:
    done, out = run(octets)
    assert os.fstat(out).st_size == 0
    os.close(out)
    assert (done.returncode, done.stderr) == (1, b"")
    code, text = json.loads(done.stdout)
    assert code == "malformed_global_conf"
    assert text.startswith("shared parameters: ")
