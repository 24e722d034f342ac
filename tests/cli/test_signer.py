"""``xgate signer``: keys in a process of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xgate.clock import SystemClock
from xgate.sandbox.country import found_country
from xgate.sandbox.places import Place
from xgate.signer.ask import ask_signer
from xgate.signer.protocol import Counted, Statistics

Run = Callable[..., Any]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = found_country(tmp_path, SystemClock().now(), kind="P-256").consumer
    text = place.settings.read_text()
    place.settings.write_text(text.replace("[keys]", '[keys]\nsigner = "run/signer.sock"'))
    return place


def test_it_signs_until_it_is_told_to_stop(place: Place) -> None:
    command = [sys.executable, "-m", "xgate", "signer", "--config", str(place.settings)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b'"event":"signing"' in process.stderr.readline()
        path = place.folder / "run" / "signer.sock"
        assert ask_signer(path, Statistics(1)) == Counted(1, {})
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not path.exists()


def test_settings_without_a_socket(xgate: Run, place: Place) -> None:
    text = place.settings.read_text()
    place.settings.write_text(text.replace('signer = "run/signer.sock"', ""))
    ran = xgate("signer", "--config", place.settings)
    assert (ran.code, ran.out) == (2, "")
    assert "[keys] needs signer" in ran.err


def test_a_key_store_that_does_not_open(xgate: Run, place: Place) -> None:
    (place.folder / "pin").write_text("wrong\n")
    ran = xgate("signer", "--config", place.settings)
    assert ran.code == 1
    assert ran.err.startswith("xgate: pin_incorrect: ")
