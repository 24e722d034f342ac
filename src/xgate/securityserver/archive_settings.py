"""The settings of the log's archives: ``[messagelog.archive]`` and what is below it.

The rule: as in ``settings``; archiving is on when a directory is named. Defaults are the
reference's (messagelog 7), and nothing is opened here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from xgate.messagelog.archive import Grouping
from xgate.securityserver.section import Section

__all__ = ["ArchiveEncryptionSettings", "ArchiveSettings", "BucketSettings"]

_Count = Annotated[int, msgspec.Meta(ge=1)]
_DAY = 86_400


class ArchiveEncryptionSettings(Section, frozen=True):
    """OpenPGP encryption and signing of archives; on when ``signing-key`` names a file.

    :param signing_key: this server's secret key, as ``gpg --export-secret-keys`` writes it.
    :param password_file: what opens it (the first line); empty: it has no password.
    :param keyring: certificates of those who may read, as ``gpg --export`` writes them.
    :param default_key: for archives of no single member, and of members without a key; empty: this
        server's own.
    :param member_keys: a file of ``memberId = keyId`` lines (asic 4).
    """

    signing_key: str = ""
    password_file: str = ""
    keyring: str = ""
    default_key: str = ""
    member_keys: str = ""


class BucketSettings(Section, frozen=True):
    """An S3-compatible store that archives go to; on when ``endpoint`` is given.

    :param endpoint: ``https://host[:port]``. :param prefix: of the objects' names.
    :param key_id_env: the environment variable with the access key's id; likewise for its secret.
    """

    endpoint: str = ""
    bucket: str = ""
    region: str = "us-east-1"
    prefix: str = ""
    key_id_env: str = "AWS_ACCESS_KEY_ID"
    secret_env: str = "AWS_SECRET_ACCESS_KEY"  # noqa: S105  the name of a variable
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0


class ArchiveSettings(Section, frozen=True):
    """Archives of the message log.

    :param directory: where archives are made, and kept if there is no bucket; empty: no archiving,
        and nothing is ever deleted from the log.
    :param interval_seconds: between two rounds of archiving and cleaning.
    :param retry_seconds: to the next round after one that failed.
    :param grouping: whose records share an archive: all, a member's, or one client's.
    :param max_file_bytes: an archive ends with the container that makes it larger.
    :param max_file_seconds: most seconds from an archive's first record to its last; 0: any.
    :param max_file_records: most records in an archive.
    :param digest: of the chain through all containers.
    :param keep_days: for which records stay in the log.
    :param transfer_command: is run after each archive. A list is a program and its arguments; a
        text is a command line for ``/bin/bash -c``, as in the reference. Only its exit code counts,
        and that is only logged.
    """

    directory: str = ""
    interval_seconds: Annotated[float, msgspec.Meta(ge=1, le=30 * _DAY)] = 21_600.0
    retry_seconds: Annotated[float, msgspec.Meta(ge=1, le=_DAY)] = 60.0
    grouping: Grouping = "none"
    max_file_bytes: Annotated[int, msgspec.Meta(ge=1, le=4 << 30)] = 32 << 20
    max_file_seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    max_file_records: _Count = 10_000
    digest: Literal["SHA-256", "SHA-384", "SHA-512"] = "SHA-512"
    keep_days: Annotated[float, msgspec.Meta(ge=0, le=36_500)] = 30.0
    clean_batch: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1_000
    transfer_command: str | tuple[str, ...] = ""
    transfer_seconds: Annotated[float, msgspec.Meta(gt=0, le=_DAY)] = 3_600.0
    encryption: ArchiveEncryptionSettings = ArchiveEncryptionSettings()
    bucket: BucketSettings = BucketSettings()
