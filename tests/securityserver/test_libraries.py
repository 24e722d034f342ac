"""Libraries that speak up: each gets a line of JSON, and only while the server runs."""

from __future__ import annotations

import gc
import json
import logging
import sys

from xgate.clock import SystemClock
from xgate.securityserver.journal import Journal
from xgate.securityserver.libraries import libraries_into

LIBRARY = logging.getLogger("a.library")


class Thrown:
    """An object that cannot even be thrown away."""

    def __del__(self) -> None:
        raise RuntimeError("flush failed")


def test_a_library_s_warning_is_a_line() -> None:
    lines: list[bytes] = []
    with libraries_into(Journal(SystemClock(), lines.append)):
        LIBRARY.info("nothing")
        LIBRARY.warning("error ignored in %s:\n%s", "rollback", '{"event"')
        unfit = {"name": "a.library", "levelno": logging.ERROR, "msg": "what %s", "args": (1, 2)}
        logging.getLogger().handlers[-1].handle(logging.makeLogRecord(unfit))
    LIBRARY.warning("too late")
    said = [json.loads(line) for line in lines]
    assert [(one["event"], one["library"], one["text"]) for one in said] == [
        ("library", "a.library", 'error ignored in rollback:\n{"event"'),
        ("library", "a.library", "what %s"),
    ]


def test_the_trace_of_a_defect_is_told_with_it() -> None:
    lines: list[bytes] = []
    with libraries_into(Journal(SystemClock(), lines.append)):
        try:
            raise RuntimeError("a defect")
        except RuntimeError:
            LIBRARY.exception("the exchange ended")
        LIBRARY.warning("by the way")
    defect, other = map(json.loads, lines)
    assert defect["text"] == "the exchange ended"
    assert "RuntimeError: a defect" in defect["trace"]
    assert "trace" not in other


def test_an_error_that_nobody_is_told_of_is_a_line() -> None:
    lines: list[bytes] = []
    before = sys.unraisablehook
    with libraries_into(Journal(SystemClock(), lines.append)):
        Thrown()
        gc.collect()
    assert sys.unraisablehook is before
    (said,) = map(json.loads, lines)
    assert said["event"] == "error ignored"
    assert "RuntimeError: flush failed" in said["trace"]
