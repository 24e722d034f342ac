"""``xgate doctor`` as people and scripts run it."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.doctor.conftest import Patient

from xgate.cli.doctor.table import TABLE
from xgate.globalconf.anchor import Anchor, AnchorSource, read_anchor
from xgate.globalconf.generate import write_anchor

Run = Callable[..., Any]


def test_all_is_well_beside_a_running_server(patient: Patient) -> None:
    ran = patient.told()
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[-1].startswith("Nothing is broken")
    assert [line for line in lines if line.startswith("BROKEN")] == []
    names = list(dict.fromkeys(line.split()[1] for line in lines[:-2] if line[0] != " "))
    assert names == [check.name for check in TABLE]


def test_a_script_gets_one_object(patient: Patient) -> None:
    ran = patient.examine()
    assert (ran.code, ran.report["ok"], ran.report["first_broken"]) == (0, True, None)
    assert ran.report["config"] == str(patient.settings)
    assert {finding["check"] for finding in ran.report["findings"]} == {c.name for c in TABLE}


def test_the_last_line_says_it_all(patient: Patient) -> None:
    patient.running.authority.away.add("tsa")
    ran = patient.told()
    assert ran.code == 1
    url = f"http://127.0.0.1:{patient.country.ports.authority}/tsa"
    assert ran.out.splitlines()[-1] == (
        f"The first broken link is timestamping ({url}): it does not answer: "
        "the answer is 503 Service Unavailable. "
        f"Check that this machine may reach {url} (name, firewall), and that it runs."
    )
    assert f"BROKEN   timestamping   {url}: it does not answer" in ran.out


def test_no_settings_file(xgate: Run, tmp_path: Path) -> None:
    ran = xgate("doctor", "--config", tmp_path / "none.toml")
    assert (ran.code, ran.out) == (2, "")
    assert "There is no settings file" in ran.err


def test_a_name_that_is_no_check(patient: Patient) -> None:
    ran = patient.told("--only", "certificate")
    assert (ran.code, ran.out) == (2, "")
    assert "There is no check 'certificate'; did you mean 'certificates'?" in ran.err


def test_only_and_skip(patient: Patient) -> None:
    ran = patient.examine("--only", "keys", "--only", "disk")
    assert {f["check"] for f in ran.report["findings"]} == {"keys", "disk"}
    ran = patient.examine("--skip", "ocsp", "--skip", "timestamping")
    assert ran.of("ocsp") == ran.of("timestamping") == []
    assert ran.of("peers")[0]["because"] == "ocsp"
    assert ran.code == 0


def test_no_secret_is_told(patient: Patient) -> None:
    pin = patient.pin
    assert pin not in patient.examine().out
    assert pin not in patient.told().out


def test_whoever_waits_at_a_terminal_for_an_object_sees_it_coming(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    ran = patient.told("--json", "--only", "keys", "--only", "disk")
    assert ran.err == "xgate: keys: ok\nxgate: disk: ok\n"
    assert json.loads(ran.out)["ok"] is True


def test_there_is_an_end_even_if_nobody_answers(patient: Patient) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.9", 0))
        silent.listen()
        anchor = read_anchor(patient.anchor.read_bytes())
        url = f"http://127.0.0.9:{silent.getsockname()[1]}/internalconf"
        source = AnchorSource(url, anchor.sources[0].certificates)
        patient.anchor.write_bytes(write_anchor(Anchor("XG", (source,))))
        patient.forget_configuration()
        began = time.monotonic()
        ran = patient.examine("--timeout", 2)
    assert time.monotonic() - began < 10
    check, observed, fix = ran.link
    assert (check, fix) == ("configuration", "Run it alone: --only configuration.")
    assert observed.startswith("not done in time")
    assert ran.states("disk") == {"ok"}
