"""Random names of a server's making."""

from __future__ import annotations

import string
import uuid

from xgate.securityserver.server import new_token, new_uuid


def test_a_token_is_thirty_letters_and_never_the_same() -> None:
    tokens = [new_token() for _ in range(200)]
    assert {len(token) for token in tokens} == {30}
    assert set("".join(tokens)) == set(string.ascii_letters)
    assert len(set(tokens)) == 200


def test_an_id_is_a_random_uuid() -> None:
    assert uuid.UUID(new_uuid()).version == 4
    assert new_uuid() != new_uuid()
