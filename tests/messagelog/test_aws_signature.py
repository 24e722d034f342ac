"""Signatures of requests: AWS's own published example, and what must change them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.messagelog.aws_signature import AccessKey, encode_path, sign_request

KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
AT = datetime(2013, 5, 24, tzinfo=UTC)


def signed(**changed: Any) -> dict[str, str]:
    """AWS's example of a PUT ("Welcome to Amazon S3." as test$file.text)."""
    fields: dict[str, Any] = {
        "method": "PUT",
        "host": "examplebucket.s3.amazonaws.com",
        "path": encode_path("/test$file.text"),
        "headers": [
            ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ],
        "body_sha256": hashlib.sha256(b"Welcome to Amazon S3.").hexdigest(),
        "at": AT,
        **changed,
    }
    key, region = fields.pop("key", KEY), fields.pop("region", "us-east-1")
    return dict(sign_request(key, region, **fields))


def test_the_published_example_is_reproduced() -> None:
    assert signed()["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, "
        "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )
    assert signed()["X-Amz-Date"] == "20130524T000000Z"


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "GET"},
        {"host": "other"},
        {"path": "/other"},
        {"headers": []},
        {"body_sha256": "0" * 64},
        {"at": AT + timedelta(seconds=1)},
        {"region": "eu-north-1"},
        {"key": AccessKey(KEY.key_id, "other")},
        {"key": AccessKey(KEY.key_id, KEY.secret, "token")},
    ],
)
def test_all_that_is_asked_for_is_signed(changed: dict[str, Any]) -> None:
    assert signed(**changed)["Authorization"] != signed()["Authorization"]


def test_times_are_in_utc_and_keys_lent_for_a_time_bring_their_token() -> None:
    local = AT.astimezone(timezone(timedelta(hours=5)))
    assert signed(at=local) == signed()
    lent = signed(key=AccessKey(KEY.key_id, KEY.secret, "token"))
    assert lent["X-Amz-Security-Token"] == "token"
    assert "x-amz-security-token" in lent["Authorization"]


def test_a_secret_does_not_show() -> None:
    assert KEY.secret not in repr(KEY)
    assert KEY.secret not in f"{KEY}"


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=100, deadline=None)
def test_a_path_is_plain_ascii_and_means_the_same(path: str) -> None:
    encoded = encode_path(path)
    assert encoded.isascii()
    assert unquote(encoded) == path
    assert not set(encoded) & set(" ?#&+\"'")
