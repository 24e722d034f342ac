"""The settings of archives: off unless a directory is named, and the reference's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from xgate.securityserver.archive_settings import ArchiveSettings
from xgate.securityserver.settings import SettingsError, load_settings

MINIMAL = 'server = "DEV/COM/1234/SS0"\n'


def load(folder: Path, text: str) -> ArchiveSettings:
    path = folder / "xgate.toml"
    path.write_text(MINIMAL + text)
    return load_settings(path).messagelog.archive


def test_nothing_is_archived_unless_a_directory_is_named(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    assert settings.directory == ""
    assert (settings.interval_seconds, settings.keep_days) == (6 * 3600, 30)
    assert (settings.max_file_bytes, settings.max_file_records) == (33_554_432, 10_000)
    assert (settings.grouping, settings.digest) == ("none", "SHA-512")


def test_everything_can_be_said(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        [messagelog.archive]
        directory = "archive"
        grouping = "member"
        max-file-seconds = 86400
        transfer-command = ["/usr/local/bin/send", "--all"]
        [messagelog.archive.encryption]
        signing-key = "signing.pgp"
        member-keys = "keys.ini"
        [messagelog.archive.bucket]
        endpoint = "https://s3.example.org"
        bucket = "archives"
        """,
    )
    assert settings.transfer_command == ("/usr/local/bin/send", "--all")
    assert settings.encryption.member_keys == "keys.ini"
    assert settings.bucket.region == "us-east-1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[messagelog.archive]\ndirektory = "a"', "did you mean 'directory'?"),
        ('[messagelog.archive.encryption]\nsigning-kex = "a"', "did you mean 'signing-key'?"),
        ('[messagelog.archive.bucket]\nbuckets = "a"', "did you mean 'bucket'?"),
        ('[messagelog.archive]\ngrouping = "owner"', "grouping"),
        ('[messagelog.archive]\ndigest = "SHA-1"', "digest"),
        ("[messagelog.archive]\nmax-file-bytes = 0", "max-file-bytes"),
        ("[messagelog.archive]\nmax-file-bytes = 5368709120", "max-file-bytes"),
        ("[messagelog.archive]\nkeep-days = -1", "keep-days"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said.replace("?", r"\?")):
        load(tmp_path, text)
