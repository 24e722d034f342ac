"""The log: one JSON object a line, whatever is in it."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xgate.errors import Fault
from xgate.ids import ClientId, ServiceId
from xgate.securityserver.journal import Journal, write_to_stderr
from xgate.securityserver.note import Note
from xgate.testing.clock import FakeClock
from xgate.wire.rest import read_rest_call


@pytest.fixture
def lines() -> list[bytes]:
    return []


@pytest.fixture
def journal(lines: list[bytes]) -> Journal:
    return Journal(FakeClock(), lines.append)


def only(lines: list[bytes]) -> dict[str, Any]:
    (line,) = lines
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    value: dict[str, Any] = json.loads(line)
    return value


def test_statistics_tell_what_was_counted_since_the_start(
    journal: Journal, lines: list[bytes]
) -> None:
    audit, loop = {"records": 9, "failed": 1}, {"longest_ms": 2.5}
    journal.statistics({1: 3, 32: 2}, {7: 1}, audit, loop, {"spool": {"octets": 5}})
    line = only(lines)
    assert line["event"] == "statistics"
    assert line["signatures"] == {"1": 3, "32": 2}
    assert line["commits"] == {"7": 1}
    assert line["audit"] == {"records": 9, "failed": 1}
    assert line["loop"] == {"longest_ms": 2.5}
    assert line["spool"] == {"octets": 5}


def test_an_event_says_when_and_what(journal: Journal, lines: list[bytes]) -> None:
    journal.event("serving", port=80, nothing=None)
    line = only(lines)
    assert line["event"] == "serving"
    assert line["port"] == 80
    assert "nothing" not in line
    assert line["time"].endswith("+00:00")


def test_what_comes_from_outside_cannot_forge_a_line(journal: Journal, lines: list[bytes]) -> None:
    note = Note("client", FakeClock())
    note.id = 'x"}\n{"event":"forged"}'
    journal.exchange(note, None)
    assert only(lines)["id"] == note.id


def test_an_exchange_tells_who_what_and_how_long(lines: list[bytes]) -> None:
    clock = FakeClock()
    journal = Journal(clock, lines.append)
    note = Note("server", clock)
    request = read_rest_call(
        "GET",
        "/r1/A/B/C/D/svc/x",
        [("Host", "h"), ("X-Road-Client", ClientId("A", "B", "E", "F").url), ("X-Road-Id", "q")],
        request_id="r",
        fresh_id="f",
    )
    note.describe(request, "r")
    clock.advance(0.25)
    journal.exchange(note, Fault("server.serverproxy.access_denied", "no", detail="uuid"))
    line = only(lines)
    assert (line["side"], line["protocol"], line["ms"]) == ("server", "REST", 250.0)
    assert (line["client"], line["service"]) == ("A/B/E/F", "A/B/C/D/svc")
    assert (line["id"], line["request_id"]) == ("q", "r")
    assert (line["outcome"], line["code"]) == ("fault", "server.serverproxy.access_denied")
    assert (line["text"], line["detail"]) == ("no", "uuid")


@pytest.mark.parametrize("code", ["a/b", "a%b", "a:b;", "a\\b", "a\u200bb", "a\x01", "\ufeffa"])
def test_parts_of_identifiers_that_are_better_avoided_are_told(
    journal: Journal, lines: list[bytes], code: str
) -> None:
    headers = [("Host", "h"), ("X-Road-Client", ClientId("A", "B", "E").url)]
    request = read_rest_call("GET", "/r1/A/B/C/D/s.v-c", headers, request_id="r", fresh_id="f")
    odd = ServiceId(ClientId("A", "B", "Õ", code), code)
    for service in (request.service, odd):
        note = Note("client", FakeClock())
        note.describe(msgspec.structs.replace(request, service=service), "r")
        journal.exchange(note, None)
    usual, told = map(json.loads, lines)
    assert "odd" not in usual
    assert told["odd"] == f"{code} {code}"


def test_a_good_exchange_has_no_code(journal: Journal, lines: list[bytes]) -> None:
    journal.exchange(Note("client", FakeClock()), None)
    line = only(lines)
    assert line["outcome"] == "ok"
    assert "code" not in line


def test_a_crash_keeps_its_trace_here(journal: Journal, lines: list[bytes]) -> None:
    try:
        raise KeyError("inside")
    except KeyError as error:
        journal.crash(error, "uuid")
    line = only(lines)
    assert line["detail"] == "uuid"
    assert "KeyError: 'inside'" in line["trace"]


def test_standard_error_gets_the_line_at_once(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_to_stderr(b"line\n")
    assert capfdbinary.readouterr().err == b"line\n"


def test_a_line_that_cannot_be_written_stops_nothing_and_is_told_of() -> None:
    lines: list[bytes] = []
    room = False

    def write(line: bytes) -> None:
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        lines.append(line)

    journal = Journal(FakeClock(), write)
    journal.event("lost")
    journal.exchange(Note("client", FakeClock()), None)
    assert lines == []
    room = True
    journal.event("kept")
    journal.event("kept as well")
    told, kept, last = (json.loads(line) for line in lines)
    assert (told["event"], told["lines"]) == ("lines lost", 2)
    assert (kept["event"], last["event"]) == ("kept", "kept as well")


def test_half_a_line_spoils_none_that_comes_after_it(tmp_path: Path) -> None:
    script = (
        "import resource\n"
        "from xgate.clock import SystemClock\n"
        "from xgate.securityserver.journal import Journal\n"
        "journal = Journal(SystemClock())\n"
        "for limit in (30, resource.RLIM_INFINITY):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "    journal.event('thing')\n"
    )
    log = tmp_path / "log"
    with log.open("wb") as sink:
        subprocess.run([sys.executable, "-c", script], check=True, stderr=sink)
    half, told, whole = log.read_bytes().splitlines()
    assert len(half) == 30
    assert json.loads(told)["lines"] == 1
    assert json.loads(whole)["event"] == "thing"
