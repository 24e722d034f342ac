"""The key store file: what goes in comes out for the right PIN, and for nobody else."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.signer import store as module
from xgate.signer.entries import KeyEntry, StoredCertificate, StoredRequest
from xgate.signer.software import public_octets
from xgate.signer.store import KeyStore, change_pin, change_store, read_store, write_store

SIGN = ec.generate_private_key(ec.SECP256R1())
AUTH = ec.generate_private_key(ec.SECP256R1())
PIN = "Secret1234"
REQUEST = StoredRequest("R1", "DEV/COM/1", (("C", "DEV"), ("O", "COM")), None, "Ejbca")
ENTRIES = (
    KeyEntry(
        "S1",
        "sign",
        "SIGNING",
        (StoredCertificate(b"cert", "DEV/COM/1"),),
        public_key=public_octets(SIGN),
        requests=(REQUEST,),
    ),
    KeyEntry(
        "A1",
        "auth",
        "AUTHENTICATION",
        (StoredCertificate(b"cert2"),),
        public_key=public_octets(AUTH),
    ),
)
ELSEWHERE = KeyEntry("H1", "hsm", "SIGNING", token="abc", public_key=b"spki")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "keys.xgate"
    write_store(path, PIN, zip((*ENTRIES, ELSEWHERE), (SIGN, AUTH, None), strict=True))
    return path


@pytest.fixture
def old_store(tmp_path: Path) -> Path:
    """A store as xgate wrote it before the registry held keys of several tokens."""
    path = tmp_path / "old.xgate"
    path.touch(mode=0o600)
    path.write_bytes((Path(__file__).parent / "stores" / "keys-1.xgate").read_bytes())
    return path


def relabel(label: str) -> object:
    def edit(store: KeyStore) -> KeyStore:
        first, *others = store.keys
        first = msgspec.structs.replace(first, label=label)
        return msgspec.structs.replace(store, keys=(first, *others))

    return edit


def test_the_right_pin_opens_the_software_token(path: Path) -> None:
    unlocked = read_store(path).unlock(PIN)
    assert unlocked.entries == ENTRIES
    assert [key.id for key in unlocked.token.keys()] == ["S1", "A1"]
    ((key_id, auth),) = unlocked.authentication.items()
    assert (key_id, auth.private_numbers()) == ("A1", AUTH.private_numbers())
    assert repr(unlocked) == "Unlocked(2 keys)"


def test_entries_of_all_tokens_are_listed_without_a_pin(path: Path) -> None:
    assert read_store(path).entries() == (*ENTRIES, ELSEWHERE)


def test_a_wrong_pin_is_refused_and_not_repeated_in_the_refusal(path: Path) -> None:
    with pytest.raises(Fault) as caught:
        read_store(path).unlock("Geheim999")
    assert caught.value.code == "pin_incorrect"
    assert "Geheim999" not in str(caught.value)


def test_keys_do_not_change_places(path: Path) -> None:
    content = msgspec.json.decode(path.read_bytes())
    sealed = content["software"]["keys"]
    sealed["S1"], sealed["A1"] = sealed["A1"], sealed["S1"]
    path.write_bytes(msgspec.json.encode(content))
    with pytest.raises(Fault, match="'S1' was changed or is damaged"):
        read_store(path).unlock(PIN)
    del sealed["S1"]
    path.write_bytes(msgspec.json.encode(content))
    with pytest.raises(Fault, match="no key for the entry 'S1'"):
        read_store(path).unlock(PIN)


def test_no_key_is_readable_in_the_file_and_nobody_else_may_read_it(path: Path) -> None:
    number = SIGN.private_numbers().private_value.to_bytes(32, "big")
    assert number not in path.read_bytes()
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0
    path.chmod(0o640)
    with pytest.raises(Fault, match="chmod 600"):
        read_store(path)


def test_what_is_no_key_store_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="run: xgate keys import"):
        read_store(tmp_path / "none")
    for octets in (b"", b"[]", b'{"format":"other"}', b'{"format":"xgate keys 2"}', b"\xff"):
        path = tmp_path / "bad"
        path.write_bytes(octets)
        path.chmod(0o600)
        with pytest.raises(Fault, match="is not a key store"):
            read_store(path)


def test_what_cannot_be_read_is_refused_at_once(tmp_path: Path) -> None:
    """Before it is known that a pipe is no file, nobody waits for its other end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(Fault, match="is not a key store"):
        read_store(pipe)
    with pytest.raises(Fault, match=r"token_not_available: Cannot read .*: Is a directory"):
        read_store(tmp_path)


def test_a_failed_writing_leaves_the_old_store(path: Path) -> None:
    before, files = path.read_bytes(), sorted(path.parent.iterdir())

    def broken() -> object:
        yield ENTRIES[0], SIGN
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_store(path, "other", broken())  # type: ignore[arg-type]  # yields the right pairs
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == files


def test_two_writings_share_no_octets_of_the_sealed_keys(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    for path in (one, two):
        write_store(path, "p", [(ENTRIES[0], SIGN)])
    a, b = (msgspec.json.decode(p.read_bytes())["software"] for p in (one, two))
    assert a["salt"] != b["salt"]
    assert a["keys"]["S1"] != b["keys"]["S1"]


@given(
    st.binary(max_size=400)
    | st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=10)
        | st.sampled_from(["xgate keys 1", "xgate keys 2"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["format", "keys", "software", "salt", "check", "id", "entry"]),
                inner,
            )
        ),
        max_leaves=12,
    ).map(msgspec.json.encode)
)
def test_whatever_the_file_holds_it_is_read_or_refused(octets: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "keys"
        path.touch(mode=0o600)
        path.write_bytes(octets)
        try:
            read_store(path)
        except Fault as fault:
            assert fault.code == "token_not_available"  # noqa: PT017  both are right


_TEXT = st.text(max_size=8)
_REQUESTS = st.builds(
    StoredRequest, _TEXT, st.none() | _TEXT, st.tuples(st.tuples(_TEXT, _TEXT)), st.none() | _TEXT
)
_CERTIFICATES = st.builds(
    StoredCertificate, st.binary(max_size=9), st.none() | _TEXT, st.booleans(), _TEXT
)
_ENTRIES = st.builds(
    KeyEntry,
    _TEXT,
    _TEXT,
    st.sampled_from([None, "SIGNING", "AUTHENTICATION"]),
    st.lists(_CERTIFICATES, max_size=2).map(tuple),
    _TEXT,
    st.binary(max_size=9),
    st.lists(_REQUESTS, max_size=2).map(tuple),
)


@settings(deadline=None)  # each is written durably
@given(st.lists(_ENTRIES, max_size=3).map(tuple))
def test_every_registry_comes_back_as_it_was(entries: tuple[KeyEntry, ...]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "keys"
        change_store(path, lambda store: msgspec.structs.replace(store, keys=entries))
        if entries:  # nothing is written where nothing changes
            assert read_store(path).keys == entries


# changes


def test_certificates_and_states_change_without_the_pin(path: Path) -> None:
    def retire(store: KeyStore) -> KeyStore:
        first, *others = store.keys
        retired = msgspec.structs.replace(first.certificates[0], active=False)
        first = msgspec.structs.replace(first, certificates=(retired,), requests=())
        return msgspec.structs.replace(store, keys=(first, *others))

    change_store(path, retire)
    unlocked = read_store(path).unlock(PIN)
    assert not unlocked.entries[0].certificates[0].active
    assert unlocked.private["S1"].private_numbers() == SIGN.private_numbers()


def test_a_change_that_is_refused_changes_nothing(path: Path) -> None:
    before = path.read_bytes()

    def refuse(_: KeyStore) -> KeyStore:
        raise Fault("key_not_found", "no")

    with pytest.raises(Fault, match="no"):
        change_store(path, refuse)
    stood = path.stat().st_ino
    change_store(path, lambda store: store)
    assert (path.read_bytes(), path.stat().st_ino) == (before, stood)


def test_a_store_begins_with_its_first_change(tmp_path: Path) -> None:
    path = tmp_path / "keys.xgate"
    change_store(path, lambda store: msgspec.structs.replace(store, keys=(ELSEWHERE,)))
    store = read_store(path)
    assert store.keys == (ELSEWHERE,)
    with pytest.raises(Fault, match="has no PIN yet") as caught:
        store.unlock(PIN)
    assert caught.value.code == "token_not_initialized"
    change_pin(path, None, PIN)
    assert read_store(path).unlock(PIN).entries == ()
    assert read_store(path).keys == (ELSEWHERE,)


_ADD = """
import sys, msgspec
from pathlib import Path
from xgate.signer.store import change_store, KeyEntry
for n in range(25):
    change_store(Path(sys.argv[1]), lambda store: msgspec.structs.replace(
        store, keys=(*store.keys, KeyEntry(f"{sys.argv[2]}{n}", "", None, token="x"))))
"""


def test_processes_that_change_it_at_once_lose_nothing(path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", _ADD, path, name]) for name in "abc"]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    ids = {entry.id for entry in read_store(path).keys}
    assert ids == {"S1", "A1", "H1", *(f"{name}{n}" for name in "abc" for n in range(25))}
    assert read_store(path).unlock(PIN).entries == ENTRIES


def test_a_process_that_dies_while_it_writes_leaves_a_store_that_is_whole(path: Path) -> None:
    endless = _ADD.replace("range(25)", "range(10**6)").replace('f"{sys.argv[2]}{n}"', '"X"')
    endless = endless.replace("(*store.keys,", "(*store.keys[:3 + n % 2],")
    for _ in range(10):
        process = subprocess.Popen([sys.executable, "-c", endless, path, "x"])
        inode = path.stat().st_ino
        while path.stat().st_ino == inode and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        process.wait()
        assert read_store(path).keys[:3] == (*ENTRIES, ELSEWHERE)
    change_store(path, relabel("last"))  # type: ignore[arg-type]  # it is an edit
    names = sorted(file.name for file in path.parent.iterdir())
    assert names == ["keys.xgate", "keys.xgate.lock"]


def test_what_a_dead_process_left_is_cleared_and_nothing_else(path: Path) -> None:
    others = [path.with_name(n) for n in (".keys.xgate.swp", ".keys.xgate.eu.abc_1.new")]
    left = path.with_name(".keys.xgate.abc_1.new")
    for file in (*others, left):
        file.touch()
    change_store(path, relabel("new"))  # type: ignore[arg-type]  # it is an edit
    assert not left.exists()
    assert all(file.exists() for file in others)


def test_nothing_is_written_that_nobody_could_read(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(Fault, match=r"token_not_available: .* a key store has at most 4194304"):
        change_store(path, relabel("x" * (4 << 20)))  # type: ignore[arg-type]  # it is an edit
    assert path.read_bytes() == before


def test_a_store_that_came_meanwhile_is_not_written_over(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(Fault, match="There is a key store at"):
        write_store(path, PIN, [], replace=False)
    assert path.read_bytes() == before


def test_nobody_waits_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOCK_PAUSE", 0)
    with path.with_name("keys.xgate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Fault, match="Another process keeps"):
            change_store(path, lambda store: store)


# the PIN


def test_a_new_pin_opens_what_the_old_one_opened(path: Path) -> None:
    for wrong in ("Geheim999", None):
        with pytest.raises(Fault) as caught:
            change_pin(path, wrong, "New PIN 2")
        assert caught.value.code == "pin_incorrect"
    change_pin(path, PIN, "New PIN 2")
    assert read_store(path).unlock("New PIN 2").entries == ENTRIES
    assert read_store(path).keys == (*ENTRIES, ELSEWHERE)
    with pytest.raises(Fault):
        read_store(path).unlock(PIN)


# the form before this one


def test_an_older_store_is_read_and_becomes_a_new_one_with_its_pin(old_store: Path) -> None:
    store = read_store(old_store)
    assert [(e.id, e.usage, e.certificates[0].member) for e in store.keys] == [
        ("S1", "SIGNING", "DEV/COM/1"),
        ("A1", "AUTHENTICATION", None),
    ]
    before = store.unlock(PIN)
    with pytest.raises(Fault, match="xgate keys pin brings it into the new one"):
        change_store(old_store, relabel("new"))  # type: ignore[arg-type]  # it is an edit
    change_pin(old_store, PIN, PIN)
    change_store(old_store, relabel("new"))  # type: ignore[arg-type]  # it is an edit
    after = read_store(old_store).unlock(PIN)
    assert after.entries[0].label == "new"
    assert after.entries[1] == before.entries[1]
    for key_id, key in before.private.items():
        assert after.private[key_id].private_numbers() == key.private_numbers()


def test_an_edited_entry_of_an_older_store_does_not_open(old_store: Path) -> None:
    old_store.write_bytes(old_store.read_bytes().replace(b"DEV/COM/1", b"DEV/COM/2"))
    assert read_store(old_store).entries()[0].certificates[0].member == "DEV/COM/2"
    with pytest.raises(Fault, match="'S1' was changed or is damaged"):
        read_store(old_store).unlock(PIN)
