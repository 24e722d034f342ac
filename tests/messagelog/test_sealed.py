"""A store with encryption in front of it does its duties and keeps no clear text."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from xgate.errors import Fault
from xgate.messagelog.record import Stamp, outline_of
from xgate.messagelog.record_keys import RecordKeys
from xgate.messagelog.sealed import SealedStore
from xgate.messagelog.sqlite import SqliteStore
from xgate.testing.logstore import LogStoreDuties, OpenStore
from xgate.testing.logstore_records import a_record

SECRETS = {"one": b"1" * 32, "two": b"2" * 32}


class TestSealed(LogStoreDuties):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        keys = RecordKeys(SECRETS, "two")
        return lambda: SealedStore(SqliteStore(tmp_path / "log"), keys)


def test_nothing_in_the_files_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "log" / "log.sqlite"
    store = SealedStore(SqliteStore(path), RecordKeys(SECRETS, "one"))
    store.append([a_record(1, message=b"a message in clear", attachments=(b"a body in clear",))])
    assert next(store.find()).record.message == b"a message in clear"
    for file in path.parent.iterdir():
        assert b"in clear" not in file.read_bytes()
    store.close()


def test_keys_change_while_the_log_stays(tmp_path: Path) -> None:
    inner = SqliteStore(tmp_path / "log")
    SealedStore(inner, RecordKeys({})).append([a_record(0)])
    SealedStore(inner, RecordKeys(SECRETS, "one")).append([a_record(1)])
    store = SealedStore(inner, RecordKeys(SECRETS, "two"))
    numbers = store.append([a_record(2)])
    store.stamp({number: Stamp(b"t") for number in range(1, numbers[0] + 1)}, {})
    found = list(store.find())
    assert [logged.record.key_id for logged in found] == ["", "one", "two"]
    assert [logged.record.message for logged in found] == [b"message %d" % n for n in range(3)]
    assert list(store.archivable(numbers[0], 9)) == list(map(outline_of, found))
    assert store.statistics().encrypted == 2
    inner.close()


def test_what_is_encrypted_never_passes_for_what_was_signed(tmp_path: Path) -> None:
    """Not without the key, and not moved to another record by whoever can write the file."""
    inner = SqliteStore(tmp_path / "log")
    SealedStore(inner, RecordKeys(SECRETS, "one")).append([a_record(1)])
    with pytest.raises(Fault, match="'one' of the message log is not among its keys"):
        list(SealedStore(inner, RecordKeys({"two": b"2" * 32})).find())
    stolen = next(inner.find()).record
    inner.append([msgspec.structs.replace(stolen, query_id="another", key=b"another")])
    with pytest.raises(Fault, match="does not open"):
        list(SealedStore(inner, RecordKeys(SECRETS)).find(query_id="another"))
    inner.close()


def test_an_outline_takes_no_key(tmp_path: Path) -> None:
    """And counts what was logged, not what encryption made of it."""
    inner = SqliteStore(tmp_path / "log")
    record = a_record(1, message=b"four", attachments=(None, b"12345"))
    SealedStore(inner, RecordKeys(SECRETS, "one")).append([record, a_record(2)])
    clear, (outline, _) = SealedStore(inner, RecordKeys({})), inner.outlines()
    assert outline.octets > len(b"four12345")
    assert [(one.octets, one.attachment_octets) for one in clear.outlines()] == [
        (len(b"four12345"), (None, 5)),
        (len(b"message 2"), ()),
    ]
    assert {one.key_id for one in clear.outlines()} == {"one"}
    inner.close()
