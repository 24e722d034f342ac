"""The X-Road version that security servers tell each other.

The rule: a version is a semantic version, strictly; the build does not count, and what leads up
to a release sorts before it. Sources: transport 2 (``x-proxy-version``) and trap 15, pipeline 8
row 5; semver.org 2.0.0 11.
"""

from __future__ import annotations

import re

from xgate.errors import Fault

__all__ = ["PROXY_VERSION", "check_version", "speaks_old_codes"]

PROXY_VERSION = "7.8.0"
"""The X-Road version that we are compatible with, as peers want to see it (transport trap 15)."""


def check_version(version: str, minimum: str) -> None:
    """The peer must be at least as new as ``minimum`` by the order of semantic versions.

    :raises Fault: ``client_proxy_version_not_supported``; ``internal_error`` when ``version`` is
        not a semantic version.
    """
    if _precedence(version) < _precedence(minimum):
        text = f"The minimum supported version for client security server is: {minimum} "
        raise Fault("client_proxy_version_not_supported", text)


def speaks_old_codes(version: str | None) -> bool:
    """Whether a peer of this version knows fault codes as they were before 7.8 alone.

    One that tells no version, or none that can be read, is taken for a new one.
    """
    try:
        return version is not None and _precedence(version) < _precedence("7.8.0-0")
    except Fault:
        return False


_Precedence = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]

_SEMVER = re.compile(
    r"(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})"
    r"(?:-((?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
    r"(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)


def _precedence(version: str) -> _Precedence:
    match = _SEMVER.fullmatch(version) if len(version) <= 200 else None
    if match is None:
        raise Fault("internal_error", f"'{version[:200]}' is not a semantic version")
    numbers = tuple(map(int, match.group(1, 2, 3)))
    marks = match[4].split(".") if match[4] else []
    # Numbers sort before words; a release sorts after everything that leads up to it.
    pieces = tuple((False, int(m), "") if m.isdigit() else (True, 0, m) for m in marks)
    return numbers, not marks, pieces
