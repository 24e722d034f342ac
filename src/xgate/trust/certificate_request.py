"""Certificate requests (PKCS#10): what is signed, and what comes out.

The rule: written here octet by octet, so that any token can sign: nothing needs the private key.
The requested extensions are the reference's since 7.5, in its order (signer 8).
"""

from __future__ import annotations

from typing import Literal

from xgate.algorithms import Digest
from xgate.trust.der import (
    BIT_STRING,
    OCTET_STRING,
    SEQUENCE,
    SET,
    context,
    encode,
    write_integer,
    write_oid,
)
from xgate.trust.identifiers import write_signature
from xgate.trust.pem import write_pem

__all__ = ["request_pem", "write_request", "write_request_info"]

_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
_SUBJECT_ALTERNATIVE = "2.5.29.17"
_KEY_USAGE = "2.5.29.15"
# Bits from the left: digitalSignature, nonRepudiation, keyEncipherment, dataEncipherment,
# keyAgreement, keyCertSign.
_USAGE_BITS = {
    "SIGNING": b"\x02\x44",  # nonRepudiation, keyCertSign
    "AUTHENTICATION": b"\x04\xb0",  # digitalSignature, keyEncipherment, dataEncipherment
}


def write_request_info(
    subject: bytes,
    public_key: bytes,
    usage: Literal["SIGNING", "AUTHENTICATION"],
    alternative: str | None = None,
) -> bytes:
    """What the key signs.

    :param subject: DER of the Name. :param public_key: DER SubjectPublicKeyInfo.
    :param alternative: a DNS name.
    """
    extensions = []
    if alternative is not None:
        name = encode(context(2, constructed=False), alternative.encode("ascii"))
        extensions.append(_extension(_SUBJECT_ALTERNATIVE, encode(SEQUENCE, name)))
    extensions.append(_extension(_KEY_USAGE, encode(BIT_STRING, _USAGE_BITS[usage])))
    requested = encode(
        SEQUENCE,
        write_oid(_EXTENSION_REQUEST),
        encode(SET, encode(SEQUENCE, *extensions)),
    )
    return encode(SEQUENCE, write_integer(0), subject, public_key, encode(context(0), requested))


def write_request(info: bytes, kind: str, digest: Digest, signature: bytes) -> bytes:
    """The request in DER.

    :param kind: of the signature: ``rsa``, ``pss`` or ``ecdsa``. :param signature: over ``info``.
    """
    return encode(
        SEQUENCE, info, write_signature(kind, digest), encode(BIT_STRING, b"\0", signature)
    )


def request_pem(der: bytes) -> bytes:
    """The same in PEM."""
    return write_pem("CERTIFICATE REQUEST", der).encode()


def _extension(oid: str, value: bytes) -> bytes:
    return encode(SEQUENCE, write_oid(oid), encode(OCTET_STRING, value))
