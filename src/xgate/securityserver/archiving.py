"""The archiver that the settings describe.

The rule: all files that the settings name are read and all keys are found at the start, so what
cannot be encrypted as wanted is known before the first archive, not after a night.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from xgate.clock import Clock
from xgate.errors import Fault
from xgate.keepers.archives import ArchivePlan, keep_archives
from xgate.messagelog.archive import Rotation
from xgate.messagelog.archiver import Archiver
from xgate.messagelog.aws_signature import AccessKey
from xgate.messagelog.envelope import Envelope, PlainEnvelope
from xgate.messagelog.key_map import read_key_map, useless_lines
from xgate.messagelog.openpgp import OpenPgpEnvelope
from xgate.messagelog.outbox import Outbox
from xgate.messagelog.s3 import S3Target
from xgate.messagelog.store import LogStore
from xgate.messagelog.target import ArchiveTarget, FileTarget
from xgate.securityserver.archive_settings import (
    ArchiveEncryptionSettings,
    ArchiveSettings,
    BucketSettings,
)
from xgate.securityserver.journal import Journal
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.settings import SettingsError
from xgate.trust.linking import linking_digest

__all__ = ["archive_plan", "keep_archived", "open_archiver"]

_SHELL = ("/bin/bash", "-c")


def archive_plan(settings: ArchiveSettings) -> ArchivePlan:
    """What the keeper does, and when."""
    command = settings.transfer_command
    if isinstance(command, str):
        command = (*_SHELL, command) if command else ()
    return ArchivePlan(
        interval=settings.interval_seconds,
        retry=settings.retry_seconds,
        keep=timedelta(days=settings.keep_days),
        clean_batch=settings.clean_batch,
        transfer=command,
        transfer_seconds=settings.transfer_seconds,
    )


def open_archiver(
    settings: ArchiveSettings, folder: Path, store: LogStore, clock: Clock, journal: Journal
) -> Archiver | None:
    """The archiver; None when archiving is off.

    :param folder: where relative paths count from.
    :raises SettingsError: a file, a key or a variable that the settings name is not there.
    """
    if not settings.directory:
        return None
    directory = folder / settings.directory
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        outbox = Outbox(directory / ".outbox")
        envelope = _envelope(settings.encryption, folder, journal)
        target = _target(settings.bucket, directory, clock)
    except OSError as error:
        raise SettingsError(f"[messagelog.archive] {error.filename}: {error.strerror}") from None
    except Fault as fault:
        raise SettingsError(f"[messagelog.archive.encryption] {fault.text}") from None
    except ValueError as error:
        raise SettingsError(f"[messagelog.archive.bucket] {error}") from None
    return Archiver(
        store,
        target,
        outbox,
        envelope=envelope,
        rotation=Rotation(
            octets=settings.max_file_bytes,
            records=settings.max_file_records,
            seconds=settings.max_file_seconds,
        ),
        grouping=settings.grouping,
        digest=linking_digest(settings.digest),
    )


async def keep_archived(server: SecurityServer, archiver: Archiver) -> None:
    """Archive and clean this server's log by its settings, for ever."""
    plan = archive_plan(server.settings.messagelog.archive)
    store = server.messagelog.store
    await keep_archives(archiver, store, server.clock, plan, server.journal.event)


def _envelope(settings: ArchiveEncryptionSettings, folder: Path, journal: Journal) -> Envelope:
    if not settings.signing_key:
        if settings != ArchiveEncryptionSettings():
            raise SettingsError("[messagelog.archive.encryption] needs signing-key")
        return PlainEnvelope()
    password = None
    if settings.password_file:
        password = (folder / settings.password_file).read_text("utf-8").split("\n", 1)[0]
    return OpenPgpEnvelope(
        folder / settings.signing_key,
        folder / settings.keyring if settings.keyring else None,
        password=password,
        default_key=settings.default_key,
        member_keys=_member_keys(settings, folder, journal),
    )


def _member_keys(
    settings: ArchiveEncryptionSettings, folder: Path, journal: Journal
) -> Mapping[str, tuple[str, ...]]:
    if not settings.member_keys:
        return {}
    text = (folder / settings.member_keys).read_text("utf-8")
    for number in useless_lines(text):
        journal.event("archive key mapping ignored", file=settings.member_keys, line=number)
    return read_key_map(text)


def _target(settings: BucketSettings, directory: Path, clock: Clock) -> ArchiveTarget:
    if not settings.endpoint:
        if settings != BucketSettings():
            raise SettingsError("[messagelog.archive.bucket] needs endpoint")
        return FileTarget(directory)
    if not settings.bucket:
        raise SettingsError("[messagelog.archive.bucket] needs bucket")
    for name in (settings.key_id_env, settings.secret_env):
        if not os.environ.get(name):
            raise SettingsError(
                f"[messagelog.archive.bucket] the environment variable {name} is not set"
            )
    return S3Target(
        settings.endpoint,
        settings.bucket,
        AccessKey(
            os.environ[settings.key_id_env],
            os.environ[settings.secret_env],
            os.environ.get("AWS_SESSION_TOKEN", ""),
        ),
        clock,
        region=settings.region,
        prefix=settings.prefix,
        timeout=settings.timeout_seconds,
    )
