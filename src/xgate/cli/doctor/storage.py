"""Checks of what a server keeps: its message log, and the disks that it writes to.

The rule: the log is opened for reading only, and no lock of it is touched; a probe file is the one
thing that is ever written, and it is gone again. Nothing is counted that grows with the log.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trio

from xgate.cli.doctor.case import Case
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, warning
from xgate.cli.doctor.times import length_text
from xgate.cli.output import path_text
from xgate.errors import Fault
from xgate.messagelog.outage import Outage
from xgate.messagelog.postgres_tables import SCHEMA
from xgate.messagelog.store import LogStore
from xgate.securityserver.log_store import open_log
from xgate.securityserver.settings import SettingsError
from xgate.securityserver.stamping import OUTAGE_FILE

__all__ = ["check_database", "check_disk"]

_FEW_FILES = 1000
_PATIENCE = 2  # rounds of stamping or archiving that may have been missed
_LEAST_PATIENCE = timedelta(minutes=10)
_STAMPING = "Look at 'timestamping' here, and at the server's log for 'timestamping failed'."


async def check_database(case: Case) -> Findings:
    """The message log can be used, and what is in it gets its timestamps and archives."""
    return await trio.to_thread.run_sync(_look_into, case, abandon_on_cancel=True)


def _look_into(case: Case) -> list[Finding]:
    settings = case.settings.messagelog
    path = case.folder / settings.sqlite.path
    if settings.use == "sqlite":
        refusal = _why_not_writable(path)
        if refusal is not None:
            return [refusal]
        if not path.exists():
            return [ok(f"{path_text(path)} is not there yet; the server makes it when it starts")]
    try:
        store = open_log(settings, case.folder, read_only=True)
        try:
            waiting = store.unstamped(1)
            found = [
                *_replica(case),
                *_waiting(case, store, waiting[0][0] if waiting else None),
                *_outage(case),
                *_archive_means(case),
                *_archives(case, store),
            ]
        finally:
            store.close()
    except SettingsError as error:
        return [broken(str(error), fix="Correct [messagelog].")]
    except Fault as fault:
        where = path_text(path) if settings.use == "sqlite" else f"[messagelog.{settings.use}]"
        fix = f"Check that the database runs and takes this user's connections: {where}."
        return [broken(fault.text, fix=fix)]
    return found or [ok(f"{settings.use}: opened; nothing waits too long")]


def _why_not_writable(path: Path) -> Finding | None:
    target = path if path.exists() else path.parent
    if not target.exists() or os.access(target, os.W_OK):
        return None
    fix = f"Run: chown of the server's user on {path_text(target)}; or run this as that user."
    return broken(f"{path_text(target)} may not be written", fix=fix)


def _replica(case: Case) -> Iterable[Finding]:
    """Whether the database that was found takes records at all: a standby can only be read."""
    settings = case.settings.messagelog
    if settings.use != "postgres":
        return
    import psycopg

    chosen = settings.postgres
    query = "SELECT pg_is_in_recovery(), has_table_privilege(%s, 'INSERT')"
    try:
        with psycopg.connect(chosen.conninfo, connect_timeout=chosen.connect_seconds) as db:
            row = db.execute(query, (f"{SCHEMA}.record",)).fetchone()
            host = db.info.host
    except psycopg.Error as error:
        raise Fault("logging_failed", f"The message log: {error}") from None
    standby, allowed = row or (False, False)
    if standby:
        fix = "Name the primary in [messagelog.postgres] conninfo (target_session_attrs=primary)."
        yield broken(f"{host} is a standby, which can only be read", fix=fix)
    elif not allowed:
        fix = f"Run as the owner: GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA}."
        yield broken("its user may not add records", fix=fix)


def _waiting(case: Case, store: LogStore, oldest: int | None) -> Iterable[Finding]:
    """Whether the oldest record without a timestamp waits for longer than it should."""
    if oldest is None:
        return
    outline = next(store.outlines(number=oldest), None)
    if outline is None:
        return
    waited = case.clock.now() - outline.time
    interval = case.settings.messagelog.timestamping.interval_seconds
    usual = max(_LEAST_PATIENCE, timedelta(seconds=_PATIENCE * interval))
    if waited > usual:
        what = f"record {oldest} waits for a timestamp for {length_text(waited)}"
        yield warning(what, expected=f"less than {length_text(usual)}", fix=_STAMPING)


def _outage(case: Case) -> Iterable[Finding]:
    """Whether timestamping fails, and messages are refused for it."""
    accepted = case.settings.messagelog.timestamping.acceptable_failure_seconds
    path = case.folder / OUTAGE_FILE
    outage = Outage(lambda: ["some"], case.clock, accepted, path)
    if not outage.lasting:
        return
    lasted = timedelta(seconds=outage.seconds)
    allowed = length_text(timedelta(seconds=accepted)) if accepted else "ever"
    what = f"timestamping has failed for {length_text(lasted)}, and may for {allowed}"
    try:
        outage.check()
    except Fault as fault:
        yield broken(f"{what}: messages are refused ({fault.code})", fix=_STAMPING)
    else:
        yield warning(what, fix=_STAMPING)


def _archive_means(case: Case) -> Iterable[Finding]:
    """Whether all that archiving needs is there; a server that misses it does not start."""
    settings = case.settings.messagelog.archive
    if not settings.directory:
        return
    openpgp, bucket = settings.encryption, settings.bucket
    for key, name in (
        ("signing-key", openpgp.signing_key),
        ("password-file", openpgp.password_file),
        ("keyring", openpgp.keyring),
        ("member-keys", openpgp.member_keys),
    ):
        if name and not (case.folder / name).is_file():
            what = f"{path_text(case.folder / name)} is not there"
            fix = f"Put it there, or correct {key} in [messagelog.archive.encryption]."
            yield broken(what, fix=fix)
    if bucket.endpoint:
        for name in (bucket.key_id_env, bucket.secret_env):
            if not os.environ.get(name):
                what = f"the environment variable {name} is not set, here at least"
                fix = f"Set {name} for the server; [messagelog.archive.bucket] names it."
                yield warning(what, fix=fix)


def _archives(case: Case, store: LogStore) -> Iterable[Finding]:
    """Whether what could be archived is."""
    settings = case.settings.messagelog.archive
    if not settings.directory or settings.bucket.endpoint or store.newest_stamped() is None:
        return
    folder = case.folder / settings.directory
    made = max((file.stat().st_mtime for file in folder.glob("*")), default=None)
    if made is None:
        return
    age = case.clock.now() - datetime.fromtimestamp(made, UTC)
    usual = timedelta(seconds=_PATIENCE * settings.interval_seconds)
    if age > usual:
        yield warning(
            f"records wait to be archived, and the last archive is {length_text(age)} old",
            about=path_text(folder),
            expected=f"one in {length_text(usual)}",
            fix="Look at the server's log for 'archiving failed'.",
        )


async def check_disk(case: Case) -> Findings:
    """There is room for the log, for temporary files, and for archives."""
    return await trio.to_thread.run_sync(_look_at_disks, case)


def _look_at_disks(case: Case) -> list[Finding]:
    return [_room(what, _existing(folder), case) for what, folder in _folders(case)]


def _folders(case: Case) -> Iterable[tuple[str, Path]]:
    log = case.settings.messagelog
    if log.use == "sqlite":
        yield "message log", (case.folder / log.sqlite.path).parent
    if case.settings.opmonitor.use == "sqlite":
        yield "operational data", (case.folder / case.settings.opmonitor.path).parent
    yield "temporary files", Path(tempfile.gettempdir())
    if case.settings.globalconf.use == "http":
        yield "configuration", case.folder / case.settings.globalconf.directory
    if log.archive.directory:
        yield "archives", case.folder / log.archive.directory


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above in which it would be made."""
    return next((place for place in (folder, *folder.parents) if place.is_dir()), folder)


def _room(what: str, folder: Path, case: Case) -> Finding:
    about = f"{what}, {path_text(folder)}"
    fix = f"Make room on the disk of {path_text(folder)}, or move it."
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".xgate-doctor-") as probe:
            probe.write(b"probe")
            probe.flush()
        disk = os.statvfs(folder)
    except OSError as error:
        return broken(f"nothing can be written: {error.strerror}", about=about, fix=fix)
    free = disk.f_bavail * disk.f_frsize / 1e6
    least = case.options.free_megabytes
    said = f"{free:,.0f} MB free"
    expected = f"{least:,.0f} MB"
    if free < least / 10:
        return broken(said, about=about, expected=expected, fix=fix)
    if disk.f_files and disk.f_favail < _FEW_FILES:
        said += f", room for {disk.f_favail} files"
        return broken(said, about=about, expected=f"room for {_FEW_FILES} files", fix=fix)
    if free < least:
        return warning(said, about=about, expected=expected, fix=fix)
    return ok(said, about=about)
