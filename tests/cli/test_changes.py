"""What differs, line by line."""

from __future__ import annotations

from xgate.cli.changes import Change, change_line, changes_between


def test_what_is_new_gone_or_another_is_told_in_the_order_of_names() -> None:
    old = {"b": "1", "c": "", "d": "same"}
    new = {"a": "", "b": "2", "d": "same"}
    changes = changes_between(old, new)
    assert changes == (Change("a", None, ""), Change("b", "1", "2"), Change("c", "", None))
    assert [change_line(change) for change in changes] == ["+ a", "~ b: 1 -> 2", "- c"]
    assert change_line(Change("e", None, "5")) == "+ e: 5"
    assert change_line(Change("e", "5", None)) == "- e: 5"
    assert changes_between(old, old) == ()
