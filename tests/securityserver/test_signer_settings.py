"""``[signer]``: who may use it."""

from __future__ import annotations

import msgspec

from xgate.securityserver.signer_settings import SignerSettings


def test_nobody_else_may_use_it_unless_named() -> None:
    assert SignerSettings().allow_users == ()
    named = msgspec.convert({"allow-users": ["xgate", "1001"]}, SignerSettings)
    assert named.allow_users == ("xgate", "1001")
