"""Certificate requests of keys on any token: remembered by their fields, signed when wanted.

The rule: the registry keeps what a request says, not its octets; each time somebody wants it, the
key signs it anew, so its token must be logged in (signer 8).
"""

from __future__ import annotations

import secrets

import msgspec

from xgate.algorithms import SIGNATURES, Digest, signature_uri
from xgate.errors import Fault
from xgate.signer.entries import KeyEntry, StoredRequest, Usage
from xgate.signer.token import SigningToken, SignJob
from xgate.trust.certificate_request import write_request, write_request_info
from xgate.trust.profile_fields import write_subject

__all__ = ["find_request", "make_request", "remember_request"]


def remember_request(entry: KeyEntry, usage: Usage, request: StoredRequest) -> KeyEntry:
    """The key's entry with this request; a like one is there once (signer 8).

    :raises Fault: ``wrong_cert_usage``: the key is for the other use.
    """
    if entry.usage not in (None, usage):
        raise Fault(
            "wrong_cert_usage", f"Key '{entry.id}' is for {entry.usage}, so not for {usage}"
        )
    if find_request(entry, request) is not None:
        return entry
    if not request.id:
        request = msgspec.structs.replace(request, id=secrets.token_hex(20).upper())
    return msgspec.structs.replace(entry, usage=usage, requests=(*entry.requests, request))


def find_request(entry: KeyEntry, request: StoredRequest) -> StoredRequest | None:
    """The key's request that says the same, whatever its id."""
    for known in entry.requests:
        if (known.member, _folded(known)) == (request.member, _folded(request)):
            return known
    return None


def make_request(
    token: SigningToken, entry: KeyEntry, request: StoredRequest, digest: Digest
) -> bytes:
    """The request in DER, signed now.

    :raises Fault: ``token_not_active``, ``key_not_found`` or what the token refuses by.
    """
    key = next((key for key in token.keys() if key.id == entry.id), None)
    if key is None:
        raise Fault(
            "token_not_active",
            f"Key '{entry.id}' cannot sign now: its token '{token.id}' is not logged in",
        )
    if entry.usage is None:
        raise Fault("wrong_cert_usage", f"Key '{entry.id}' has no use yet")
    subject = write_subject(request.subject)
    info = write_request_info(subject, key.public_key, entry.usage, request.alternative)
    algorithm = SIGNATURES[signature_uri(key.kind, digest)]
    (value,) = token.sign([SignJob(key.id, algorithm, digest.of(info))])
    if isinstance(value, Fault):
        raise value
    return write_request(info, key.kind, digest, value)


def _folded(request: StoredRequest) -> tuple[tuple[str, str], ...]:
    return tuple((name, value.casefold()) for name, value in request.subject)
