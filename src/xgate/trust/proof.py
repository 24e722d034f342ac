"""What proves a message, and what was proven: the values of ``verify``.

The rule: frozen values, no behaviour; only ``verify`` makes a ``Proven`` or a ``ContainerProof``.
Sources: signature 6, asic 5.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from xgate.ids import ClientId
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse
from xgate.trust.timestamp import Timestamp

__all__ = [
    "ContainerProof",
    "Evidence",
    "Proven",
    "ProvenPart",
]


class Evidence(msgspec.Struct, frozen=True):
    """What comes with a message to prove it: a signature and, if it was merged, a hash chain."""

    signature: bytes
    chain_result: bytes | None = None
    chain: bytes | None = None

    def kept(self, proven: Proven) -> Evidence:
        """What of it is worth keeping: a chain that the signature does not refer to is not."""
        return self if proven.merged else Evidence(self.signature)


class Proven(msgspec.Struct, frozen=True):
    """What a signature proved: ``signer`` (a member) signed, with a certificate that was good.

    ``path`` begins with ``certificate`` and ends with the approved CA; ``ocsp`` holds one response
    for each of its certificates but the CA, in the same order. ``merged`` tells that the signature
    is over the result of a hash chain; a chain that comes with any other signature proves nothing.
    """

    signer: ClientId
    certificate: Certificate
    path: tuple[Certificate, ...]
    ocsp: tuple[OcspResponse, ...]
    signing_time: datetime | None
    at: datetime
    merged: bool = False


class ProvenPart(msgspec.Struct, frozen=True):
    """One part of a container's message: whether its SHA-512 ``digest`` is what was signed."""

    name: str
    digest: bytes
    verified: bool


class ContainerProof(msgspec.Struct, frozen=True):
    """What a container proved.

    ``kind`` and ``timestamp_kind`` tell whether the signature and the time-stamp were each made for
    this message alone or for a batch. ``missing`` names the parts that were signed and are not in
    the container: attachments are not always kept.
    """

    proven: Proven
    kind: Literal["plain", "batch"]
    timestamp: Timestamp
    timestamp_kind: Literal["plain", "batch"]
    parts: tuple[ProvenPart, ...]
    missing: tuple[str, ...]
