"""Digests by ``csrc/digest.c``: of a stream in pieces, or of many spans in one crossing.

The rule: octets are read where they lie, never copied; the stream's state belongs to its ``Hasher``
and goes with it. ``twin_digest`` says the same in plain Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from xgate._native._xg import ffi, lib
from xgate._native.check import check

__all__ = ["ALGORITHMS", "Hasher", "digest_parts"]

ALGORITHMS: Final = {
    "SHA-256": lib.XG_SHA256,
    "SHA-384": lib.XG_SHA384,
    "SHA-512": lib.XG_SHA512,
}
"""The digest algorithms of the core, by X-Road's names."""

_SUBJECT = "digest"


class Hasher:
    """The digest of a stream that comes in pieces; ``name`` is SHA-256, SHA-384 or SHA-512.

    :raises ValueError: another name.
    """

    __slots__ = ("_hasher",)

    def __init__(self, name: str) -> None:
        made = ffi.new("xg_hasher **")
        check(lib.xg_hasher_new(made, ALGORITHMS.get(name, 0)), "internal_error", _SUBJECT)
        self._hasher = ffi.gc(made[0], lib.xg_hasher_free)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next octets of the stream."""
        view = ffi.from_buffer("uint8_t[]", data)
        check(lib.xg_hasher_update(self._hasher, view, len(view)), "internal_error", _SUBJECT)

    def digest(self) -> bytes:
        """The digest of all octets so far; the stream may go on."""
        made = ffi.new("xg_digest *")
        check(lib.xg_hasher_final(made, self._hasher), "internal_error", _SUBJECT)
        return bytes(ffi.buffer(made.octets, made.n))


def digest_parts(name: str, parts: Sequence[bytes | bytearray | memoryview]) -> list[bytes]:
    """The digest of each part.

    :raises ValueError: another name than ``Hasher`` takes.
    """
    if name not in ALGORITHMS:
        raise ValueError(f"no such digest here: {name}")
    views = [ffi.from_buffer("uint8_t[]", part) for part in parts]
    spans = ffi.new("xg_span[]", [(view, len(view)) for view in views])
    made = ffi.new("xg_digest[]", len(views))
    err = lib.xg_digest_parts(made, ALGORITHMS[name], spans, len(views))
    check(err, "internal_error", _SUBJECT)
    return [bytes(ffi.buffer(digest.octets, digest.n)) for digest in made]
