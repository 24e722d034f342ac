"""Checks of the process's means, and of the libraries that everything stands on.

The rule: what is limited is compared with what the settings promise to take; a library is asked to
do a piece of its work, and its answer compared with one that is known.
"""

from __future__ import annotations

import hashlib
import os
import resource
import ssl
from pathlib import Path

import trio
from cryptography.hazmat.backends.openssl import backend

from xgate._native.provider import provider_environment
from xgate.cli.doctor.case import Case
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, warning
from xgate.securityserver.doors import FILES_EACH, OTHER_FILES

__all__ = ["check_libraries", "check_limits", "may_be_swapped"]

_LEAST_MEMORY = 256e6
_XML = b'<a b="1"><c/></a>'
_CANONICAL = b'<a b="1"><c></c></a>'


async def check_limits(case: Case) -> Findings:
    """Descriptors and memory suffice for the connections that may come."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = await trio.to_thread.run_sync(_free_memory)
    looked = (_files(case, soft), _memory(free), await trio.to_thread.run_sync(_swap, case))
    found = [finding for finding in looked if finding is not None]
    memory = "" if free is None else f", {free / 1e6:,.0f} MB of memory free"
    return found or [ok(f"{soft} open files{memory} (as this command has them)")]


def _files(case: Case, soft: int) -> Finding | None:
    connections = case.settings.limits.connections
    wanted = FILES_EACH * connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return None
    fewer = max(1, (soft - OTHER_FILES) // FILES_EACH)
    return warning(
        f"{soft} open files, and [limits] connections = {connections}",
        expected=f"{wanted} open files",
        fix=f"Start the server with LimitNOFILE={wanted} (systemd) or ulimit -n {wanted}, "
        f"or set connections = {fewer}.",
    )


def _memory(free: float | None) -> Finding | None:
    if free is None or free >= _LEAST_MEMORY:
        return None
    said = f"{free / 1e6:.0f} MB of memory are free"
    fix = "Stop what else runs here, or give this machine more memory."
    return warning(said, expected=f"{_LEAST_MEMORY / 1e6:.0f} MB", fix=fix)


def _swap(case: Case) -> Finding | None:
    lockable, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if case.settings.keys.signer or not may_be_swapped(lockable):
        return None
    return warning(
        f"this machine swaps, and {lockable} octets of memory may be locked: keys may be written "
        "to the disk",
        expected="no limit, or no swap",
        fix="Start the server with LimitMEMLOCK=infinity (systemd), or encrypt the swap.",
    )


def may_be_swapped(lockable: int, swaps: Path = Path("/proc/swaps")) -> bool:
    """Whether memory with keys can be written to a swap.

    :param lockable: how many octets may be locked.
    """
    if lockable == resource.RLIM_INFINITY or os.geteuid() == 0:
        return False
    try:
        return len(swaps.read_text("utf-8", "replace").splitlines()) > 1  # the first is a heading
    except OSError:
        return False


def _free_memory() -> float | None:
    """Octets that can be had without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        said = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(said.split()[1]) * 1024.0
    except (OSError, StopIteration, ValueError, IndexError):
        return None


async def check_libraries(case: Case) -> Findings:
    """The native core and OpenSSL are there and do what they should."""
    versions = f"{backend.openssl_version_text()} (TLS, keys), {ssl.OPENSSL_VERSION} (Python)"
    problem = await trio.to_thread.run_sync(_try_core)
    if not problem and hasattr(case, "settings") and case.settings.keys.signer:
        problem = await trio.to_thread.run_sync(_find_provider)
    if problem:
        what = f"the native core does not work: {problem}"
        return [broken(what, fix="Install xgate anew: pip install --force-reinstall xgate.")]
    return [ok(f"native core works; {versions}")]


def _try_core() -> str:
    """What is wrong with the native core; empty if nothing is."""
    try:
        from xgate._native.c14n import canonicalise
        from xgate._native.digest import digest_parts
    except ImportError as error:
        return str(error)
    if canonicalise(_XML) != _CANONICAL:
        return "it gives another canonical form"
    if digest_parts("SHA-512", [_XML]) != [hashlib.sha512(_XML).digest()]:
        return "it gives another digest"
    return ""


def _find_provider() -> str:
    """What is wrong with the provider for keys in the signer; empty if nothing is."""
    try:
        provider_environment()
    except FileNotFoundError as error:
        return str(error)
    return ""
