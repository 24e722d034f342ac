"""The key store file: what goes in comes out for the right PIN, and for nobody else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from xgate.errors import Fault
from xgate.signer.store import KeyEntry, StoredCertificate, read_store, write_store

SIGN = ec.generate_private_key(ec.SECP256R1())
AUTH = ec.generate_private_key(ec.SECP256R1())
ENTRIES = (
    KeyEntry("S1", "sign", "SIGNING", (StoredCertificate(b"cert", "DEV/COM/1"),)),
    KeyEntry("A1", "auth", "AUTHENTICATION", (StoredCertificate(b"cert2"),)),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "keys.xgate"
    write_store(path, "Secret1234", zip(ENTRIES, (SIGN, AUTH), strict=True))
    return path


def test_the_right_pin_opens_everything(path: Path) -> None:
    unlocked = read_store(path).unlock("Secret1234")
    assert unlocked.entries == ENTRIES
    assert [key.id for key in unlocked.token.keys()] == ["S1"]
    (auth,) = unlocked.authentication.values()
    assert auth.private_numbers() == AUTH.private_numbers()


def test_entries_are_listed_without_a_pin(path: Path) -> None:
    assert read_store(path).entries() == ENTRIES


def test_a_wrong_pin_is_refused_and_not_repeated_in_the_refusal(path: Path) -> None:
    with pytest.raises(Fault) as caught:
        read_store(path).unlock("Geheim999")
    assert caught.value.code == "pin_incorrect"
    assert "Geheim999" not in str(caught.value)


def test_an_edited_entry_does_not_open(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"DEV/COM/1", b"DEV/COM/2"))
    assert read_store(path).entries()[0].certificates[0].member == "DEV/COM/2"
    with pytest.raises(Fault, match="'S1' was changed or is damaged"):
        read_store(path).unlock("Secret1234")


def test_keys_do_not_change_places(path: Path) -> None:
    content = msgspec.json.decode(path.read_bytes())
    first, second = content["keys"]
    first["sealed"], second["sealed"] = second["sealed"], first["sealed"]
    path.write_bytes(msgspec.json.encode(content))
    with pytest.raises(Fault, match="was changed or is damaged"):
        read_store(path).unlock("Secret1234")


def test_no_key_is_readable_in_the_file_and_nobody_else_may_read_it(path: Path) -> None:
    number = SIGN.private_numbers().private_value.to_bytes(32, "big")
    assert number not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    path.chmod(0o640)
    with pytest.raises(Fault, match="chmod 600"):
        read_store(path)


def test_what_is_no_key_store_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="run: xgate keys import"):
        read_store(tmp_path / "none")
    for octets in (b"", b"[]", b'{"format":"other"}', b"\xff"):
        path = tmp_path / "bad"
        path.write_bytes(octets)
        path.chmod(0o600)
        with pytest.raises(Fault, match="is not a key store"):
            read_store(path)


def test_a_failed_writing_leaves_the_old_store(path: Path) -> None:
    before = path.read_bytes()

    def broken() -> object:
        yield ENTRIES[0], SIGN
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_store(path, "other", broken())  # type: ignore[arg-type]  # yields the right pairs
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_two_writings_share_no_octets_of_the_sealed_keys(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    for path in (one, two):
        write_store(path, "p", [(ENTRIES[0], SIGN)])
    a, b = (msgspec.json.decode(p.read_bytes()) for p in (one, two))
    assert a["salt"] != b["salt"]
    assert a["keys"][0]["sealed"] != b["keys"][0]["sealed"]
