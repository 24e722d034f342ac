"""Kept parts give their octets to the log, up to what may be logged."""

from __future__ import annotations

import pytest

from xgate.errors import Fault
from xgate.messagelog.record import whole
from xgate.net.body import Spool
from xgate.securityserver.parts import KeptPart, octets_for_log
from xgate.wire.parts import PartBegin


def kept(octets: bytes) -> KeptPart:
    spool = Spool(limit=1 << 20, threshold=10)
    spool.write(octets)
    return KeptPart(PartBegin(1, "text/plain", ()), spool)


@pytest.mark.parametrize("octets", [b"", b"short", b"longer than the threshold"])
def test_the_octets_are_those_that_came(octets: bytes) -> None:
    assert whole(octets_for_log(kept(octets), 100)) == octets


def test_a_large_one_is_not_read_before_the_log_reads_it() -> None:
    part = kept(b"longer than the threshold")
    lent = octets_for_log(part, 100)
    part.spool.close()
    assert not isinstance(lent, bytes)
    assert whole(lent) == b"longer than the threshold"


def test_what_is_too_large_refuses_the_message() -> None:
    assert octets_for_log(kept(b"12345"), 5) == b"12345"
    with pytest.raises(Fault) as caught:
        octets_for_log(kept(b"123456"), 5)
    assert caught.value.code == "logging_failed"
    assert caught.value.text == "Message size exceeds maximum loggable size"


@pytest.mark.parametrize("most", [0, 1, 12, 65_537])
def test_what_is_too_large_may_be_cut(most: int) -> None:
    octets = bytes(range(256)) * 1000
    assert whole(octets_for_log(kept(octets), most, truncate=True)) == octets[:most]
    assert octets_for_log(kept(b"short"), 5, truncate=True) == b"short"
