"""What a native call's ``xg_err`` becomes in Python: nothing, a ``Fault``, or our own mistake.

The rule: whatever the input can cause is a ``Fault`` with the caller's code; what only this house
can cause (a wrong argument, no memory) is not dressed up as the other party's error.
"""

from __future__ import annotations

from typing import Final

from xgate._native._xg import lib
from xgate.errors import Fault

__all__ = ["check"]

_WORDS: Final = {
    lib.XG_E_SYNTAX: "not what it claims to be",
    lib.XG_E_LIMIT: "too long, too deep or too many",
    lib.XG_E_NOT_FOUND: "not there",
    lib.XG_E_UNSUPPORTED: "not supported",
}


def check(err: int, code: str, subject: str, cause: str = "") -> None:
    """Return if ``err`` is ``XG_OK``, raise otherwise.

    :param code: fault code for everything that the input can cause.
    :param subject: what was read, as the start of the sentence ("XML document").
    :param cause: what exactly is wrong, where the native function tells it.
    :raises Fault: ``code``, for syntax, limits, missing and unsupported things.
    :raises MemoryError: the native side found no memory.
    :raises ValueError: the caller broke the native contract (``XG_E_ARGUMENT``).
    """
    if err == lib.XG_OK:
        return
    if err == lib.XG_E_MEMORY:
        raise MemoryError(f"{subject}: no memory for the native call")
    words = _WORDS.get(err)
    if words is None:
        raise ValueError(f"{subject}: native call refused its arguments (xg_err {err})")
    raise Fault(code, f"{subject}: {cause or words}")
