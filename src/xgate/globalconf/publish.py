"""The files of one published generation: what a central server puts under its web root.

The rule: parts lie in a directory of their own per generation and are never rewritten; the signed
directory that names them comes last, so that whoever writes the files in this order never lists
what is not there yet (globalconf 2.1, 11.9).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from xgate.globalconf.directory import NEWEST_VERSION
from xgate.globalconf.generate import (
    Boundaries,
    DirectorySigner,
    describe_part,
    write_directory,
)

__all__ = ["PublishedPart", "publish"]


class PublishedPart(msgspec.Struct, frozen=True):
    """A file to publish: its content identifier, its name and its octets."""

    identifier: str
    file_name: str
    octets: bytes


def publish(
    instance: str,
    parts: Sequence[PublishedPart],
    signer: DirectorySigner,
    boundaries: Boundaries,
    *,
    generation: str,
    expires: datetime,
    name: str = "internalconf",
    version: int = NEWEST_VERSION,
) -> dict[str, bytes]:
    """Path below the web root to octets, in the order in which to write them.

    :param generation: the directory of this generation, for example its moment in digits.
    :param name: ``internalconf`` or ``externalconf``; for the latter give shared parameters only.
    """
    folder = f"V{version}/{generation}"
    files = {f"{folder}/{part.file_name}": part.octets for part in parts}
    entries = [
        describe_part(part.identifier, instance, f"/{folder}/{part.file_name}", part.octets)
        for part in parts
    ]
    files[f"V{version}/{name}"] = write_directory(
        entries, signer, boundaries, expires=expires, version=version
    )
    return files
