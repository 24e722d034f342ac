"""Check of the place where bodies of messages wait: ``[spool]``.

The rule: a nameless file is made there as the server makes them, and is gone by itself; what the
settings promise is compared with what the disk has. A folder that is not there yet is the server's
to make, and nothing is made or swept here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import trio

from xgate.cli.doctor.case import Case
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, warning
from xgate.cli.output import path_text
from xgate.net.room import Room, open_nameless
from xgate.securityserver.spool_settings import SpoolSettings

__all__ = ["check_spool"]


async def check_spool(case: Case) -> Findings:
    """Bodies can wait in the folder, and it has the room that the settings promise."""
    return await trio.to_thread.run_sync(_look, case, abandon_on_cancel=True)


def _look(case: Case) -> list[Finding]:
    settings = case.settings.spool
    folder = case.folder / settings.directory if settings.directory else Room().directory
    found = _existing(folder)
    try:
        with open_nameless(found) as probe:
            probe.write(b"probe")
        disk = os.statvfs(found)
    except OSError as error:
        return [_unwritable(folder, found, error)]
    free = disk.f_bavail * disk.f_frsize
    said = f"{path_text(folder)}: {_megabytes(free)} free"
    if found != folder:
        said += "; the server makes it when it starts"
    return list(_promises(settings, free, said)) or [ok(said)]


def _existing(folder: Path) -> Path:
    """The folder, or the nearest thing above it that is there, in which it would be made."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _unwritable(folder: Path, found: Path, error: OSError) -> Finding:
    what = f"{path_text(folder)}: no file can be made in {path_text(found)}: {error.strerror}"
    if not found.is_dir():
        return broken(what, fix="Name a folder in [spool] directory.")
    fix = (
        f"Let the server's user write there (chown of {path_text(found)}), or name another folder "
        "in [spool] directory."
    )
    return broken(what, fix=fix)


def _promises(settings: SpoolSettings, free: int, said: str) -> Iterable[Finding]:
    """What is promised and not there."""
    room = "Make room on this disk, or name a folder on a larger one in [spool] directory"
    if free < settings.free_bytes:
        yield broken(
            f"{said}: bodies that do not fit into memory are refused",
            expected=f"[spool] free-bytes = {settings.free_bytes} at least",
            fix=f"{room}.",
        )
        return
    if settings.message_bytes > settings.most_bytes:
        yield warning(
            f"[spool] message-bytes = {settings.message_bytes}, and all bodies together may take "
            f"{settings.most_bytes}",
            expected="no more than most-bytes",
            fix="Lower [spool] message-bytes, or raise most-bytes.",
        )
    # Nobody has promised what is merely the default.
    promised = settings.most_bytes != SpoolSettings().most_bytes
    if promised and free - settings.free_bytes < settings.most_bytes:
        yield warning(
            f"{said}, and bodies are promised {_megabytes(settings.most_bytes)}",
            expected=f"{_megabytes(settings.most_bytes + settings.free_bytes)} free",
            fix=f"{room}; or lower [spool] most-bytes.",
        )


def _megabytes(octets: int) -> str:
    return f"{octets / 1e6:,.0f} MB"
