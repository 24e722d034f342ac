"""Digests of part streams in plain Python: the oracle of ``digest`` and what it says in words.

The rule: same names, same arguments, same answers as ``xgate._native.digest``, over ``hashlib``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

__all__ = ["Hasher", "digest_parts"]

_NAMES: Final = {"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


class Hasher:
    """The digest of a stream that comes in pieces; ``name`` is SHA-256, SHA-384 or SHA-512.

    :raises ValueError: another name.
    """

    def __init__(self, name: str) -> None:
        self._state = _new(name)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next octets of the stream."""
        self._state.update(data)

    def digest(self) -> bytes:
        """The digest of all octets so far; the stream may go on."""
        octets: bytes = self._state.digest()
        return octets


def digest_parts(name: str, parts: Sequence[bytes | bytearray | memoryview]) -> list[bytes]:
    """The digest of each part.

    :raises ValueError: another name than ``Hasher`` takes.
    """
    _new(name)
    digests = []
    for part in parts:
        state = _new(name)
        state.update(part)
        digests.append(state.digest())
    return digests


def _new(name: str) -> Any:
    if name not in _NAMES:
        raise ValueError(f"no such digest here: {name}")
    return hashlib.new(_NAMES[name])
