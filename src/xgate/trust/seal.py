"""Seals: what passed. The ordered names and SHA-512 digests of a message's parts.

The rule: a seal grows while the bytes flow by and holds none of them; equal seals mean equal
messages. What is signed, chained, logged and verified is the seal. Source: hashchain 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xgate._native.digest import Hasher, digest_parts
from xgate.algorithms import SHA512

__all__ = ["MESSAGE", "Part", "Seal", "Sealer", "attachment_name", "seal_of"]

MESSAGE = "/message.xml"
"""What every signature calls the first part of a message, SOAP or REST."""


def attachment_name(number: int) -> str:
    """What every signature calls the attachment with this number, counted from 1."""
    return f"/attachment{number}"


class Part(msgspec.Struct, frozen=True):
    """One part of a message: ``/message.xml``, ``/attachment1``... and its SHA-512."""

    name: str
    digest: bytes


class Seal(msgspec.Struct, frozen=True):
    """A message's parts in order; there is at least one."""

    parts: tuple[Part, ...]


class Sealer:
    """A seal that grows: ``begin``, ``update``..., ``end`` for each part, then ``seal``.

    Calls in another order, or a name that was there already, are our own mistake: ``ValueError``.
    """

    __slots__ = ("_hasher", "_name", "_parts")

    def __init__(self) -> None:
        self._parts: dict[str, bytes] = {}
        self._name = ""
        self._hasher: Hasher | None = None

    def begin(self, name: str) -> None:
        """A part with this name begins."""
        if self._hasher is not None or not name or name in self._parts:
            raise ValueError(f"no part {name!r} may begin here")
        self._name = name
        self._hasher = Hasher(SHA512.name)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """The next octets of the part."""
        if self._hasher is None:
            raise ValueError("octets outside a part")
        self._hasher.update(data)

    def end(self) -> None:
        """The part is complete."""
        if self._hasher is None:
            raise ValueError("no part to end")
        self._parts[self._name] = self._hasher.digest()
        self._hasher = None

    def seal(self) -> Seal:
        """The seal of all parts that passed, at least one."""
        if self._hasher is not None or not self._parts:
            raise ValueError("a seal needs a part, and each complete")
        return Seal(tuple(Part(name, digest) for name, digest in self._parts.items()))


def seal_of(message: bytes, attachments: Sequence[bytes | memoryview] = ()) -> Seal:
    """The seal of a message that lies in memory: its first part, then its attachments."""
    names = [MESSAGE, *(attachment_name(n) for n in range(1, len(attachments) + 1))]
    digests = digest_parts(SHA512.name, [message, *attachments])
    return Seal(tuple(map(Part, names, digests)))
