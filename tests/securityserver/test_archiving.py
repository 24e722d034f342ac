"""From settings to an archiver that works, or to a refusal that says what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from xgate.ids import ClientId
from xgate.messagelog.record import Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.securityserver.archive_settings import (
    ArchiveEncryptionSettings,
    ArchiveSettings,
    BucketSettings,
)
from xgate.securityserver.archiving import archive_plan, open_archiver
from xgate.securityserver.journal import Journal
from xgate.securityserver.settings import SettingsError
from xgate.testing.authority import NOW
from xgate.testing.clock import FakeClock
from xgate.trust.verify import Evidence

CLOCK = FakeClock(NOW)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SqliteStore(folder / "log.sqlite")
        self.lines: list[bytes] = []
        self.journal = Journal(CLOCK, self.lines.append)
        owner = ClientId("XG", "COM", "1", "app")
        record = Record(NOW, owner, "q", "r", False, b"message", (), Evidence(b"signature"))
        numbers = self.store.append([record] * 3)
        self.store.stamp(dict.fromkeys(numbers, Stamp(b"t", b"<r/>", b"<c/>")), {})

    def archive(self, **more: object) -> list[str]:
        settings = ArchiveSettings(directory="archive", **more)  # type: ignore[arg-type]  # a test's own
        archiver = open_archiver(settings, self.folder, self.store, CLOCK, self.journal)
        assert archiver is not None
        while archiver.archive_next(self.store.newest_stamped()):
            pass
        return sorted(path.name for path in (self.folder / "archive").glob("mlog-*"))

    def refusal(self, **more: object) -> str:
        with pytest.raises(SettingsError) as caught:
            self.archive(**more)
        return str(caught.value)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


def test_without_a_directory_there_is_no_archiver(bench: Bench) -> None:
    assert open_archiver(ArchiveSettings(), bench.folder, bench.store, CLOCK, bench.journal) is None


def test_a_directory_is_enough(bench: Bench) -> None:
    (name,) = bench.archive()
    assert name.startswith("mlog-20")
    assert name.endswith(".zip")
    assert (bench.folder / "archive").stat().st_mode & 0o777 == 0o700


def test_grouping_and_rotation_are_those_of_the_settings(bench: Bench) -> None:
    names = bench.archive(grouping="subsystem", max_file_records=2)
    assert len(names) == 2
    assert all(name.startswith("mlog-XG_COM_1_app-") for name in names)


def test_with_a_signing_key_archives_are_encrypted(bench: Bench) -> None:
    pysequoia = pytest.importorskip("pysequoia")
    (bench.folder / "key").write_bytes(bytes(pysequoia.Tsk.generate("server")))
    (bench.folder / "keys.ini").write_text("no mapping\nXG/COM/1 = server\n")
    encryption = ArchiveEncryptionSettings(signing_key="key", member_keys="keys.ini")
    (name,) = bench.archive(encryption=encryption)
    assert name.endswith(".zip.gpg")
    assert not (bench.folder / "archive" / name).read_bytes().startswith(b"PK")
    (line,) = bench.lines
    assert b'"archive key mapping ignored","file":"keys.ini","line":1' in line


def test_what_is_missing_is_named_at_the_start(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pysequoia = pytest.importorskip("pysequoia")
    (bench.folder / "key").write_bytes(bytes(pysequoia.Tsk.generate("server")))
    encryption = ArchiveEncryptionSettings
    for settings, said in (
        (encryption(keyring="ring"), "needs signing-key"),
        (encryption(signing_key="none"), "Cannot read"),
        (encryption(signing_key="key", keyring="none"), "Cannot read"),
        (encryption(signing_key="key", password_file="none"), "none: No such file"),
        (encryption(signing_key="key", member_keys="none"), "none: No such file"),
        (encryption(signing_key="key", default_key="nobody"), "no OpenPGP key 'nobody'"),
    ):
        assert said in bench.refusal(encryption=settings)
    monkeypatch.setenv("KEY_ID", "id")
    monkeypatch.delenv("SECRET", raising=False)
    at = "http://127.0.0.1:1"
    for bucket, said in (
        (BucketSettings(bucket="b"), "needs endpoint"),
        (BucketSettings(endpoint=at), "needs bucket"),
        (
            BucketSettings(endpoint=at, bucket="b", key_id_env="KEY_ID", secret_env="SECRET"),
            "SECRET",
        ),
    ):
        assert said in bench.refusal(bucket=bucket)
    monkeypatch.setenv("SECRET", "secret")
    wrong = BucketSettings(endpoint="host", bucket="b", key_id_env="KEY_ID", secret_env="SECRET")
    assert "not an endpoint" in bench.refusal(bucket=wrong)


def test_a_directory_that_cannot_be_made_is_named(bench: Bench) -> None:
    (bench.folder / "archive").write_text("a file")
    assert "archive" in bench.refusal()


def test_a_transfer_is_a_program_or_a_line_for_the_shell() -> None:
    assert archive_plan(ArchiveSettings()).transfer == ()
    plan = archive_plan(ArchiveSettings(transfer_command="send *.zip; true", keep_days=1.5))
    assert tuple(plan.transfer) == ("/bin/bash", "-c", "send *.zip; true")
    assert plan.keep == timedelta(hours=36)
    plan = archive_plan(ArchiveSettings(transfer_command=("send", "; true")))
    assert tuple(plan.transfer) == ("send", "; true")
