"""The file names of archives: ``mlog-[<group>-]<from>-<to>-<digest>.zip[.gpg]``.

The rule: a name is a hint for people and scripts; what counts is in the file. Times are in UTC here
(the reference takes its host's zone), and a group that would make the name longer than 255 octets,
which file systems refuse, is cut shorter than the reference cuts it. Source: asic 2.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

__all__ = ["ArchiveName", "find_archive_name", "write_archive_name"]

_UNFIT = re.compile(r"[\x00-\x1f\x7f\\<>/:|*?]")
_MOST_GROUP = 200
_MOST_NAME = 255
_NAME = re.compile(
    r"mlog-(?:(?P<group>.*)-)?(?P<first>[0-9]{14})-(?P<last>[0-9]{14})-(?P<digest>[0-9a-f]{16})"
    r"\.zip(?P<gpg>\.gpg)?",
    re.DOTALL,
)


class ArchiveName(msgspec.Struct, frozen=True):
    """What a name says; ``group`` is None for archives of all clients.

    :param digest: the first 16 hex digits of the archive's last link.
    """

    group: str | None
    first: str
    last: str
    digest: str
    encrypted: bool


def write_archive_name(
    group: str | None, first: datetime, last: datetime, digest: str, *, encrypted: bool
) -> str:
    """The name of an archive.

    :param group: the client it is of, ``INST/CLASS/CODE[/SUB]``; None: of all.
    :param first: the earliest record's time, aware; ``last``: the latest's.
    :param digest: the last link, hex.
    """
    times = "-".join(at.astimezone(UTC).strftime("%Y%m%d%H%M%S") for at in (first, last))
    rest = f"{times}-{digest[:16]}.zip{'.gpg' if encrypted else ''}"
    prefix = "" if group is None else _UNFIT.sub("_", group) + "-"
    room = _MOST_NAME - len("mlog-") - len(rest)
    cut = prefix[:_MOST_GROUP].encode()[:room].decode("utf-8", "ignore")
    return f"mlog-{cut}{rest}"


def find_archive_name(name: str) -> ArchiveName | None:
    """What a file's name says, or None if it is not an archive's.

    A group that was cut has lost its hyphen, and then looks like none that we know: also None.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    group, first, last, digest, gpg = match.groups()
    return ArchiveName(group, first, last, digest, gpg is not None)
