"""OCSP responses at hand: our own certificates', and those that peers showed us.

The rule: kept by SHA-1 of the certificate (the reference's key on port 5577); what is handed out
was verified for its use now, with the parameters of now (ocsp-tls-certs 6, 7, trap 12). Bounded:
the oldest entries leave first. It remembers what has changed, for whoever keeps a copy.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime

import trio

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
        self._changed: set[str] = set()
        self._news = trio.Event()

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
        self._forget(sha1)
        return None

    def kept(self, sha1: str) -> bytes | None:
        """The response for this certificate, be it fresh or not."""
        return self._by_sha1.get(sha1)

    def restore(self, responses: Mapping[str, bytes]) -> None:
        """Take responses that were kept, by SHA-1, the oldest first; what is here goes before."""
        for sha1, der in responses.items():
            self._by_sha1.setdefault(sha1, der)
        self._keep_limit()

    def put(self, certificate: Certificate, response: bytes) -> None:
        """Keep a response; the caller has verified it."""
        if self._by_sha1.get(certificate.sha1) != response:
            self._by_sha1[certificate.sha1] = response
            self._note(certificate.sha1)
        self._by_sha1.move_to_end(certificate.sha1)
        self._keep_limit()

    def drop(self, certificate: Certificate) -> None:
        """Forget a response that has turned out to be no longer valid."""
        if certificate.sha1 in self._by_sha1:
            self._forget(certificate.sha1)

    async def wait_changed(self) -> set[str]:
        """The SHA-1 of every certificate whose response has come, changed or gone since the last
        call, as soon as there is one.
        """
        while not self._changed:
            self._news = trio.Event()
            await self._news.wait()
        changed, self._changed = self._changed, set()
        return changed

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

    def _keep_limit(self) -> None:
        while len(self._by_sha1) > self._limit:
            self._forget(next(iter(self._by_sha1)))

    def _forget(self, sha1: str) -> None:
        del self._by_sha1[sha1]
        self._note(sha1)

    def _note(self, sha1: str) -> None:
        self._changed.add(sha1)
        self._news.set()


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
