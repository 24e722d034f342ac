"""OCSP responses on disk, so that a server which starts while the responders are away can work.

The rule: one DER file for each certificate, ``<sha1 in lower-case hex>.ocsp``, as the reference
keeps them (ocsp-tls-certs 7, "Store", and trap 11), so a folder of its can be taken over. A file is
written beside its place and then put there. Nothing here is trusted: who uses a response verifies
it. What is no response is left where it is and told of; number and size are bounded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from xgate.errors import Fault
from xgate.trust.ocsp import OcspResponse

__all__ = ["FoundResponses", "read_ocsp_folder", "write_ocsp_folder"]

_NAME = re.compile(r"(?P<sha1>[0-9a-f]{40})\.ocsp")
_LEFT_OVER = re.compile(r"[0-9a-f]{40}\.ocsp\.new")
_LARGEST = 64 * 1024


class FoundResponses(msgspec.Struct, frozen=True):
    """What a folder held.

    :param responses: by SHA-1 of their certificates, the oldest file first.
    :param damaged: names of files that are no responses. :param dropped: how many are gone now.
    """

    responses: dict[str, bytes]
    damaged: tuple[str, ...] = ()
    dropped: int = 0


def read_ocsp_folder(
    folder: Path, limit: int, is_fresh: Callable[[OcspResponse], bool]
) -> FoundResponses:
    """Read the responses of a folder and delete those that are of no use any more.

    :param limit: how many at most; the newest files are kept.
    :param is_fresh: whether a response may still prove something.
    :raises OSError: the folder cannot be read; one that is not there is empty.
    """
    responses: dict[str, bytes] = {}
    damaged: list[str] = []
    dropped = 0
    try:
        files = _files(folder)
    except FileNotFoundError:
        return FoundResponses({})
    for number, path in enumerate(files):
        der = _read(path)
        if der is None:
            damaged.append(path.name)
        elif number < len(files) - limit or not is_fresh(OcspResponse.load(der)):
            path.unlink(missing_ok=True)
            dropped += 1
        else:
            responses[path.name[:40]] = der
    return FoundResponses(responses, tuple(damaged), dropped)


def write_ocsp_folder(folder: Path, changes: Mapping[str, bytes | None]) -> None:
    """Write these responses, and delete the files of those that are None.

    :param changes: by SHA-1 of the certificate.
    :raises OSError: it cannot be written; each file is either the old or the new one.
    """
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    for sha1, der in changes.items():
        path = folder / f"{sha1}.ocsp"
        if der is None:
            path.unlink(missing_ok=True)
        else:
            new = folder / f"{sha1}.ocsp.new"
            new.write_bytes(der)
            new.replace(path)


def _files(folder: Path) -> list[Path]:
    """The files that are named as responses, the oldest first."""
    found: list[tuple[float, Path]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                continue
            if _LEFT_OVER.fullmatch(entry.name):
                Path(entry.path).unlink(missing_ok=True)
            elif _NAME.fullmatch(entry.name):
                found.append((entry.stat(follow_symlinks=False).st_mtime, Path(entry.path)))
    return [path for _, path in sorted(found)]


def _read(path: Path) -> bytes | None:
    """The octets of a file that is a response, else None."""
    try:
        with path.open("rb") as file:
            der = file.read(_LARGEST + 1)
        OcspResponse.load(der)
    except (OSError, Fault):
        return None
    return der
