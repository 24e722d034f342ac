"""The settings of the room that bodies of messages take while they pass: ``[spool]``.

The rule: bodies have no size limit of the protocol's; what bounds them is stated here, and what
meets a bound is refused alone. The directory is made and swept before a message comes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec

from xgate.net.room import Bound, NoRoomError, Room, open_nameless
from xgate.securityserver.section import Section, SettingsError

__all__ = ["KEYS", "SpoolSettings", "limit_met", "open_room"]

_Octets = Annotated[int, msgspec.Meta(ge=1)]


class SpoolSettings(Section, frozen=True):
    """Where bodies and attachments wait while what they belong to is verified, and how many.

    :param directory: a folder on a disk, for this server alone or shared with others; empty: the
        system's place for temporary files. Files in it have no names.
    :param most_bytes: octets of all bodies at a time. :param message_bytes: of one message's.
    :param free_bytes: octets that the file system must have left, or no more are taken.
    """

    directory: str = ""
    most_bytes: _Octets = 64 << 30
    message_bytes: _Octets = 16 << 30
    free_bytes: Annotated[int, msgspec.Meta(ge=0)] = 256 << 20


KEYS: dict[Bound, str] = {"most": "most-bytes", "each": "message-bytes", "spare": "free-bytes"}
"""The setting of each bound of the room."""


def limit_met(error: NoRoomError, settings: SpoolSettings) -> str:
    """The setting that a body met, with its value, as ``Fault`` has it."""
    key = KEYS[error.met]
    return f"[spool] {key} = {getattr(settings, key.replace('-', '_'))}"


def open_room(settings: SpoolSettings, folder: Path) -> Room:
    """The room, swept of what a crash left behind.

    :param folder: where a relative directory counts from.
    :raises SettingsError: the directory cannot be made, or no file be made in it.
    """
    room = Room(
        directory=folder / settings.directory if settings.directory else None,
        most=settings.most_bytes,
        each=settings.message_bytes,
        spare=settings.free_bytes,
    )
    try:
        room.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        room.sweep()
        open_nameless(room.directory).close()
    except OSError as error:
        where = os.fspath(error.filename or room.directory)
        raise SettingsError(f"[spool] directory: {where}: {error.strerror}") from None
    return room
