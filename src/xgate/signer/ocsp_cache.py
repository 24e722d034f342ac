"""OCSP responses at hand: our own certificates', and those that peers showed us.

The rule: kept by SHA-1 of the certificate (the reference's key on port 5577); what is handed out
was verified for its use now, with the parameters of now (ocsp-tls-certs 6, 7, trap 12). Bounded:
the oldest entries leave first.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.trust.anchors import ApprovedCa, Trust
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse, verify_ocsp
from xgate.trust.path import build_path

__all__ = ["OcspCache", "find_issuer", "fresh_until"]


class OcspCache:
    """In memory, for one process; only the event loop's thread changes it."""

    def __init__(self, limit: int = 10_000) -> None:
        """:param limit: how many responses are kept; the oldest goes first."""
        self._limit = limit
        self._by_sha1: OrderedDict[str, bytes] = OrderedDict()

    def find(self, sha1: str, trust: Trust, now: datetime) -> bytes | None:
        """The DER response for the certificate with this SHA-1 (lower-case hex), or None.

        One that is no longer fresh is dropped on the way: whoever asks would have to refuse it
        (ocsp-tls-certs 7, "Store"). What it says is not judged.
        """
        der = self._by_sha1.get(sha1)
        if der is None:
            return None
        if now <= fresh_until(OcspResponse.load(der), trust):
            return der
        del self._by_sha1[sha1]
        return None

    def put(self, certificate: Certificate, response: bytes) -> None:
        """Keep a response; the caller has verified it."""
        self._by_sha1[certificate.sha1] = response
        self._by_sha1.move_to_end(certificate.sha1)
        while len(self._by_sha1) > self._limit:
            self._by_sha1.popitem(last=False)

    def drop(self, certificate: Certificate) -> None:
        """Forget a response that has turned out to be no longer valid."""
        self._by_sha1.pop(certificate.sha1, None)

    def usable(
        self, certificate: Certificate, issuer: ApprovedCa, trust: Trust, now: datetime
    ) -> bytes:
        """The response that proves ``certificate`` good now.

        :raises Fault: ``cert_validation`` or ``incorrect_validation_info``.
        """
        if not certificate.valid_at(now):
            raise Fault(
                "cert_validation",
                f"certificate {certificate.serial} is not within its validity period",
            )
        der = self._by_sha1.get(certificate.sha1)  # a stale one refuses by name, below
        if der is None:
            raise Fault(
                "incorrect_validation_info",
                f"no OCSP response for certificate {certificate.serial} has been obtained yet",
            )
        verify_ocsp(OcspResponse.load(der), certificate, issuer, trust, now)
        return der


def fresh_until(response: OcspResponse, trust: Trust) -> datetime:
    """The last moment at which a response proves anything, by the parameters of now (trap 12)."""
    aged = response.this_update + trust.ocsp_freshness
    if trust.verify_next_update and response.next_update is not None:
        return min(aged, response.next_update)
    return aged


def find_issuer(conf: GlobalConf, certificate: Certificate, now: datetime) -> ApprovedCa:
    """The approved CA of our own instance that issued one of our certificates.

    :raises Fault: ``internal_error`` when there is none, ``cannot_create_cert_path...`` when it
        does not hold now.
    """
    cas = conf.find_cas(conf.own, certificate.issuer)
    if not cas:
        raise Fault(
            "internal_error",
            "Certificate is not issued by approved certification service provider.",
        )
    anchor = build_path(certificate, (), [ca.certificate for ca in cas], now)[-1]
    return next(ca for ca in cas if ca.certificate == anchor)
