"""Checks of the settings file, and of who else may read or change what a server lives by.

The rule: what is secret is readable by its owner alone, and nobody but its owner or root may change
anything. That a PIN or the log is open to others is a warning, for in a container there may be no
others. A file that is not there is another check's business.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import trio

from xgate.cli.doctor.case import Case
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, warning
from xgate.cli.output import path_text
from xgate.securityserver.settings import Settings, SettingsError, load_settings

__all__ = ["check_files", "check_settings"]


async def check_settings(case: Case) -> Findings:
    """The settings can be read, and mean something."""
    try:
        case.settings = await trio.to_thread.run_sync(load_settings, case.config)
    except SettingsError as error:
        return [broken(str(error), fix=f"Correct it in {path_text(case.config)}.")]
    return [ok(f"of {case.settings.server}")]


async def check_files(case: Case) -> Findings:
    """Nobody else may read secrets, or change anything."""
    found = await trio.to_thread.run_sync(_look, case)
    problems = [finding for finding in found if finding is not None]
    return problems or [
        ok(f"{len(found)} files and folders, closed to other users as they must be")
    ]


def _look(case: Case) -> list[Finding | None]:
    settings, folder = case.settings, case.folder
    strict = list(_there(folder, _strict(settings)))
    secret = [*strict, *_there(folder, _secret(settings))]
    # With a signer, what it opens is its own user's.
    signers = {settings.keys.store, settings.keys.pin_file} if settings.keys.signer else set()
    shared = [path for path in secret if path not in {folder / name for name in signers}]
    plain = [case.config, folder, folder / settings.globalconf.anchor]
    return [
        *(_judge(path, broken if path in strict else warning) for path in secret),
        *(_judge(path) for path in plain if path.exists()),
        _judge_owners({path: path.stat().st_uid for path in shared}),
    ]


def _there(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    return (folder / name for name in names if name and (folder / name).exists())


def _strict(settings: Settings) -> Iterator[str]:
    """Files of keys, which are not taken if others may read them."""
    yield settings.keys.store
    yield from settings.messagelog.encryption.keys.values()


def _secret(settings: Settings) -> Iterator[str]:
    """Other files that hold keys, PINs or the content of messages."""
    log, archive, monitor = settings.messagelog, settings.messagelog.archive, settings.opmonitor
    yield settings.keys.pin_file
    yield from (pin.pin_file for pin in settings.keys.pins.values())
    yield settings.tls.key
    yield archive.encryption.signing_key
    yield archive.encryption.password_file
    yield log.sqlite.path if log.use == "sqlite" else ""
    yield monitor.path if monitor.use == "sqlite" else ""
    yield settings.serverconf.path if settings.serverconf.use == "sqlite" else ""


def _judge_owners(owners: Mapping[Path, int]) -> Finding | None:
    """What only its owner may read is of no use to a server that runs as somebody else."""
    if len(set(owners.values())) < 2:
        return None
    seen = ", ".join(f"{path.name} of user {uid}" for path, uid in owners.items())
    return warning(
        f"they belong to different users: {seen}",
        about="files for the owner alone",
        expected="all of the user that the server runs as",
        fix="Run: chown of that user on those of the others.",
    )


def _judge(path: Path, tell: Callable[..., Finding] | None = None) -> Finding | None:
    """:param tell: how bad it is that others may read it; None: they may."""
    try:
        seen = path.stat()
    except OSError as error:
        why = f"cannot be looked at: {error.strerror}"
        fix = "Run this command as the server's own user."
        return warning(why, about=path_text(path), fix=fix)
    mode = stat.S_IMODE(seen.st_mode)
    shown = path_text(path)
    if mode & 0o022 and not mode & stat.S_ISVTX:
        return broken(
            f"mode {mode:04o}: other users may change it",
            about=shown,
            expected="no right to write but its owner's",
            fix=f"Run: chmod go-w {shown}",
        )
    if tell is not None and mode & 0o077:
        return tell(
            f"mode {mode:04o}: other users may read it",
            about=shown,
            expected="mode 0600",
            fix=f"Run: chmod 600 {shown}",
        )
    return None
