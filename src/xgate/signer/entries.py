"""What is known of keys in the clear: whose they are, their certificates, what was asked of a CA.

The rule: frozen values; a change makes a new one. The same for keys on every token. Ids of
certificates and requests are stable, so that commands can name them (signer 6 and 7).
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

__all__ = ["SOFTWARE", "KeyEntry", "StoredCertificate", "StoredRequest", "Usage"]

Usage = Literal["SIGNING", "AUTHENTICATION"]

SOFTWARE = "0"
"""The software token's id (signer 2)."""


class StoredCertificate(msgspec.Struct, frozen=True):
    """A certificate of a key: for whom it signs (None: authentication), and whether it is in use.

    :param der: the certificate.
    :param member: ``INST/CLASS/CODE[/SUB]`` as registered; None for authentication certificates.
    :param status: as in the reference's registry: ``saved``, ``registration in progress``,
        ``registered``, ``deletion in progress``, ``global error``.
    :param id: what commands call it; SHA-256 of the certificate in hex unless it came with one.
    :param problem: why it could not be activated when that was tried last.
    """

    der: bytes
    member: str | None = None
    active: bool = True
    status: str = "registered"
    id: str = ""
    problem: str | None = None

    def __post_init__(self) -> None:
        if not self.id:
            msgspec.structs.force_setattr(self, "id", hashlib.sha256(self.der).hexdigest())


class StoredRequest(msgspec.Struct, frozen=True):
    """What a certificate was asked for with; the request itself is signed anew when it is wanted.

    :param member: as in ``StoredCertificate``.
    :param subject: the fields of the subject name in their order: field name and value.
    :param alternative: the DNS name, if there is one. :param profile: the CA's, by short name.
    """

    id: str
    member: str | None
    subject: tuple[tuple[str, str], ...]
    alternative: str | None = None
    profile: str | None = None


class KeyEntry(msgspec.Struct, frozen=True):
    """The public side of a key.

    :param usage: None until the first request or certificate decides it.
    :param token: the id of the token that holds the key.
    :param public_key: DER SubjectPublicKeyInfo.
    """

    id: str
    label: str
    usage: Usage | None
    certificates: tuple[StoredCertificate, ...] = ()
    token: str = SOFTWARE
    public_key: bytes = b""
    requests: tuple[StoredRequest, ...] = ()
