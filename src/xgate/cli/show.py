"""How things that people know by sight are written: names in certificates, times, serial numbers.

The rule: for the eye only; nothing is ever compared by these texts.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from xgate.trust.alternative_names import alternative_names
from xgate.trust.certificate import Certificate
from xgate.trust.name import Attribute, Name

__all__ = ["ShownCertificate", "name_text", "show_certificate", "time_text"]

# Kinds of attributes that X-Road's certificates use and RFC 2253 has no word for.
_WORDS = {
    "2.5.4.4": "surname",
    "2.5.4.5": "serialNumber",
    "2.5.4.12": "title",
    "2.5.4.15": "businessCategory",
    "2.5.4.42": "givenName",
    "2.5.4.97": "organizationIdentifier",
    "1.2.840.113549.1.9.1": "emailAddress",
}


class ShownCertificate(msgspec.Struct, frozen=True):
    """What is shown of a certificate; ``serial`` is decimal, ``sha256`` hex.

    :param names: its alternative names.
    """

    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    sha256: str
    names: tuple[str, ...] = ()


def show_certificate(certificate: Certificate) -> ShownCertificate:
    """What is shown of this certificate."""
    return ShownCertificate(
        name_text(certificate.subject),
        name_text(certificate.issuer),
        str(certificate.serial),
        certificate.not_before,
        certificate.not_after,
        certificate.sha256.hex(),
        alternative_names(certificate),
    )


def name_text(name: Name) -> str:
    """A distinguished name, the most special attribute first: ``serialNumber=1, CN=A, C=FI``."""
    return ", ".join("+".join(map(_attribute, rdn)) for rdn in reversed(name.rdns))


def time_text(moment: datetime) -> str:
    """``2026-01-31 10:00:00 UTC``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _attribute(attribute: Attribute) -> str:
    word = _WORDS.get(attribute.type)
    if word is None or attribute.text is None:
        return attribute.rfc2253
    return f"{word}={attribute.text}"
