"""AWS Signature Version 4: how requests to S3-compatible stores are authorised.

The rule: a pure function of the request, the keys and the time; the body is named by its SHA-256,
so a request cannot be used for another body, nor for longer than some minutes. Source: AWS "Signing
requests with Signature Version 4"; S3 encodes a path once only.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

__all__ = ["AccessKey", "encode_path", "sign_request"]

_ALGORITHM = "AWS4-HMAC-SHA256"


class AccessKey(msgspec.Struct, frozen=True):
    """Who asks: key id, secret, and the token that comes with keys lent for a time."""

    key_id: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        return f"AccessKey({self.key_id!r})"


def encode_path(path: str) -> str:
    """A path as it is sent and as it is signed: the same, so it cannot be read in two ways."""
    return quote(path, safe="/-_.~")


def sign_request(
    key: AccessKey,
    region: str,
    *,
    method: str,
    host: str,
    path: str,
    headers: Sequence[tuple[str, str]],
    body_sha256: str,
    at: datetime,
) -> list[tuple[str, str]]:
    """All headers of the signed request, ``Host`` among them.

    :param host: as in the Host header. :param path: encoded, without a query.
    :param headers: further ones, all of which are signed. :param body_sha256: lower-case hex.
    :param at: aware.
    """
    moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    every = [
        ("Host", host),
        *headers,
        ("X-Amz-Content-Sha256", body_sha256),
        ("X-Amz-Date", moment),
    ]
    if key.token:
        every.append(("X-Amz-Security-Token", key.token))
    ordered = sorted((name.lower(), " ".join(value.split())) for name, value in every)
    names = ";".join(name for name, _ in ordered)
    lines = "".join(f"{name}:{value}\n" for name, value in ordered)
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{body_sha256}"
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = _hmac(_day_key(key, scope), f"{_ALGORITHM}\n{moment}\n{scope}\n{digest}").hex()
    authorization = (
        f"{_ALGORITHM} Credential={key.key_id}/{scope}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    return [*every, ("Authorization", authorization)]


def _day_key(key: AccessKey, scope: str) -> bytes:
    """The key that is good for one day, one region and this service only."""
    made = f"AWS4{key.secret}".encode()
    for piece in scope.split("/"):
        made = _hmac(made, piece)
    return made


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
