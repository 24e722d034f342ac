"""The message log that the settings name, with its keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.securityserver.log_store import open_log
from xgate.securityserver.settings import (
    EncryptionSettings,
    MessagelogSettings,
    PostgresSettings,
    SettingsError,
    SqliteSettings,
)
from xgate.testing.logstore_records import a_record
from xgate.testing.postgres import Cluster


def settings(current: str = "", *names: str) -> MessagelogSettings:
    return MessagelogSettings(
        sqlite=SqliteSettings("logs/log.sqlite"),
        encryption=EncryptionSettings(current, {name: f"{name}.key" for name in names}),
    )


def test_paths_count_from_the_folder(tmp_path: Path) -> None:
    open_log(settings(), tmp_path).close()
    assert (tmp_path / "logs" / "log.sqlite").exists()


def test_keys_turn_and_one_that_has_gone_is_named(tmp_path: Path) -> None:
    for name in ("k1", "k2"):
        path = tmp_path / f"{name}.key"
        path.write_bytes(name.encode() * 16)
        path.chmod(0o600)
    for number, current in enumerate(("", "k1", "k2", "")):
        log = open_log(settings(current, "k1", "k2"), tmp_path)
        log.append([a_record(number)])
        messages = [logged.record.message for logged in log.find()]
        assert messages == [b"message %d" % n for n in range(number + 1)]
        log.close()
    reader = open_log(settings("", "k2"), tmp_path, read_only=True)
    with pytest.raises(Fault, match="'k1'"):
        list(reader.find())
    assert reader.statistics().encrypted == 2
    with pytest.raises(Fault):
        reader.append([a_record(9)])
    reader.close()
    with pytest.raises(Fault, match=r"'k3' of the message log, .*k3\.key: No such file"):
        open_log(settings("", "k3"), tmp_path)
    with pytest.raises(Fault, match="'k3' of the message log is not among its keys"):
        open_log(settings("k3", "k1"), tmp_path)


def test_an_unknown_store_is_refused_with_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'oracle' is no log store; known: .*postgres, sqlite"):
        open_log(MessagelogSettings(use="oracle"), tmp_path)
    with pytest.raises(SettingsError, match=r"\[messagelog.postgres\] needs conninfo"):
        open_log(MessagelogSettings(use="postgres"), tmp_path)


def test_postgres_is_opened_by_its_own_section(tmp_path: Path, postgres: Cluster) -> None:
    section = PostgresSettings(postgres.empty_database(), connect_seconds=3, answer_seconds=5)
    log = open_log(MessagelogSettings(use="postgres", postgres=section), tmp_path)
    assert len(log.append([a_record(1)])) == 1
    log.close()
    assert list(tmp_path.iterdir()) == []
