"""All that vouches for a signature, in one hand: a CA, its OCSP responder, a timestamping service.

The rule: everything it makes is real and passes the real checks at ``now``; a test that wants
something refused says what is to be different. For tests and examples; keys come from ``pki``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from xgate.algorithms import SHA512, SIGNATURES, ecdsa_raw, signature_padding
from xgate.ids import ClientId
from xgate.testing.pki import (
    Credential,
    FixedTrust,
    Key,
    issue_ocsp,
    issue_sign,
    issue_tsa,
    make_ca,
)
from xgate.testing.responders import GOOD, answer_ocsp, answer_timestamp
from xgate.trust.anchors import ApprovedCa
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import write_ocsp_request
from xgate.trust.timestamp import read_timestamp_response, write_timestamp_request
from xgate.trust.xades import draft_signature

__all__ = ["ECDSA_SHA512", "NOW", "Authority", "sign_raw"]

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
"""The time at which an authority speaks unless told otherwise."""
ECDSA_SHA512 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
"""The algorithm that the keys of ``pki`` sign by."""


def sign_raw(key: Key, algorithm: str, data: bytes) -> bytes:
    """A signature as XML holds it (ECDSA as r‖s); ``algorithm`` is a URI of ``SIGNATURES``."""
    method = SIGNATURES[algorithm]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ecdsa_raw(key.sign(data, ec.ECDSA(method.digest.primitive)), key.key_size)
    return key.sign(data, signature_padding(method), method.digest.primitive)


class Authority:
    """One certification service of an instance, and what it says at ``now``."""

    def __init__(self, instance: str = "XG", now: datetime = NOW) -> None:
        self.instance = instance
        self.now = now
        self.ca = make_ca(f"{instance} CA")
        self.ocsp = issue_ocsp(self.ca, f"{instance} OCSP")
        self.tsa = issue_tsa(self.ca, f"{instance} TSA")
        self._stamps = 0

    @property
    def trust(self) -> FixedTrust:
        """The trust that approves of this authority and nothing else."""
        return FixedTrust(cas=(self.approved(),), tsas=(self.tsa.certificate,))

    def approved(self, ca: Credential | None = None, **more: Any) -> ApprovedCa:
        """A CA, by default its own, as a global configuration lists it."""
        listed = {"ocsp_certificates": (self.ocsp.certificate,), **more}
        return ApprovedCa(self.instance, (ca or self.ca).certificate, "Basic", **listed)

    def member(self, member: ClientId, **more: Any) -> Credential:
        """A signing certificate of a member; ``more`` as in ``pki.issue_sign``."""
        return issue_sign(self.ca, member, **more)

    def vouch(
        self,
        subject: Certificate,
        *,
        at: datetime | None = None,
        status: str | datetime = GOOD,
        ca: Credential | None = None,
    ) -> bytes:
        """An OCSP response (DER) about a certificate that ``ca`` issued, by default its own."""
        issuer = (ca or self.ca).certificate
        request = write_ocsp_request(subject, issuer)
        return answer_ocsp(request, self.ocsp, issuer, lambda _: status, at or self.now)

    def sign(
        self,
        reference: str,
        data: bytes,
        signer: Credential,
        *,
        algorithm: str = ECDSA_SHA512,
        ocsp: Sequence[bytes] | None = None,
        intermediates: Sequence[Certificate] = (),
    ) -> bytes:
        """A signature document over ``data``, which ``reference`` names (signature 2)."""
        draft = draft_signature(
            certificate=signer.certificate,
            algorithm=algorithm,
            reference=reference,
            digest=SIGNATURES[algorithm].digest.of(data),
            signing_time=self.now,
            ocsp=[self.vouch(signer.certificate)] if ocsp is None else ocsp,
            intermediates=intermediates,
        )
        return draft.finish(sign_raw(signer.key, algorithm, draft.to_be_signed))

    def stamp(self, data: bytes, *, at: datetime | None = None) -> bytes:
        """A time-stamp token (DER) over ``data``."""
        self._stamps += 1
        imprint = SHA512.of(data)
        request = write_timestamp_request(imprint)
        answer = answer_timestamp(request, self.tsa, at or self.now, self._stamps)
        return read_timestamp_response(answer, imprint)
