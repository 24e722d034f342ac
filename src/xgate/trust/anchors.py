"""What trust stands on: approved certification services, OCSP responders, timestamping services.

The rule: the global configuration decides whom to trust; nothing a message carries adds to it. What
one instance lists counts for its own members alone: whoever asks says whose word is to count
(federation 5). This file is the view that ``trust`` has of it; ``globalconf.conf`` implements it
(globalconf 8).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from xgate.trust.certificate import Certificate, Name

__all__ = ["ApprovedCa", "Trust"]


class ApprovedCa(msgspec.Struct, frozen=True):
    """One CA certificate, top or intermediate, of an approved certification service.

    :param instance: whose configuration approves it.
    :param profile: the service's certificate profile: Java class name or short name.
    :param authentication_only: it may not issue signing certificates.
    :param ocsp_urls: its responders, in the configuration's order.
    :param ocsp_certificates: the certificates of its responders.
    """

    instance: str
    certificate: Certificate
    profile: str
    authentication_only: bool = False
    ocsp_urls: tuple[str, ...] = ()
    ocsp_certificates: tuple[Certificate, ...] = ()


class Trust(Protocol):
    """What may be trusted, at one moment of the configuration's life."""

    def find_cas(self, instance: str, issuer: Name) -> Sequence[ApprovedCa]:
        """The CAs of an instance whose subject is ``issuer``: none, one, or several with renewed
        keys.

        :raises Fault: ``internal_error`` if the instance is unknown.
        """

    def all_cas(self, instance: str | None = None) -> Sequence[ApprovedCa]:
        """The CAs of an instance; None: of every one."""

    def ocsp_certificates(self, instance: str | None = None) -> Sequence[Certificate]:
        """The certificates of the OCSP responders that an instance lists; None: that any does."""

    def tsa_certificates(self, instances: Collection[str] | None = None) -> Sequence[Certificate]:
        """The certificates of the timestamping services of these instances, and of the judge's own
        in any case; None: of every one.
        """

    @property
    def ocsp_freshness(self) -> timedelta:
        """How old an OCSP response may be."""

    @property
    def verify_next_update(self) -> bool:
        """Whether an OCSP response's nextUpdate is looked at."""
