"""The message log and the disks."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from tests.cli.doctor.conftest import Patient

from xgate.clock import SystemClock
from xgate.messagelog.postgres import PostgresStore
from xgate.messagelog.postgres_tables import SCHEMA
from xgate.messagelog.record import Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.securityserver.stamping import OUTAGE_FILE
from xgate.testing.postgres import Cluster
from xgate.trust.verify import Evidence


def test_a_log_that_is_another_programs(patient: Patient) -> None:
    path = patient.folder / "messagelog.sqlite"
    for file in patient.folder.glob("messagelog.sqlite*"):
        file.unlink()
    path.write_bytes(b"no database")
    path.chmod(0o600)
    check, observed, fix = patient.examine().link
    assert check == "database"
    assert observed.startswith(f"Cannot open the message log {path}: ")
    assert fix.endswith(f"takes this user's connections: {path}.")


def test_a_log_that_is_not_there_yet(patient: Patient) -> None:
    patient.add('\n[messagelog.sqlite]\npath = "new.sqlite"\n')
    (found,) = patient.examine("--only", "database").of("database")
    assert found["state"] == "ok"
    assert "is not there yet" in found["observed"]
    assert not (patient.folder / "new.sqlite").exists()


def test_a_database_that_is_gone(patient: Patient) -> None:
    conninfo = "host=/nowhere dbname=log"
    patient.add(f'\n[messagelog]\nuse = "postgres"\n[messagelog.postgres]\nconninfo = "{conninfo}"')
    check, observed, fix = patient.examine("--only", "database").link
    assert check == "database"
    assert "/nowhere" in observed
    assert fix.endswith("[messagelog.postgres].")


def test_a_database_that_is_there(patient: Patient, postgres: Cluster) -> None:
    conninfo = postgres.make_database()
    patient.add(f'\n[messagelog]\nuse = "postgres"\n[messagelog.postgres]\nconninfo = "{conninfo}"')
    check, observed, _ = patient.examine("--only", "database").link
    assert check == "database"
    assert observed.endswith("its tables are of version 0; a server makes them at start")
    PostgresStore(conninfo).close()
    (found,) = patient.examine("--only", "database").of("database")
    assert found["observed"] == "postgres: opened; nothing waits too long"


def test_a_database_whose_user_may_only_read(patient: Patient, postgres: Cluster) -> None:
    conninfo = postgres.make_database()
    PostgresStore(conninfo).close()
    with psycopg.connect(conninfo) as db:
        db.execute("DROP ROLE IF EXISTS reader")
        db.execute("CREATE ROLE reader LOGIN")
        db.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO reader")
        db.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO reader")
    theirs = conninfo.replace("user=postgres", "user=reader")
    patient.add(f'\n[messagelog]\nuse = "postgres"\n[messagelog.postgres]\nconninfo = "{theirs}"')
    ran = patient.examine("--only", "database")
    with psycopg.connect(conninfo) as db:
        db.execute("DROP OWNED BY reader")
        db.execute("DROP ROLE reader")
    check, observed, fix = ran.link
    assert (check, observed) == ("database", "its user may not add records")
    assert fix.startswith("Run as the owner: GRANT INSERT")


def log_one(patient: Patient, at: datetime) -> None:
    record = Record(
        time=at,
        owner=patient.place.client,
        query_id="1",
        request_id="2",
        response=False,
        message=b"GET\r\n",
        attachments=(),
        evidence=Evidence(b"<signature/>"),
    )
    with closing(SqliteStore(patient.folder / "messagelog.sqlite")) as store:
        store.append([record])


def test_a_record_that_waits_for_too_long(patient: Patient) -> None:
    log_one(patient, SystemClock().now() - timedelta(hours=7))
    ran = patient.examine("--only", "database")
    assert ran.code == 0
    (found,) = ran.of("database")
    assert found["state"] == "warning"
    assert found["observed"] == "record 1 waits for a timestamp for 7 h"


def test_one_that_was_logged_just_now(patient: Patient) -> None:
    log_one(patient, SystemClock().now())
    assert patient.examine("--only", "database").states("database") == {"ok"}


@pytest.mark.parametrize(("hours", "state"), [(1, "warning"), (6, "broken")])
def test_timestamping_that_fails_for_long(patient: Patient, hours: int, state: str) -> None:
    since = SystemClock().now() - timedelta(hours=hours)
    (patient.folder / OUTAGE_FILE).write_text(since.isoformat())
    (found,) = patient.examine("--only", "database").of("database")
    assert found["state"] == state
    assert found["observed"].startswith("timestamping has failed for ")
    assert "and may for 4 h" in found["observed"]
    assert ("messages are refused" in found["observed"]) == (state == "broken")


def test_a_key_that_archives_need(patient: Patient) -> None:
    patient.add('\n[messagelog.archive]\ndirectory = "archives"\n')
    patient.add('\n[messagelog.archive.encryption]\nsigning-key = "server.pgp"\n')
    check, observed, fix = patient.examine("--only", "database").link
    assert (check, observed) == ("database", f"{patient.folder / 'server.pgp'} is not there")
    assert fix.endswith("or correct signing-key in [messagelog.archive.encryption].")
    assert not (patient.folder / "archives").exists()


def test_a_secret_that_a_bucket_needs(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    patient.add('\n[messagelog.archive]\ndirectory = "archives"\n')
    patient.add('\n[messagelog.archive.bucket]\nendpoint = "http://127.0.0.9"\nbucket = "b"\n')
    (found,) = patient.examine("--only", "database").of("database")
    assert found["state"] == "warning"
    assert found["observed"].startswith("the environment variable AWS_SECRET_ACCESS_KEY is not")


def make_archive(patient: Patient, *, age: timedelta) -> None:
    """An archive of that age, and a record that could be in the next one."""
    log_one(patient, SystemClock().now())
    with closing(SqliteStore(patient.folder / "messagelog.sqlite")) as store:
        waiting = store.unstamped(10)
        store.stamp({number: Stamp(b"token") for number, _ in waiting}, {})
    patient.add('\n[messagelog.archive]\ndirectory = "archives"\n')
    archive = patient.folder / "archives" / "mlog.zip"
    archive.parent.mkdir()
    archive.touch()
    made = (SystemClock().now() - age).timestamp()
    os.utime(archive, (made, made))


@pytest.mark.parametrize(("hours", "state"), [(7, "ok"), (13, "warning")])
def test_archives_that_are_not_made_any_more(patient: Patient, hours: int, state: str) -> None:
    make_archive(patient, age=timedelta(hours=hours))
    (found,) = patient.examine("--only", "database").of("database")
    assert found["state"] == state
    if state == "warning":
        assert found["observed"] == (
            "records wait to be archived, and the last archive is 13 h old"
        )
        assert found["expected"] == "one in 12 h"


def test_a_disk_that_is_full(patient: Patient) -> None:
    ran = patient.examine("--free-mb", 1e12)
    check, observed, fix = ran.link
    assert check == "disk"
    assert observed.endswith(" MB free")
    assert fix == f"Make room on the disk of {patient.folder}, or move it."


@pytest.mark.parametrize(
    ("megabytes", "observed"), [(1024, "1 MB free"), (1, "1 MB free, room for 49 files")]
)
def test_a_disk_that_is_really_small(
    patient: Patient, small_disk: Path, megabytes: float, observed: str
) -> None:
    patient.add(f'\n[messagelog.archive]\ndirectory = "{small_disk}"\n')
    ran = patient.examine("--only", "disk", "--free-mb", megabytes)
    check, seen, fix = ran.link
    assert (check, seen) == ("disk", observed)
    assert ran.report["first_broken"]["about"] == f"archives, {small_disk}"
    assert fix == f"Make room on the disk of {small_disk}, or move it."


def test_a_disk_that_fills(patient: Patient) -> None:
    disk = os.statvfs(patient.folder)
    free = disk.f_bavail * disk.f_frsize / 1e6
    ran = patient.examine("--only", "disk", "--free-mb", 2 * free)
    assert (ran.code, ran.states("disk")) == (0, {"warning"})


def test_nothing_is_left_behind(patient: Patient) -> None:
    def files() -> dict[Path, int]:
        found = (file for file in patient.folder.rglob("*") if file.is_file())
        # Whoever reads an SQLite file takes a place in its -shm: that is its lock on nothing.
        return {f: f.stat().st_mtime_ns for f in found if not f.name.endswith("-shm")}

    before = files()
    patient.examine()
    assert files() == before


def test_a_folder_that_takes_no_files(patient: Patient) -> None:
    patient.add('\n[messagelog.archive]\ndirectory = "/proc/1"\n')
    ran = patient.examine("--only", "disk")
    check, observed, _ = ran.link
    assert check == "disk"
    assert observed.startswith("nothing can be written: ")
