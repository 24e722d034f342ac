"""Encryption at rest: it opens as it was, only there, and only with its key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.messagelog.record import LoggedRecord, Record, outline_of, pieces_of, whole
from xgate.messagelog.record_keys import RecordKeys, read_keys
from xgate.testing.logstore_records import Made, a_record

KEYS = RecordKeys({"old": b"o" * 32, "new": b"n" * 32}, "new")


def opened(record: Record, keys: RecordKeys = KEYS) -> Record:
    return keys.open(LoggedRecord(7, record, None)).record


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(Fault) as caught:
        work()
    assert caught.value.code == "logging_failed"
    return caught.value.text


@given(octets=st.binary(max_size=200), attachments=st.lists(st.none() | st.binary(max_size=50)))
@settings(max_examples=50, deadline=None)
def test_it_opens_as_it_was(octets: bytes, attachments: list[bytes | None]) -> None:
    record = a_record(1, message=octets, attachments=tuple(attachments))
    sealed = KEYS.seal(record)
    assert sealed.key_id == "new"
    assert len(sealed.message) == len(octets) + 29
    assert [a is None for a in sealed.attachments] == [a is None for a in attachments]
    assert opened(sealed) == msgspec.structs.replace(record, key_id="new")


def test_nothing_of_the_message_shows_and_nothing_repeats() -> None:
    record = a_record(1, message=b"a secret of sixteen", attachments=(b"a secret of sixteen",) * 2)
    one, other = KEYS.seal(record), KEYS.seal(record)
    parts = [one.message, *one.attachments, other.message, *other.attachments]
    assert len(set(parts)) == 6
    assert not any(part is None or b"secret" in whole(part) for part in parts)


@pytest.mark.parametrize("size", [0, 1, 100, 300_000])
def test_a_body_is_encrypted_while_it_is_read_and_each_time_otherwise(size: int) -> None:
    record = a_record(1, attachments=(Made(size), None, b"octets"))
    sealed = KEYS.seal(record)
    first, missing, _ = sealed.attachments
    assert first is not None
    assert missing is None
    assert len(first) == size + 29
    once, again = whole(first), b"".join(first.pieces(1000))  # type: ignore[union-attr]  # a body
    assert once != again
    for read in (first, once, again):
        changed = msgspec.structs.replace(sealed, attachments=(read, None, sealed.attachments[2]))
        assert opened(changed).attachments == (Made.octets(size), None, b"octets")


def opened_part(sealed: Record, place: int, size: int, **changes: object) -> bytes:
    stored = whole((sealed.message, *sealed.attachments)[place] or b"")
    outline = outline_of(LoggedRecord(7, sealed, None))
    outline = msgspec.structs.replace(outline, **changes)
    return b"".join(KEYS.open_part(outline, place, pieces_of(stored, size)))


@given(octets=st.binary(max_size=100), size=st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_a_part_opens_whatever_the_pieces_it_is_read_in(octets: bytes, size: int) -> None:
    sealed = KEYS.seal(a_record(1, message=octets, attachments=(None, octets)))
    assert opened_part(sealed, 0, size) == opened_part(sealed, 2, size) == octets
    assert opened_part(a_record(1, message=octets), 0, size) == octets


@pytest.mark.parametrize("size", [1, 16, 1000])
def test_a_part_that_was_changed_or_moved_does_not_open(size: int) -> None:
    sealed = KEYS.seal(a_record(1, message=b"some octets", attachments=(b"some octets",)))
    last = sealed.message[-1] ^ 1
    for message in (
        sealed.message[:-1] + bytes([last]),
        b"\x02" + sealed.message[1:],
        sealed.message[:-1],
        sealed.message[:20],
        sealed.message[:12],
        b"",
        sealed.attachments[0],
    ):
        moved = msgspec.structs.replace(sealed, message=message)
        text = refusal(lambda moved=moved: opened_part(moved, 0, size))  # type: ignore[misc]  # bound now
        assert text.startswith("Record 7 of the message log does not open with the key 'new'")
    for change in ({"query_id": "x"}, {"response": True}, {"key": b"x"}, {"attachment_octets": ()}):
        text = refusal(lambda change=change: opened_part(sealed, 0, size, **change))  # type: ignore[misc]  # bound now
        assert "it is not what was logged" in text
    assert "The key 'gone'" in refusal(lambda: opened_part(sealed, 0, size, key_id="gone"))


def test_a_body_that_cannot_be_read_is_not_sealed() -> None:
    sealed = KEYS.seal(a_record(1, attachments=(Made(300_000, breaks=True),)))
    with pytest.raises(OSError, match="broke off"):
        whole(sealed.attachments[0] or b"")


def test_what_is_changed_or_moved_does_not_open() -> None:
    record = a_record(1, attachments=(b"one", b"two"))
    sealed = KEYS.seal(record)
    first, second = sealed.attachments
    assert first is not None
    for change in (
        {"message": sealed.message[:-1] + bytes([sealed.message[-1] ^ 1])},
        {"message": b"\x02" + sealed.message[1:]},
        {"message": b""},
        {"message": sealed.message[:20]},
        {"message": first},
        {"attachments": (second, first)},
        {"attachments": (first,)},
        {"key": a_record(1).key},
        {"key_id": "old"},
        {"owner": ClientId("XG", "COM", "other")},
        {"query_id": "another"},
        {"response": True},
    ):
        moved = msgspec.structs.replace(sealed, **change)
        text = refusal(lambda moved=moved: opened(moved))  # type: ignore[misc]  # bound now
        assert text.startswith("Record 7 of the message log does not open with the key")


def test_old_keys_read_and_a_missing_one_is_named() -> None:
    record = a_record(1)
    sealed = RecordKeys({"old": b"o" * 32}, "old").seal(record)
    assert opened(sealed).message == record.message
    assert "The key 'old'" in refusal(lambda: opened(sealed, RecordKeys({"new": b"n" * 32}, "new")))
    assert "The key 'old'" in refusal(lambda: opened(sealed, RecordKeys({})))
    with pytest.raises(Fault):
        opened(sealed, RecordKeys({"old": b"x" * 32}))


def test_without_a_current_key_nothing_is_encrypted() -> None:
    record = a_record(1, key=b"")
    assert RecordKeys({"old": b"o" * 32}).seal(record) is record
    assert opened(record) == record
    assert KEYS.seal(record).key  # what is encrypted needs a name


def write(path: Path, octets: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(octets)
    path.chmod(mode)
    return path


def test_keys_come_from_files_of_their_owner_only(tmp_path: Path) -> None:
    good = write(tmp_path / "good", b"k" * 32)
    record = a_record(1)
    sealed = read_keys({"2026": good}, "2026").seal(record)
    assert opened(sealed, read_keys({"2026": good})).message == record.message
    for path, said in (
        (write(tmp_path / "open", b"k" * 32, 0o640), "it needs mode 0600"),
        (write(tmp_path / "short", b"k" * 31), "32 to 4096 octets"),
        (write(tmp_path / "long", b"k" * 4097), "32 to 4096 octets"),
        (tmp_path / "missing", "No such file"),
        (tmp_path, "directory"),
    ):
        text = refusal(lambda path=path: read_keys({"k1": path}))  # type: ignore[misc]  # bound now
        assert "'k1'" in text
        assert str(path) in text
        assert said in text
    for bad in ("", "a b", "x" * 65, "a/b"):
        assert "a key id has" in refusal(lambda bad=bad: read_keys({bad: good}))  # type: ignore[misc]  # bound now
    assert "'2027' of the message log is not among" in refusal(
        lambda: read_keys({"2026": good}, "2027")
    )
