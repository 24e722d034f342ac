"""OCSP: ask whether a certificate is good, read the answer, and decide whether it proves anything.

The rule: steps 1 to 7 of ocsp-tls-certs 6, in their order and with their sentences; responders are
those of the global configuration, the CA itself, or one that the CA appointed. Stricter than the
reference where signature 6.2 asks for it: an answer from the future proves nothing, nor does an
appointed responder outside its dates. Only the first SingleResponse is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec

from xgate.errors import Fault
from xgate.trust.anchors import ApprovedCa, Trust
from xgate.trust.certificate import OCSP_SIGNING, Certificate
from xgate.trust.der import (
    BIT_STRING,
    ENUMERATED,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    Cursor,
    DerError,
    Element,
    context,
    der_faults,
    encode,
    enter,
    read,
    read_bits,
    read_boolean,
    read_integer,
    read_oid,
    read_time,
    write_integer,
)
from xgate.trust.identifiers import SHA1, signature_holds, write_digest
from xgate.trust.name import Name

__all__ = [
    "FUTURE_TOLERANCE",
    "OcspResponse",
    "cert_id",
    "check_ocsp_genuine",
    "check_ocsp_status",
    "verify_ocsp",
    "write_ocsp_request",
]

FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far the clocks of a responder and of the judge (ours, or a timestamping service's) may
differ: thisUpdate and producedAt later than that are refused."""

_BASIC_RESPONSE = "1.3.6.1.5.5.7.48.1.1"
_LARGEST = 64 * 1024
_MOST_CERTIFICATES = 16
_GOOD, _REVOKED, _UNKNOWN = (
    context(0, constructed=False),
    context(1),
    context(2, constructed=False),
)
_STATUSES = {_GOOD: "good", _REVOKED: "revoked", _UNKNOWN: "unknown"}


def cert_id(subject: Certificate, issuer: Certificate) -> bytes:
    """The CertID that asks for ``subject``: SHA-1 with explicit NULL (signature 6.4), DER.

    The issuer's name is taken as its own certificate encodes it, the key without its bit count.
    """
    return _cert_id(issuer.subject.der, issuer.key_bits, subject.serial)


@lru_cache(maxsize=512)
def _cert_id(issuer_name: bytes, issuer_key: bytes, serial: int) -> bytes:
    return encode(
        SEQUENCE,
        write_digest(SHA1),
        encode(OCTET_STRING, SHA1.of(issuer_name)),
        encode(OCTET_STRING, SHA1.of(issuer_key)),
        write_integer(serial),
    )


def write_ocsp_request(subject: Certificate, issuer_certificate: Certificate) -> bytes:
    """An OCSPRequest for one certificate: unsigned, no nonce, no extensions (ocsp-tls-certs 7)."""
    request = encode(SEQUENCE, cert_id(subject, issuer_certificate))
    return encode(SEQUENCE, encode(SEQUENCE, encode(SEQUENCE, request)))


class OcspResponse(msgspec.Struct, frozen=True):
    """A successful basic response, as far as its first SingleResponse goes.

    :param cert_id: DER of the CertID it is about.
    :param status: ``good``, ``revoked`` or ``unknown``.
    :param responder_name: who answers; or by ``responder_key``, the SHA-1 of its key.
    :param certificates: DER of what the response carries; not trusted.
    """

    der: bytes
    cert_id: bytes
    status: str
    revoked_at: datetime | None
    this_update: datetime
    next_update: datetime | None
    produced_at: datetime
    responder_name: Name | None
    responder_key: bytes | None
    tbs: bytes
    algorithm: bytes
    signature: bytes
    certificates: tuple[bytes, ...]

    @classmethod
    def load(cls, der: bytes) -> OcspResponse:
        """Read an OCSPResponse of at most 64 KiB.

        :raises Fault: ``incorrect_validation_info``: malformed, not ``successful``, empty, or
            with a critical extension.
        """
        with der_faults("incorrect_validation_info", "Cannot read the OCSP response"):
            return _load(bytes(der))

    def answered_by(self, certificate: Certificate) -> bool:
        """Whether the response names this certificate as its responder."""
        if self.responder_name is not None:
            return self.responder_name == certificate.subject
        return self.responder_key == SHA1.of(certificate.key_bits)


def verify_ocsp(
    response: OcspResponse, subject: Certificate, issuer: ApprovedCa, trust: Trust, at: datetime
) -> Certificate:
    """Prove that ``subject``, issued by ``issuer``, was good at ``at``; gives the responder.

    :param at: now, or the time-stamp's time for stored signatures; aware.
    :raises Fault: ``incorrect_validation_info`` (steps 1 to 6), ``cert_validation`` (step 7).
    """
    responder = check_ocsp_genuine(response, subject, issuer, trust, at)
    check_ocsp_status(response)
    return responder


def check_ocsp_genuine(
    response: OcspResponse, subject: Certificate, issuer: ApprovedCa, trust: Trust, at: datetime
) -> Certificate:
    """Steps 1 to 6 alone: the response is about ``subject``, genuine and fresh, whatever it says.

    :raises Fault: ``incorrect_validation_info``.
    """
    if response.cert_id != cert_id(subject, issuer.certificate):
        raise _refusal(f"OCSP response does not apply to certificate (sn = {subject.serial})")
    responders = _responders(response, trust, issuer.instance)
    candidates = [c for c in responders if response.answered_by(c)]
    if not candidates:
        raise _refusal("Could not find OCSP certificate for responder ID")
    signers = [c for c in candidates if _signed_by(response, c)]
    if not signers:
        raise _refusal("Signature on OCSP response is not valid")
    responder = next((c for c in signers if _is_authorised(c, issuer, at)), None)
    if responder is None:
        raise _refusal("OCSP responder is not authorized for given CA")
    _check_times(response, trust, at)
    return responder


def check_ocsp_status(response: OcspResponse) -> None:
    """Step 7 alone: the certificate is good.

    :raises Fault: ``cert_validation``.
    """
    if response.status == "good":
        return
    status = "UNKNOWN"
    if response.revoked_at is not None:
        status = f"REVOKED (date: {response.revoked_at:%Y-%m-%d %H:%M:%S})"
    raise Fault("cert_validation", f"OCSP response indicates certificate status is {status}")


def _responders(response: OcspResponse, trust: Trust, instance: str) -> Iterator[Certificate]:
    """Those of the issuer's instance: no other appoints responders for it (federation 5)."""
    yield from dict.fromkeys(trust.ocsp_certificates(instance))
    yield from dict.fromkeys(ca.certificate for ca in trust.all_cas(instance))
    for der in response.certificates:
        try:
            yield Certificate.load(der)
        except Fault:
            continue  # a chain may bring along what we cannot read and do not need


def _signed_by(response: OcspResponse, certificate: Certificate) -> bool:
    return _holds(response.algorithm, certificate, response.signature, response.tbs)


@lru_cache(maxsize=256)
def _holds(algorithm: bytes, certificate: Certificate, signature: bytes, data: bytes) -> bool:
    try:
        key = certificate.public_key
    except Fault:
        return False
    return signature_holds(algorithm, key, signature, data)


def _is_authorised(responder: Certificate, issuer: ApprovedCa, at: datetime) -> bool:
    if responder in issuer.ocsp_certificates or responder == issuer.certificate:
        return True
    return (
        responder.issuer == issuer.certificate.subject
        and OCSP_SIGNING in (responder.extended_key_usage or ())
        and responder.valid_at(at)
        and _holds(responder.algorithm, issuer.certificate, responder.signature, responder.tbs)
    )


def _check_times(response: OcspResponse, trust: Trust, at: datetime) -> None:
    this_update = response.this_update
    if this_update < at - trust.ocsp_freshness:
        raise _refusal(f"OCSP response is too old (thisUpdate: {this_update:%Y-%m-%d %H:%M:%S})")
    if max(this_update, response.produced_at) > at + FUTURE_TOLERANCE:
        raise _refusal(
            f"OCSP response is from the future, atDate: {at:%Y-%m-%d %H:%M:%S}"
            f" thisUpdate: {this_update:%Y-%m-%d %H:%M:%S}"
            f" producedAt: {response.produced_at:%Y-%m-%d %H:%M:%S}"
        )
    next_update = response.next_update
    if trust.verify_next_update and next_update is not None and next_update < at:
        raise _refusal(
            f"OCSP nextUpdate is too old, atDate: {at:%Y-%m-%d %H:%M:%S}"
            f" nextUpdate: {next_update:%Y-%m-%d %H:%M:%S}"
        )


def _refusal(text: str) -> Fault:
    return Fault("incorrect_validation_info", text)


@lru_cache(maxsize=256)
def _load(der: bytes) -> OcspResponse:
    if len(der) > _LARGEST:
        raise DerError("it is too long")
    outer = enter(der)
    status = read_integer(outer.take(ENUMERATED))
    if status != 0:
        raise DerError(f"its status is {status}, not successful")
    tagged = enter(outer.take(context(0)).content)
    outer.end()
    if read_oid(tagged.take(OID)) != _BASIC_RESPONSE:
        raise DerError("it is not a basic response")
    basic = enter(tagged.take(OCTET_STRING).content)
    tagged.end()
    tbs = basic.take(SEQUENCE)
    algorithm = basic.take(SEQUENCE).raw
    signature, unused = read_bits(basic.take(BIT_STRING))
    certificates = basic.maybe(context(0))
    basic.end()
    if unused:
        raise DerError("a signature is whole octets")
    data = _read_data(Cursor(tbs.content))
    return OcspResponse(
        der=der,
        cert_id=data.single.cert_id,
        status=data.single.status,
        revoked_at=data.single.revoked_at,
        this_update=data.single.this_update,
        next_update=data.single.next_update,
        produced_at=data.produced_at,
        responder_name=data.responder_name,
        responder_key=data.responder_key,
        tbs=tbs.raw,
        algorithm=algorithm,
        signature=signature,
        certificates=_read_certificates(certificates),
    )


def _read_certificates(tagged: Element | None) -> tuple[bytes, ...]:
    if tagged is None:
        return ()
    certificates = tuple(element.raw for element in enter(tagged.content))
    if len(certificates) > _MOST_CERTIFICATES:
        raise DerError("it carries too many certificates")
    return certificates


class _Single(msgspec.Struct, frozen=True):
    cert_id: bytes
    status: str
    revoked_at: datetime | None
    this_update: datetime
    next_update: datetime | None


class _Data(msgspec.Struct, frozen=True):
    responder_name: Name | None
    responder_key: bytes | None
    produced_at: datetime
    single: _Single


def _read_data(fields: Cursor) -> _Data:
    """ResponseData: version, responder, time, responses, extensions."""
    version = fields.maybe(context(0))
    if version and read_integer(read(version.content, INTEGER)) != 0:
        raise DerError("its version is unknown")
    by_name = fields.maybe(context(1))
    by_key = None if by_name else fields.take(context(2))
    produced_at = read_time(fields.take())
    single = _read_single(fields.inside().inside())
    _check_extensions(fields.maybe(context(1)))
    fields.end()
    return _Data(
        responder_name=Name.load(by_name.content) if by_name else None,
        responder_key=read(by_key.content, OCTET_STRING).content if by_key else None,
        produced_at=produced_at,
        single=single,
    )


def _read_single(fields: Cursor) -> _Single:
    asked = fields.take(SEQUENCE)
    status = fields.take()
    if status.tag not in _STATUSES:
        raise DerError("the certificate's status is unreadable")
    revoked_at = read_time(Cursor(status.content).take()) if status.tag == _REVOKED else None
    this_update = read_time(fields.take())
    next_update = fields.maybe(context(0))
    _check_extensions(fields.maybe(context(1)))
    fields.end()
    return _Single(
        cert_id=asked.raw,
        status=_STATUSES[status.tag],
        revoked_at=revoked_at,
        this_update=this_update,
        next_update=read_time(read(next_update.content)) if next_update else None,
    )


def _check_extensions(tagged: Element | None) -> None:
    """Extensions may be there, but none that must be understood."""
    for extension in enter(tagged.content) if tagged else ():
        fields = enter(extension.raw)
        fields.take(OID)
        critical = fields.maybe(0x01)
        fields.take(OCTET_STRING)
        fields.end()
        if critical and read_boolean(critical):
            raise DerError("it has a critical extension")
