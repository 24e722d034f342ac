"""Versions of peers: semantic versions, strictly, in their order."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.proxy_version import PROXY_VERSION, check_version, speaks_old_codes

IN_ORDER = [
    "6.26.3",
    "7.0.0-0",
    "7.0.0-1",
    "7.0.0-2",
    "7.0.0-11",
    "7.0.0-SNAPSHOT",
    "7.0.0-SNAPSHOT.1",
    "7.0.0-SNAPSHOT-20240101abc",
    "7.0.0-alpha",
    "7.0.0",
    "7.6.0",
    "7.10.0",
]


@pytest.mark.parametrize(("older", "newer"), list(pairwise(IN_ORDER)))
def test_older_is_refused_and_newer_is_not(older: str, newer: str) -> None:
    check_version(newer, older)
    check_version(older, older)
    with pytest.raises(Fault, match=f"minimum supported version .*{newer} ") as refused:
        check_version(older, newer)
    assert refused.value.code == "client_proxy_version_not_supported"


def test_the_build_does_not_count() -> None:
    check_version("7.6.0+a.b-c", "7.6.0")


def test_ours_satisfies_estonia_and_finland() -> None:
    check_version(PROXY_VERSION, "7.6.0")


@pytest.mark.parametrize(
    "version",
    ["", "7", "7.6", "7.06.0", "v7.6.0", "7.6.0-", "7.6.0-01", "7.6.0 ", "1.2." + "9" * 300],
)
def test_what_is_no_version_can_not_be_compared(version: str) -> None:
    with pytest.raises(Fault, match="internal_error"):
        check_version(version, "7.6.0")


@pytest.mark.parametrize(
    ("version", "old"),
    [("7.7.1", True), ("6.26.3", True), ("7.8.0-SNAPSHOT", False), ("7.8.0", False), (None, False)],
)
def test_who_speaks_the_old_codes(version: str | None, old: bool) -> None:
    assert speaks_old_codes(version) is old
    assert not speaks_old_codes("seven")


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=300)
    | st.from_regex(r"[0-9]{1,12}\.[0-9]\.[0-9](-[0-9a-z.]*)?", fullmatch=True)
)
def test_whatever_a_peer_calls_itself_is_a_version_or_refused(version: str) -> None:
    code = ""
    try:
        check_version(version, "0.0.0-0")
        check_version(version, version)
    except Fault as fault:
        code = fault.code
    assert code in ("", "internal_error")
    assert not (code and speaks_old_codes(version))
