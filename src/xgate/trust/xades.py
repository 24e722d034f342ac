"""Signature documents: the face of ``xades_write`` (making them) and ``xades_read`` (reading).

The rule: what others need of either is named here. Source: signature.
"""

from __future__ import annotations

from xgate.trust.xades_read import (
    CHAIN_RESULT,
    MESSAGE,
    Reference,
    SignatureDocument,
    read_signature,
)
from xgate.trust.xades_write import Draft, draft_signature, with_timestamp

__all__ = [
    "CHAIN_RESULT",
    "MESSAGE",
    "Draft",
    "Reference",
    "SignatureDocument",
    "draft_signature",
    "read_signature",
    "with_timestamp",
]
