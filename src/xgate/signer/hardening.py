"""Keeps keys and PINs where they are: out of core dumps, other processes' sight, and swap.

The rule: what the platform allows is done, what it does not is told, and nothing fails by it. No
other process of the same user can read this one's memory, and a crash leaves no picture of it.
Memory is locked only where that cannot run out: below a limit, a later allocation would fail in the
middle of a message. Pages are locked when they are touched, so that costs nothing by itself:
measured, a server at rest keeps 60 MiB in memory and a signer 50, as they do without it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

if sys.platform == "linux":
    import resource  # it is not on every platform

__all__ = ["Hardened", "harden_process", "wiped"]

_PR_SET_DUMPABLE = 4
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_CAP_IPC_LOCK = 14


class Hardened(msgspec.Struct, frozen=True):
    """What could be done.

    :param dumps: None: there is no core dump, and nobody may attach; else why not.
    :param swap: None: no memory that holds keys is swapped out; else why it may be.
    """

    dumps: str | None
    swap: str | None


def harden_process(*, lock: bool = True) -> Hardened:
    """Harden this process, for as long as it lives; call it before anything secret is read.

    :param lock: also keep its memory out of swap; for processes that hold keys.
    :returns: why something of it could not be done.
    """
    if sys.platform != "linux":
        cause = f"{sys.platform} has no such switch"
        return Hardened(cause, cause)
    return Hardened(_forbid_dumps(), _lock_memory() if lock else None)


@contextmanager
def wiped(size: int) -> Iterator[bytearray]:
    """A buffer that is overwritten when the block ends, however it ends."""
    buffer = bytearray(size)
    try:
        yield buffer
    finally:
        buffer[:] = bytes(size)


def _forbid_dumps() -> str | None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return _call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def _lock_memory() -> str | None:
    _, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if most == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (most, most))
    elif not _may_lock_all():
        return f"only {most} octets may be locked; LimitMEMLOCK=infinity allows it (systemd)"
    return _call("mlockall", _MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)


def _may_lock_all() -> bool:
    """Whether the limit does not hold for this process."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return False
    effective = next(
        (line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0"
    )
    return bool(int(effective, 16) >> _CAP_IPC_LOCK & 1)


def _call(name: str, *arguments: int) -> str | None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*map(ctypes.c_ulong, arguments)) == 0:
        return None
    return f"{name}: {os.strerror(ctypes.get_errno())}"
