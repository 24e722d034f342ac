"""Reading large shared parameters in a process of its own, so that nobody waits for it.

The rule: the process that carries messages never holds a country as objects, nor its interpreter
while one is read. What the other process leaves is a ``snapshot``: in a folder, where the next
start and other processes find it by the digest of the file, or in sealed memory. One that dies,
hangs or takes too much is a refusal, and what was in use stays.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from xgate.errors import Fault
from xgate.globalconf.mapped import MappedParameters, map_parameters
from xgate.globalconf.snapshot import Snapshot

__all__ = ["LARGE", "forget_snapshots", "read_apart"]

LARGE = 1024 * 1024
"""Octets of shared parameters from which on they are read apart: less is read in milliseconds."""

_PATIENCE = 120.0  # seconds: a country takes one or two
_SUFFIX = ".snapshot"
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def read_apart(octets: bytes, folder: Path | None = None) -> MappedParameters:
    """Read shared-params.xml of any size and version.

    :param folder: where snapshots are kept; None: in memory, for this process alone.
    :raises Fault: ``malformed_global_conf``; what ``shared.read_shared`` raises.
    """
    digest = hashlib.sha256(octets).digest()
    if folder is None:
        return map_parameters(_into_memory(lambda out: _read(octets, out)))
    path = folder / f"{digest.hex()}{_SUFFIX}"
    found = _find(path, digest)
    if found is None:
        try:
            found = _into_file(path, lambda out: _read(octets, out))
        except OSError:  # a folder that cannot be written costs time at the next start, no more
            found = _into_memory(lambda out: _read(octets, out))
    return map_parameters(found)


def forget_snapshots(folder: Path, used: Iterable[Snapshot]) -> None:
    """Remove the snapshots of this folder that nobody will look for; who has mapped one keeps it.

    :raises OSError: one cannot be removed.
    """
    names = {snapshot.head.digest.hex() + _SUFFIX for snapshot in used}
    for path in folder.glob(f"*{_SUFFIX}"):
        if path.name not in names:
            path.unlink(missing_ok=True)


def _find(path: Path, digest: bytes) -> Snapshot | None:
    """The snapshot that is kept there; None: there is none, or it is not what its name says."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        snapshot = Snapshot(descriptor)
    except (Fault, OSError):
        return None
    finally:
        os.close(descriptor)
    return snapshot if snapshot.head.digest == digest else None


def _into_file(path: Path, write: Callable[[int], None]) -> Snapshot:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, 0o600)
    try:
        write(descriptor)
        os.fsync(descriptor)
        snapshot = Snapshot(descriptor)
        temporary.replace(path)
    finally:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)
    return snapshot


def _into_memory(write: Callable[[int], None]) -> Snapshot:
    descriptor = os.memfd_create("xgate-snapshot", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        write(descriptor)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        return Snapshot(descriptor)
    finally:
        os.close(descriptor)


def _read(octets: bytes, out: int) -> None:
    """Let another process read the octets and write their snapshot to this descriptor."""
    given = os.memfd_create("xgate-shared-params", os.MFD_CLOEXEC)
    try:
        with os.fdopen(given, "wb", closefd=False) as file:
            file.write(octets)
        command = [sys.executable, "-P", "-m", "xgate.globalconf.reader", str(given), str(out)]
        done = subprocess.run(  # noqa: S603  our own interpreter and our own module
            command,
            pass_fds=(given, out),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Fault(
            "malformed_global_conf", f"shared parameters were not read in {_PATIENCE:g} s"
        ) from None
    finally:
        os.close(given)
    if done.returncode != 0:
        raise _refusal(done)


def _refusal(done: subprocess.CompletedProcess[bytes]) -> Fault:
    try:
        return Fault(*msgspec.json.decode(done.stdout, type=tuple[str, str]))
    except msgspec.MsgspecError:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
        return Fault(
            "malformed_global_conf",
            f"the process that reads shared parameters ended with code {done.returncode}: {last}",
        )
