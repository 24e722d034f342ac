"""The key store: one file with the registry of all keys, and the software token's keys sealed.

Layout (JSON): ``{"format": "xgate keys 2", "keys": [entry...], "software": {"salt", "check",
"keys": {id: sealed}}}``. The registry has an entry for each key on any token and is in the clear;
``software`` is null before the software token has a PIN. ``xgate keys 1``, where entries were
sealed with their keys, is still read; changing its PIN makes it a 2.

The rule: written whole to a temporary file (mode 0600), made durable, then renamed. A change reads
the file, changes it and writes it under a lock, so no process loses another's change.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from xgate.errors import Fault
from xgate.owner import find_owner, give_to, make_folder, open_or_make
from xgate.signer.entries import SOFTWARE, KeyEntry, StoredCertificate, StoredRequest, Usage
from xgate.signer.sealing import Opener, SealedKeys, new_opener
from xgate.signer.software import PrivateKey, SoftwareToken, public_octets

__all__ = [
    "KeyEntry",
    "KeyStore",
    "StoredCertificate",
    "StoredRequest",
    "Unlocked",
    "Usage",
    "change_pin",
    "change_store",
    "read_or_none",
    "read_store",
    "write_store",
]

_FORMAT = "xgate keys 2"
_FORMAT_1 = "xgate keys 1"
_MAX_BYTES = 4 << 20
_LOCK_TRIES, _LOCK_PAUSE = 200, 0.05  # a change takes milliseconds; ten seconds is another's fault


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    keys: tuple[KeyEntry, ...]
    software: SealedKeys | None


class _Certificate1(msgspec.Struct, frozen=True):
    der: bytes
    member: str | None = None
    active: bool = True
    status: str = "registered"


class _Entry1(msgspec.Struct, frozen=True):
    id: str
    label: str
    usage: Usage
    certificates: tuple[_Certificate1, ...] = ()


class _Sealed1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entry: _Entry1
    sealed: bytes


class _File1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    salt: bytes
    check: bytes
    keys: tuple[_Sealed1, ...]


class _AnyFile(msgspec.Struct, frozen=True):
    format: str


class Unlocked(msgspec.Struct, frozen=True):
    """An opened software token.

    :param entries: its keys' entries.
    :param private: its keys by id.
    :param opener: opens what is added to the file later.
    """

    entries: tuple[KeyEntry, ...]
    private: Mapping[str, PrivateKey]
    opener: Opener

    @property
    def token(self) -> SoftwareToken:
        """Signs with the keys and gives none away."""
        return SoftwareToken({e.id: (e.label, self.private[e.id]) for e in self.entries})

    @property
    def authentication(self) -> Mapping[str, PrivateKey]:
        """The authentication keys by id; TLS needs them themselves."""
        named = (e.id for e in self.entries if e.usage == "AUTHENTICATION")
        return {key_id: self.private[key_id] for key_id in named}

    def __repr__(self) -> str:
        return f"Unlocked({len(self.entries)} keys)"


class KeyStore(msgspec.Struct, frozen=True):
    """A key store as read: entries are visible, the software token's keys are still sealed.

    :param keys: the entries of all keys on all tokens.
    :param software: None before the software token has a PIN.
    :param bound: what the keys of an ``xgate keys 1`` are bound to, by id; None for a 2.
    """

    keys: tuple[KeyEntry, ...] = ()
    software: SealedKeys | None = None
    bound: Mapping[str, bytes] | None = None

    def entries(self) -> tuple[KeyEntry, ...]:
        """The entries of all keys."""
        return self.keys

    def unlock(self, pin: str) -> Unlocked:
        """Open the software token and prove that every sealed key is its entry's.

        :raises Fault: ``pin_incorrect``, ``token_not_initialized``, or ``cannot_sign`` naming a
            damaged entry.
        """
        return self.open_by(self.sealed.opener(pin))

    @property
    def sealed(self) -> SealedKeys:
        """The software token. :raises Fault: ``token_not_initialized``."""
        if self.software is None:
            raise Fault(
                "token_not_initialized", "The software token has no PIN yet; run: xgate keys pin"
            )
        return self.software

    def open_by(self, opener: Opener) -> Unlocked:
        """``unlock`` for whoever was let in before; errors as there."""
        entries, private = [], {}
        for entry in self.keys:
            if entry.token == SOFTWARE:
                key = self._open(opener, entry)
                private[entry.id] = key
                entries.append(msgspec.structs.replace(entry, public_key=public_octets(key)))
        return Unlocked(tuple(entries), private, opener)

    def _open(self, opener: Opener, entry: KeyEntry) -> PrivateKey:
        sealed = self.sealed.keys.get(entry.id)
        if sealed is None:
            raise Fault("cannot_sign", f"The key store has no key for the entry '{entry.id}'")
        if self.bound is None:
            return opener.open(entry.id, entry.public_key, sealed)
        return opener.open_bound(entry.id, sealed, self.bound[entry.id])


def read_store(path: Path) -> KeyStore:
    """Read a key store file.

    :raises Fault: ``token_not_initialized`` when there is none, ``token_not_available`` when it
        cannot be read, is not one, or others may read it.
    """
    try:
        octets = _read_private(path)
    except (FileNotFoundError, NotADirectoryError):
        raise Fault(
            "token_not_initialized",
            f"There is no key store at {path}; run: xgate keys import, or xgate keys pin",
        ) from None
    except OSError as error:
        raise Fault("token_not_available", f"Cannot read {path}: {error.strerror}") from None
    try:
        if len(octets) > _MAX_BYTES:
            raise ValueError("larger than any key store")
        return _read(octets)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Fault("token_not_available", f"{path} is not a key store: {error}") from None


def _read_private(path: Path) -> bytes:
    """The octets of a file that is its owner's alone: the very file that was looked at is read."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK)  # for a pipe would be waited

    with open(path, "rb", opener=opener) as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise Fault(
                "token_not_available",
                f"The key store {path} is open to other users; run: chmod 600 {path}",
            )
        return file.read(_MAX_BYTES + 1)


def _read(octets: bytes) -> KeyStore:
    found = msgspec.json.decode(octets, type=_AnyFile).format
    if found == _FORMAT:
        content = msgspec.json.decode(octets, type=_File)
        return KeyStore(content.keys, content.software)
    if found != _FORMAT_1:
        raise ValueError("another format")
    old = msgspec.json.decode(octets, type=_File1)
    return KeyStore(
        msgspec.convert([msgspec.to_builtins(s.entry) for s in old.keys], tuple[KeyEntry, ...]),
        SealedKeys(old.salt, old.check, {s.entry.id: s.sealed for s in old.keys}),
        {s.entry.id: msgspec.json.encode(s.entry) for s in old.keys},
    )


def write_store(
    path: Path,
    pin: str,
    keys: Iterable[tuple[KeyEntry, PrivateKey | None]],
    *,
    replace: bool = True,
) -> None:
    """Write all keys, sealed under ``pin``, replacing the file at once or not at all.

    :param keys: each entry with its key; None for those that lie on other tokens.
    :param replace: whether a file that is there may go.
    :raises OSError: the file cannot be written; the old one is as it was.
    :raises Fault: ``token_not_available``: there is a file that may not go, or there are so many
        keys that nobody could read the new one.
    """
    make_folder(path.parent, 0o700)
    with _locked(path):
        if not replace and os.path.lexists(path):
            raise Fault("token_not_available", f"There is a key store at {path} already")
        _replace(path, _sealed(new_opener(pin), keys))


def change_pin(path: Path, old: str | None, new: str) -> None:
    """Seal the software token's keys under a new PIN; ``old`` is None when it has none yet.

    :raises Fault: as ``KeyStore.unlock``; ``pin_incorrect`` when there is a PIN and none is given.
    """

    def reseal(store: KeyStore) -> KeyStore:
        if store.software is None:
            return _sealed(new_opener(new), ((entry, None) for entry in store.keys))
        if old is None:
            raise Fault("pin_incorrect", "The software token has a PIN; it is needed to change it")
        unlocked = store.unlock(old)
        known = {entry.id: entry for entry in unlocked.entries}
        return _sealed(
            new_opener(new),
            ((known.get(e.id, e), unlocked.private.get(e.id)) for e in store.keys),
        )

    _change(path, reseal)


def _sealed(opener: Opener, keys: Iterable[tuple[KeyEntry, PrivateKey | None]]) -> KeyStore:
    entries, sealed = [], {}
    for entry, private in keys:
        if private is None:
            entries.append(entry)
            continue
        entries.append(msgspec.structs.replace(entry, public_key=public_octets(private)))
        sealed[entry.id] = opener.seal(entry.id, private)
    return KeyStore(tuple(entries), msgspec.structs.replace(opener.empty(), keys=sealed))


def read_or_none(path: Path) -> KeyStore | None:
    """The key store; None where there is no file. Other errors as ``read_store``."""
    try:
        return read_store(path)
    except Fault as fault:
        if fault.code == "token_not_initialized":
            return None
        raise


def change_store(path: Path, edit: Callable[[KeyStore], KeyStore]) -> KeyStore:
    """Read, change and write as one; what ``edit`` raises leaves the file as it was.

    :param edit: gets the store as it is now, an empty one where there is none; may be quick only.
    :raises Fault: as ``read_store``; ``token_not_available`` for an ``xgate keys 1``, or when
        another process does not finish its change.
    :raises OSError: the file cannot be written.
    """

    def checked(store: KeyStore) -> KeyStore:
        if store.bound is not None:
            raise Fault(
                "token_not_available",
                f"{path} is of the form '{_FORMAT_1}', which cannot be changed; "
                "xgate keys pin brings it into the new one",
            )
        return edit(store)

    return _change(path, checked)


def _change(path: Path, edit: Callable[[KeyStore], KeyStore]) -> KeyStore:
    make_folder(path.parent, 0o700)
    with _locked(path):
        before = read_or_none(path) or KeyStore()
        after = edit(before)
        if after != before:
            _replace(path, after)
        return after


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The lock is a file of its own, since the store itself is replaced; it stays where it is."""
    lock = open_or_make(path.with_name(f"{path.name}.lock"), find_owner(path), 0o600)
    try:
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE)
        else:
            raise Fault("token_not_available", f"Another process keeps {path} locked")
        yield
    finally:
        os.close(lock)


def _replace(path: Path, store: KeyStore) -> None:
    content = _File(_FORMAT, store.keys, store.software)
    octets = msgspec.json.format(msgspec.json.encode(content), indent=1)
    if len(octets) > _MAX_BYTES:
        raise Fault(
            "token_not_available",
            f"{path} would have {len(octets)} octets, and a key store has at most {_MAX_BYTES}: "
            "delete keys, certificates or requests that nobody needs",
        )
    begins = f".{path.name}."
    left_over = re.compile(re.escape(begins) + r"[a-z0-9_]+\.new")
    for file in path.parent.iterdir():  # of processes that died while they wrote
        if left_over.fullmatch(file.name):
            file.unlink(missing_ok=True)
    owner = find_owner(path)
    handle, name = tempfile.mkstemp(".new", begins, path.parent)  # made with 0600
    try:
        with os.fdopen(handle, "wb") as made:
            give_to(owner, made.fileno())
            made.write(octets)
            made.flush()
            os.fsync(made.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
