"""An authority of ours passes the real checks."""

from __future__ import annotations

from xgate.ids import ClientId
from xgate.testing.authority import NOW, Authority
from xgate.trust.seal import MESSAGE, seal_of
from xgate.trust.timestamp import verify_timestamp
from xgate.trust.verify import Evidence, verify_message

MEMBER = ClientId("XG", "COM", "777")


def test_what_it_vouches_for_is_proven() -> None:
    authority = Authority()
    signature = authority.sign(MESSAGE, b"message", authority.member(MEMBER))
    proven = verify_message(authority.trust, Evidence(signature), seal_of(b"message"), MEMBER, NOW)
    assert proven.signer == MEMBER


def test_what_it_stamps_existed_then() -> None:
    authority = Authority()
    stamp = verify_timestamp(authority.stamp(b"data"), b"data", authority.trust)
    assert stamp.gen_time == NOW
