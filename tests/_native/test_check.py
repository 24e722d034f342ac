"""A native error code becomes the other party's fault or our own mistake, never the wrong one."""

from __future__ import annotations

import pytest
from xgate._native._xg import lib

from xgate._native.check import check
from xgate.errors import Fault


def test_no_error_says_nothing() -> None:
    check(lib.XG_OK, "invalid_xml", "XML document")


@pytest.mark.parametrize(
    ("err", "words"),
    [
        (lib.XG_E_SYNTAX, "not what it claims to be"),
        (lib.XG_E_LIMIT, "too long, too deep or too many"),
        (lib.XG_E_NOT_FOUND, "not there"),
        (lib.XG_E_UNSUPPORTED, "not supported"),
    ],
)
def test_what_the_input_causes_is_a_fault(err: int, words: str) -> None:
    with pytest.raises(Fault) as caught:
        check(err, "invalid_hash_chain", "hash chain")
    assert (caught.value.code, caught.value.text) == ("invalid_hash_chain", f"hash chain: {words}")


def test_the_cause_is_told_where_it_is_known() -> None:
    with pytest.raises(Fault, match="XML document: a DOCTYPE, at octet 0"):
        check(lib.XG_E_UNSUPPORTED, "invalid_xml", "XML document", "a DOCTYPE, at octet 0")


def test_our_own_mistakes_are_not_the_other_partys() -> None:
    with pytest.raises(MemoryError):
        check(lib.XG_E_MEMORY, "invalid_xml", "XML document")
    with pytest.raises(ValueError, match="xg_err 2"):
        check(lib.XG_E_ARGUMENT, "invalid_xml", "XML document")
    with pytest.raises(ValueError, match="xg_err 99"):
        check(99, "invalid_xml", "XML document")
