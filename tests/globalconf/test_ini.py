"""Small files of keys and values: what counts, what is passed over, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.ini import read_ini


def test_lines_of_keys_and_values_count_and_nothing_else() -> None:
    text = b"\xef\xbb\xbf[section]\r\na = 1\n; a = 2\n# a = 2\n! a = 2\n\nword\n  b=x=y  \na=3\n"
    assert read_ini(text, "code") == {"a": ["1", "3"], "b": ["x=y"]}


@pytest.mark.parametrize(
    ("octets", "cause"), [(b"a=\xff", "not UTF-8"), (b"a" * 65_537, "larger than 65536 octets")]
)
def test_what_is_no_text_is_refused(octets: bytes, cause: str) -> None:
    with pytest.raises(Fault, match=cause) as refused:
        read_ini(octets, "some_code")
    assert refused.value.code == "some_code"


@given(st.binary(max_size=100))
def test_anything_is_read_or_refused(octets: bytes) -> None:
    try:
        found = read_ini(octets, "code")
    except Fault:
        return
    assert all(values for values in found.values())
