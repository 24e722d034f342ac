"""An OCSP responder and a timestamping service: request in, response out, as the RFCs have it.

The rule: the answers satisfy RFC 6960, 3161, 5652 and 5816, not just us: OpenSSL judges them in the
tests. A request that is nonsense gets the protocol's own refusal, never an exception. Time and
serial numbers are arguments; transport is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from xgate.algorithms import DIGESTS, SHA512, Digest
from xgate.testing.pki import Credential, Key
from xgate.trust.certificate import Certificate
from xgate.trust.cms import (
    CONTENT_TYPE,
    MESSAGE_DIGEST,
    SIGNED_DATA,
    SIGNING_CERTIFICATE_V2,
    SIGNING_TIME,
)
from xgate.trust.der import (
    BIT_STRING,
    BOOLEAN,
    ENUMERATED,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    UTC_TIME,
    DerError,
    context,
    encode,
    enter,
    read_boolean,
    read_integer,
    read_oid,
    write_integer,
    write_oid,
    write_set_of,
    write_time,
)
from xgate.trust.identifiers import read_digest, write_digest, write_signature
from xgate.trust.timestamp import TST_INFO

__all__ = ["GOOD", "UNKNOWN", "answer_ocsp", "answer_timestamp"]

GOOD = "good"
UNKNOWN = "unknown"

_SHA256 = next(digest for digest in DIGESTS if digest.name == "SHA-256")
_BASIC_RESPONSE = "1.3.6.1.5.5.7.48.1.1"
_NONCE = "1.3.6.1.5.5.7.48.1.2"
_POLICY = "0.4.0.2023.1.1"
_MALFORMED = encode(SEQUENCE, write_integer(1, ENUMERATED))
_BAD_ALGORITHM, _BAD_FORMAT, _BAD_POLICY, _BAD_EXTENSION = 0, 5, 15, 16


def answer_ocsp(
    request: bytes,
    responder: Credential,
    issuer: Certificate,
    status: Callable[[int], str | datetime],
    at: datetime,
    *,
    next_update: datetime | None = None,
    digest: Digest = _SHA256,
    by_name: bool = False,
    certificates: Sequence[Certificate] = (),
) -> bytes:
    """Answer an OCSPRequest (DER) with an OCSPResponse (DER), every certificate asked for.

    :param issuer: the CA whose certificates are known; others are ``UNKNOWN``.
    :param status: from a serial number to ``GOOD``, ``UNKNOWN``, or the time of revocation.
    :param at: producedAt and thisUpdate; all times are cut to the second.
    :param digest: of the signature.
    :param by_name: name the responder by its subject instead of its key.
    :param certificates: to carry along, as an appointed responder must its own.
    """
    at = at.replace(microsecond=0)
    try:
        asked, nonce = _read_ocsp_request(request)
        singles = [_single(cert_id, issuer, status, at, next_update) for cert_id in asked]
    except DerError:
        return _MALFORMED
    if by_name:
        responder_id = encode(context(1), responder.certificate.subject.der)
    else:
        key_hash = DIGESTS[0].of(responder.certificate.key_bits)
        responder_id = encode(context(2), encode(OCTET_STRING, key_hash))
    extensions = encode(context(1), encode(SEQUENCE, nonce)) if nonce else b""
    tbs = encode(SEQUENCE, responder_id, write_time(at), encode(SEQUENCE, *singles), extensions)
    algorithm, signature = _sign(responder.key, digest, tbs)
    carried = encode(SEQUENCE, *(certificate.der for certificate in certificates))
    basic = encode(
        SEQUENCE,
        tbs,
        algorithm,
        encode(BIT_STRING, b"\0", signature),
        encode(context(0), carried) if certificates else b"",
    )
    body = encode(SEQUENCE, write_oid(_BASIC_RESPONSE), encode(OCTET_STRING, basic))
    return encode(SEQUENCE, write_integer(0, ENUMERATED), encode(context(0), body))


def _read_ocsp_request(request: bytes) -> tuple[list[bytes], bytes]:
    """The CertIDs asked for, and the nonce extension or nothing."""
    outer = enter(request)
    fields = outer.inside()
    fields.maybe(context(0))
    fields.maybe(context(1))
    asked = [enter(element.raw).take(SEQUENCE).raw for element in fields.inside()]
    extensions = fields.maybe(context(2))
    fields.end()
    if not asked:
        raise DerError("the request asks for nothing")
    for extension in enter(extensions.content) if extensions else ():
        if read_oid(enter(extension.raw).take(OID)) == _NONCE:
            return asked, extension.raw
    return asked, b""


def _single(
    cert_id: bytes,
    issuer: Certificate,
    status: Callable[[int], str | datetime],
    at: datetime,
    next_update: datetime | None,
) -> bytes:
    fields = enter(cert_id)
    digest = read_digest(fields.take(SEQUENCE).raw)
    hashed = [fields.take(OCTET_STRING).content for _ in range(2)]
    serial = read_integer(fields.take(INTEGER))
    fields.end()
    found: str | datetime = UNKNOWN
    if digest and hashed == [digest.of(issuer.subject.der), digest.of(issuer.key_bits)]:
        found = status(serial)
    if isinstance(found, datetime):
        cert_status = encode(context(1), write_time(found.replace(microsecond=0)))
    else:
        cert_status = encode(context(0 if found == GOOD else 2, constructed=False))
    later = (
        encode(context(0), write_time(next_update.replace(microsecond=0))) if next_update else b""
    )
    return encode(SEQUENCE, cert_id, cert_status, write_time(at), later)


def answer_timestamp(
    request: bytes,
    tsa: Credential,
    at: datetime,
    serial: int,
    *,
    digest: Digest = SHA512,
    policy: str = _POLICY,
) -> bytes:
    """Answer a TimeStampReq (DER) with a TimeStampResp (DER).

    :param at: genTime and signingTime, cut to the second.
    :param serial: unique among the tokens of this service.
    :param digest: of the signature; the imprint may be by any SHA-2 digest.
    """
    at = at.replace(microsecond=0)
    try:
        fields = enter(request)
        if read_integer(fields.take(INTEGER)) != 1:
            return _refused(_BAD_FORMAT, "unknown version")
        imprint = fields.take(SEQUENCE).raw
        wanted_policy = fields.maybe(OID)
        nonce = fields.maybe(INTEGER)
        wants_certificate = fields.maybe(BOOLEAN)
        extensions = fields.maybe(context(0))
        fields.end()
        carry = wants_certificate is not None and read_boolean(wants_certificate)
        if not _imprint_fits(imprint):
            return _refused(_BAD_ALGORITHM, "unknown digest algorithm, or imprint of another size")
        if wanted_policy and read_oid(wanted_policy) != policy:
            return _refused(_BAD_POLICY, "unknown policy")
    except DerError:
        return _refused(_BAD_FORMAT, "not a time-stamp request")
    if extensions:
        return _refused(_BAD_EXTENSION, "extensions are not supported")
    info = encode(
        SEQUENCE,
        write_integer(1),
        write_oid(policy),
        imprint,
        write_integer(serial),
        write_time(at),
        nonce.raw if nonce else b"",
    )
    token = _sign_token(info, tsa, at, digest, carry=carry)
    return encode(SEQUENCE, encode(SEQUENCE, write_integer(0)), token)


def _imprint_fits(imprint: bytes) -> bool:
    fields = enter(imprint)
    digest = read_digest(fields.take(SEQUENCE).raw)
    hashed = fields.take(OCTET_STRING).content
    fields.end()
    return digest is not None and digest.size > 20 and len(hashed) == digest.size


def _refused(failure: int, text: str) -> bytes:
    bits = bytearray(failure // 8 + 1)
    bits[-1] = 0x80 >> failure % 8
    return encode(
        SEQUENCE,
        encode(
            SEQUENCE,
            write_integer(2),
            encode(SEQUENCE, encode(0x0C, text.encode())),
            encode(BIT_STRING, bytes((7 - failure % 8,)), bytes(bits)),
        ),
    )


def _sign_token(
    info: bytes, tsa: Credential, at: datetime, digest: Digest, *, carry: bool
) -> bytes:
    certificate = tsa.certificate
    named = encode(SEQUENCE, encode(OCTET_STRING, certificate.sha256))  # SHA-256 is its default
    attributes = {
        CONTENT_TYPE: write_oid(TST_INFO),
        SIGNING_TIME: write_time(at, UTC_TIME),
        MESSAGE_DIGEST: encode(OCTET_STRING, digest.of(info)),
        SIGNING_CERTIFICATE_V2: encode(SEQUENCE, encode(SEQUENCE, named)),
    }
    encoded = [
        encode(SEQUENCE, write_oid(oid), encode(SET, value)) for oid, value in attributes.items()
    ]
    algorithm, signature = _sign(tsa.key, digest, write_set_of(encoded))
    signer = encode(
        SEQUENCE,
        write_integer(1),
        encode(SEQUENCE, certificate.issuer.der, write_integer(certificate.serial)),
        write_digest(digest),
        write_set_of(encoded, context(0)),
        algorithm,
        encode(OCTET_STRING, signature),
    )
    signed = encode(
        SEQUENCE,
        write_integer(3),
        encode(SET, write_digest(digest)),
        encode(SEQUENCE, write_oid(TST_INFO), encode(context(0), encode(OCTET_STRING, info))),
        encode(context(0), certificate.der) if carry else b"",
        encode(SET, signer),
    )
    return encode(SEQUENCE, write_oid(SIGNED_DATA), encode(context(0), signed))


def _sign(key: Key, digest: Digest, data: bytes) -> tuple[bytes, bytes]:
    """The AlgorithmIdentifier and the signature."""
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(data, padding.PKCS1v15(), digest.primitive)
        return write_signature("rsa", digest), signature
    return write_signature("ecdsa", digest), key.sign(data, ec.ECDSA(digest.primitive))
