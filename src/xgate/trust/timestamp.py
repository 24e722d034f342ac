"""Timestamps of RFC 3161: order one, read the answer, prove what a token says.

The rule: a token proves that octets existed at its genTime if their digest is its imprint and a
timestamping service of the global configuration signed it (signature 7, messagelog 3.2). The
signer is found by what the global configuration holds, never by what the token carries. SHA-1
proves nothing here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime

import msgspec

from xgate.algorithms import SHA512, Digest
from xgate.errors import Fault
from xgate.trust.anchors import Trust
from xgate.trust.ber import to_der
from xgate.trust.certificate import Certificate
from xgate.trust.cms import (
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    SignedData,
    with_certificate,
)
from xgate.trust.der import (
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    Cursor,
    DerError,
    context,
    der_faults,
    encode,
    enter,
    read_integer,
    read_oid,
    read_time,
    write_integer,
)
from xgate.trust.identifiers import is_strong, read_digest, write_digest
from xgate.trust.name import read_string

__all__ = [
    "TST_INFO",
    "Timestamp",
    "read_timestamp_response",
    "verify_timestamp",
    "with_tsa_certificate",
    "write_timestamp_request",
]

TST_INFO = "1.2.840.113549.1.9.16.1.4"

_LARGEST = 64 * 1024
_GRANTED = (0, 1)


class Timestamp(msgspec.Struct, frozen=True):
    """What a token has proven.

    :param gen_time: when the imprint existed; aware, UTC.
    :param certificate: of the timestamping service, from the global configuration.
    :param serial: the service's own number for the token.
    :param policy: dotted identifier of the service's policy.
    """

    gen_time: datetime
    certificate: Certificate
    serial: int
    policy: str
    digest: Digest
    imprint: bytes


class _Info(msgspec.Struct, frozen=True):
    policy: str
    digest: Digest | None
    imprint: bytes
    serial: int
    gen_time: datetime


def write_timestamp_request(imprint: bytes, digest: Digest = SHA512) -> bytes:
    """A TimeStampReq: version 1, no policy, no nonce, no certificate wanted (messagelog 3.2).

    :param imprint: the digest of the octets to stamp.
    :raises ValueError: its size is not the digest's.
    """
    if len(imprint) != digest.size:
        raise ValueError("the imprint is not of this digest")
    message_imprint = encode(SEQUENCE, write_digest(digest), encode(OCTET_STRING, imprint))
    return encode(SEQUENCE, write_integer(1), message_imprint)


def read_timestamp_response(der: bytes, imprint: bytes, digest: Digest = SHA512) -> bytes:
    """The token (DER) that a TimeStampResp grants for this imprint; not yet verified.

    :raises Fault: ``mlog.timestamp_non_granted_response``;
        ``mlog.timestamp_response_validation_failed`` if unreadable or about something else.
    """
    code = "mlog.timestamp_response_validation_failed"
    with der_faults(code, "Cannot read the time-stamp response"):
        fields = enter(to_der(der, _LARGEST))
        _check_granted(fields.inside())
        token = _read_token(fields.take(SEQUENCE).raw)
        fields.end()
        info = _read_info(token)
    if (info.digest, info.imprint) != (digest, imprint):
        raise Fault(code, "The time-stamp response is not about what was asked")
    return token.der


def verify_timestamp(
    token: bytes, stamped: bytes, trust: Trust, instances: Collection[str] | None = None
) -> Timestamp:
    """Prove that ``stamped`` existed at the token's time.

    :param instances: whose services' word counts, besides the judge's own; None: everybody's.
    :raises Fault: ``malformed_signature`` (unreadable, or another imprint),
        ``mlog.tsp_certificate_not_found``, ``mlog.timestamp_signer_verification_failed``.
    """
    with der_faults("malformed_signature", "Cannot read the time-stamp token"):
        signed = _read_token(token)
        info = _read_info(signed)
    if info.digest is None or not is_strong(info.digest):
        raise Fault("malformed_signature", "The time-stamp's digest is unknown or weak")
    if info.digest.of(stamped) != info.imprint:
        raise Fault("malformed_signature", "Timestamp hashes do not match")
    known = dict.fromkeys(trust.tsa_certificates(instances))
    certificate = _verify_signer(signed, info.gen_time, known)
    return Timestamp(
        info.gen_time, certificate, info.serial, info.policy, info.digest, info.imprint
    )


def with_tsa_certificate(token: bytes, certificate: Certificate) -> bytes:
    """The token with ``certificate`` among its certificates, in DER: the form that is stored.

    :raises Fault: ``malformed_signature``.
    """
    with der_faults("malformed_signature", "Cannot read the time-stamp token"):
        return with_certificate(to_der(token, _LARGEST), certificate)


def _check_granted(status_info: Cursor) -> None:
    status = read_integer(status_info.take(INTEGER))
    if status in _GRANTED:
        return
    texts = status_info.maybe(SEQUENCE)
    said = [read_string(text) or "" for text in Cursor(texts.content)] if texts else []
    raise Fault(
        "mlog.timestamp_non_granted_response",
        f"The time-stamping service refused with status {status}: {' '.join(said)[:200]}",
    )


def _read_token(token: bytes) -> SignedData:
    signed = SignedData.load(token, _LARGEST)
    if signed.content_type != TST_INFO:
        raise DerError("it is not a time-stamp token")
    if not {SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2} & signed.signer.attributes.keys():
        raise DerError("it does not name its signer's certificate")
    return signed


def _read_info(signed: SignedData) -> _Info:
    fields = enter(signed.content)
    if read_integer(fields.take(INTEGER)) != 1:
        raise DerError("its version is unknown")
    policy = read_oid(fields.take(OID))
    imprint = fields.inside()
    digest = read_digest(imprint.take(SEQUENCE).raw)
    hashed = imprint.take(OCTET_STRING).content
    imprint.end()
    serial = read_integer(fields.take(INTEGER))
    gen_time = read_time(fields.take(GENERALIZED_TIME))
    fields.maybe(SEQUENCE)  # accuracy
    fields.maybe(0x01)  # ordering
    fields.maybe(INTEGER)  # nonce
    fields.maybe(context(0))  # the service's name
    fields.maybe(context(1))  # extensions
    fields.end()
    return _Info(policy, digest, hashed, serial, gen_time)


def _verify_signer(
    signed: SignedData, gen_time: datetime, known: Collection[Certificate]
) -> Certificate:
    candidates = [certificate for certificate in known if signed.signer.id.names(certificate)]
    if not candidates:
        raise Fault(
            "mlog.tsp_certificate_not_found", "Could not find TSP certificate for timestamp"
        )
    code = "mlog.timestamp_signer_verification_failed"
    with der_faults(code, "Cannot read the time-stamp's attributes"):
        moment = signed.signer.signing_time or gen_time
        for certificate in candidates:
            if _names_certificate(signed, certificate) and signed.signed_by(certificate):
                if not certificate.valid_at(moment):
                    raise Fault(code, "The time-stamp's signer was not valid when it signed")
                return certificate
    raise Fault(code, "Failed to verify the time-stamp's signature")


def _names_certificate(signed: SignedData, certificate: Certificate) -> bool:
    """Whether every signing-certificate attribute begins with this certificate's digest."""
    first = signed.signer.attribute(SIGNING_CERTIFICATE)
    if first is not None:
        fields = enter(first.raw).inside().inside()
        if fields.take(OCTET_STRING).content.hex() != certificate.sha1:
            return False
    second = signed.signer.attribute(SIGNING_CERTIFICATE_V2)
    if second is not None:
        fields = enter(second.raw).inside().inside()
        algorithm = fields.maybe(SEQUENCE)
        digest = read_digest(algorithm.raw) if algorithm else None
        named = fields.take(OCTET_STRING).content
        expected = (
            digest.of(certificate.der) if digest else hashlib.sha256(certificate.der).digest()
        )
        if (algorithm is not None and digest is None) or named != expected:
            return False
    return True
