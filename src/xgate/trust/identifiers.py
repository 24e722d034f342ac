"""ASN.1 algorithm identifiers: which digest or signature they mean, and whether a signature holds.

The rule: an identifier is looked up in the tables here or it does not exist; MD5 and keys below
1024 bits RSA or 224 bits EC are not in them (ocsp-tls-certs 5.2). SHA-1 is, because CAs and
responders of the field still use it; whoever must not take it asks ``is_strong``.
"""

from __future__ import annotations

import msgspec
from cryptography.hazmat.primitives.asymmetric import padding

from xgate.algorithms import DIGESTS, Digest, key_verifies
from xgate.trust.der import (
    INTEGER,
    NULL,
    OID,
    SEQUENCE,
    Cursor,
    DerError,
    context,
    encode,
    enter,
    read,
    read_integer,
    read_oid,
    write_integer,
    write_oid,
)

__all__ = [
    "SHA1",
    "is_strong",
    "read_digest",
    "signature_holds",
    "write_digest",
    "write_signature",
]

_SHA = "2.16.840.1.101.3.4.2."
_DIGEST_OIDS = {
    "SHA-1": "1.3.14.3.2.26",
    "SHA-224": _SHA + "4",
    "SHA-256": _SHA + "1",
    "SHA-384": _SHA + "2",
    "SHA-512": _SHA + "3",
}
_BY_NAME = {digest.name: digest for digest in DIGESTS}
_BY_OID = {oid: _BY_NAME[name] for name, oid in _DIGEST_OIDS.items()}
SHA1 = _BY_NAME["SHA-1"]
"""Broken where an opponent chooses what is hashed; fine to name a certificate by."""

_RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
_RSA_PSS = "1.2.840.113549.1.1.10"
_MGF1 = "1.2.840.113549.1.1.8"
_EC_PUBLIC_KEY = "1.2.840.10045.2.1"
_RSA = {"SHA-1": "5", "SHA-224": "14", "SHA-256": "11", "SHA-384": "12", "SHA-512": "13"}
_ECDSA = {
    "SHA-1": "1.2.840.10045.4.1",
    "SHA-224": "1.2.840.10045.4.3.1",
    "SHA-256": "1.2.840.10045.4.3.2",
    "SHA-384": "1.2.840.10045.4.3.3",
    "SHA-512": "1.2.840.10045.4.3.4",
}
_SIGNATURES = {
    **{f"1.2.840.113549.1.1.{arc}": ("rsa", _BY_NAME[name]) for name, arc in _RSA.items()},
    **{oid: ("ecdsa", _BY_NAME[name]) for name, oid in _ECDSA.items()},
}


class _Scheme(msgspec.Struct, frozen=True):
    kind: str
    digest: Digest
    salt: int = 0
    mask_digest: Digest | None = None


def write_digest(digest: Digest) -> bytes:
    """The AlgorithmIdentifier of a digest, with the explicit NULL that OCSP CertIDs need."""
    return encode(SEQUENCE, write_oid(_DIGEST_OIDS[digest.name]), encode(NULL))


def write_signature(kind: str, digest: Digest) -> bytes:
    """The AlgorithmIdentifier of a signature; ``kind`` is ``rsa`` (PKCS#1 v1.5), ``pss`` (MGF1 of
    the same digest, salt of its size) or ``ecdsa``.
    """
    if kind == "pss":
        return encode(SEQUENCE, write_oid(_RSA_PSS), _write_pss(digest))
    (oid,) = (oid for oid, meant in _SIGNATURES.items() if meant == (kind, digest))
    return encode(SEQUENCE, write_oid(oid), encode(NULL) if kind == "rsa" else b"")


def _write_pss(digest: Digest) -> bytes:
    hashed = write_digest(digest)
    mask = encode(SEQUENCE, write_oid(_MGF1), hashed)
    salt = write_integer(digest.size)
    parts = (encode(context(number), part) for number, part in enumerate((hashed, mask, salt)))
    return encode(SEQUENCE, *parts)


def read_digest(identifier: bytes) -> Digest | None:
    """The digest that an AlgorithmIdentifier names, or None if it is none we know.

    :raises DerError: malformed.
    """
    fields = enter(identifier)
    oid = read_oid(fields.take(OID))
    fields.maybe(NULL)
    fields.end()
    return _BY_OID.get(oid)


def is_strong(digest: Digest | None) -> bool:
    """Whether the digest resists chosen collisions."""
    return digest is not None and digest.size > SHA1.size


def signature_holds(
    identifier: bytes, key: object, signature: bytes, data: bytes, *, digest: Digest | None = None
) -> bool:
    """Whether ``signature`` (ECDSA: ASN.1) over ``data`` holds under ``key``.

    :param identifier: DER of the signature's AlgorithmIdentifier.
    :param digest: what the surrounding structure says; must agree with the identifier, and stands
        in where that names the key's kind alone (CMS).

    An unknown or weak algorithm, or one that does not fit the key, is a plain no.
    """
    try:
        scheme = _read_scheme(identifier, digest)
    except DerError:
        return False
    if scheme is None or (digest and digest != scheme.digest):
        return False
    return key_verifies(key, signature, data, scheme.digest, _padding(scheme))


def _padding(scheme: _Scheme) -> padding.AsymmetricPadding | None:
    if scheme.kind == "ecdsa":
        return None
    if scheme.mask_digest is None:
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(scheme.mask_digest.primitive), scheme.salt)


def _read_scheme(identifier: bytes, digest: Digest | None) -> _Scheme | None:
    fields = enter(identifier)
    oid = read_oid(fields.take(OID))
    if oid == _RSA_PSS:
        scheme = _read_pss(fields.inside())
        fields.end()
        return scheme
    if oid == _EC_PUBLIC_KEY:
        return _Scheme("ecdsa", digest) if digest else None
    fields.maybe(NULL)
    fields.end()
    if oid == _RSA_ENCRYPTION:
        return _Scheme("rsa", digest) if digest else None
    known = _SIGNATURES.get(oid)
    return _Scheme(*known) if known else None


def _read_pss(parameters: Cursor) -> _Scheme | None:
    """RSASSA-PSS-params; what is absent means SHA-1, MGF1 with SHA-1, 20 octets of salt."""
    hashed, mask, salted = (parameters.maybe(context(number)) for number in (0, 1, 2))
    trailer = parameters.maybe(context(3))
    parameters.end()
    digest = read_digest(hashed.content) if hashed else SHA1
    mask_digest: Digest | None = SHA1
    if mask:
        function = enter(mask.content)
        if read_oid(function.take(OID)) != _MGF1:
            return None
        mask_digest = read_digest(function.take(SEQUENCE).raw)
        function.end()
    salt = read_integer(read(salted.content, INTEGER)) if salted else SHA1.size
    if trailer and read_integer(read(trailer.content, INTEGER)) != 1:
        return None
    if digest is None or mask_digest is None or not 0 <= salt <= 512:
        return None
    return _Scheme("pss", digest, salt, mask_digest)
