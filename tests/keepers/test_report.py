"""What keepers tell of failures: words for those that have them, a trace for the others."""

from __future__ import annotations

from xgate.errors import Fault
from xgate.keepers.report import Report, cause_of
from xgate.net.errors import TimedOutError


def test_a_failure_with_a_name_is_told_in_its_words() -> None:
    assert cause_of(Fault("invalid_xml", "no root")) == "invalid_xml: no root"
    assert cause_of(TimedOutError("no answer in 3 s")) == "no answer in 3 s"
    assert "No such file" in cause_of(FileNotFoundError(2, "No such file"))


def test_a_failure_nobody_foresaw_is_told_with_its_place() -> None:
    nothing: dict[str, str] = {}
    try:
        nothing["missing"]
    except KeyError as error:
        said = cause_of(error)
    assert "KeyError: 'missing'" in said
    assert "test_report.py" in said


def test_a_report_is_any_call_of_this_form() -> None:
    seen: list[object] = []

    def tell(name: str, **fields: str | int | float | None) -> None:
        seen.append((name, fields))

    report: Report = tell
    report("event", number=1, text="x", nothing=None)
    assert seen == [("event", {"number": 1, "text": "x", "nothing": None})]
