"""Which OCSP responders to ask about a certificate, and in which order.

The rule: those that the configuration names for its issuer, in the operator's order of cost, then
the one the certificate itself names (globalconf 8, ocsp-tls-certs 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from xgate.globalconf.shared import CostType, OcspInfo
from xgate.trust.certificate import Certificate
from xgate.trust.der import OID, SEQUENCE, Cursor, DerError, context, enter, read_oid

__all__ = ["OcspOrder", "named_responders", "order_responders"]

OcspOrder = Literal["none", "free-first", "paid-first", "only-free", "only-paid"]
"""In which order responders that cost money are asked, and whether at all."""

_RANKS: dict[OcspOrder, dict[CostType | None, int]] = {
    "none": {},
    "free-first": {"FREE": 0, "PAID": 1},
    "paid-first": {"PAID": 0, "FREE": 1},
    "only-free": {"FREE": 0},
    "only-paid": {"PAID": 0},
}
_AUTHORITY_INFORMATION = "1.3.6.1.5.5.7.1.1"
_OCSP = "1.3.6.1.5.5.7.48.1"
_URI = context(6, constructed=False)


def order_responders(found: Sequence[OcspInfo], order: OcspOrder) -> Sequence[OcspInfo]:
    """The responders in this order; those of unknown cost come after those of known cost."""
    ranks = _RANKS[order]
    if order in ("only-free", "only-paid"):
        return [info for info in found if info.cost_type in ranks]
    return sorted(found, key=lambda info: ranks.get(info.cost_type, len(ranks)))


def named_responders(certificate: Certificate) -> tuple[str, ...]:
    """The URL of the responder that a certificate names; nothing if it cannot be read."""
    extension = certificate.find_extension(_AUTHORITY_INFORMATION)
    if extension is None:
        return ()
    try:
        for description in enter(extension.value):
            fields = Cursor(description.content)
            method, place = read_oid(fields.take(OID)), fields.take()
            if description.tag == SEQUENCE and method == _OCSP and place.tag == _URI:
                return (place.content.decode("ascii"),)
    except (DerError, UnicodeDecodeError):
        pass
    return ()
