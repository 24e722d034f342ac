"""The software token as people manage it: its keys lie sealed in the key store.

The rule: login opens the keys into this process's memory and forgets the PIN; logout drops them.
New keys are on disk before anyone hears of them. Every change of the file is one ``change_store``,
so that a command may change it while a server has it open; ``refresh`` follows such changes.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from xgate.errors import Fault
from xgate.signer.entries import SOFTWARE, KeyEntry
from xgate.signer.software import PrivateKey, SoftwareToken, key_kind, public_octets
from xgate.signer.store import KeyStore, Unlocked, change_store, read_store
from xgate.signer.token import (
    CURVES,
    KeyKind,
    KeyParameters,
    SignJob,
    TokenCertificate,
    TokenKey,
    TokenState,
)

__all__ = ["SealedToken"]

_NAME, _TYPE = "softToken-0", "softToken"


class _Open(msgspec.Struct, frozen=True):
    """:ivar leaving: the keys as they were, for messages that had begun when some of them went."""

    unlocked: Unlocked
    token: SoftwareToken
    leaving: SoftwareToken | None = None


class SealedToken:
    """A ``ManagedToken`` over a key store; safe to call from several threads."""

    id = SOFTWARE

    def __init__(self, path: Path, parameters: KeyParameters | None = None) -> None:
        """:param path: the key store. :param parameters: of new keys."""
        self._path = path
        self._parameters = parameters or KeyParameters()
        self._open: _Open | None = None
        self._lock = threading.Lock()  # over login, logout and refresh; signing takes what is there

    def __repr__(self) -> str:
        return f"SealedToken({'open' if self._open else 'locked'})"

    def state(self) -> TokenState:
        """See ``ManagedToken.state``."""
        opened = self._open is not None
        try:
            ready = read_store(self._path).software is not None
        except Fault as fault:
            missing = fault.code == "token_not_initialized"
            status = "not-initialized" if missing else "ok"
            return TokenState(_NAME, _TYPE, status, missing or opened, opened)  # type: ignore[arg-type]  # both are statuses
        return TokenState(_NAME, _TYPE, "ok" if ready else "not-initialized", True, opened)

    def login(self, pin: str, *, force: bool = False) -> None:
        """See ``ManagedToken.login``; a wrong PIN leaves an open token open."""
        with self._lock:
            self._take(read_store(self._path).unlock(pin))

    def logout(self) -> None:
        """See ``ManagedToken.logout``."""
        with self._lock:
            self._open = None

    def refresh(self) -> None:
        """Follow changes of the file: keys that came, keys that went. Those that went are shown no
        more, but sign until the next time for what had begun with them.

        :raises Fault: ``token_not_available``; ``token_not_active`` when the PIN was changed, so
            that new keys need another login. What was open stays open.
        """
        with self._lock:
            if self._open is not None:
                before = self._open
                unlocked = _opened_again(read_store(self._path), before.unlocked)
                gone = before.unlocked.private.keys() - unlocked.private.keys()
                self._open = _Open(unlocked, unlocked.token, before.token if gone else None)

    def keys(self) -> Sequence[TokenKey]:
        """All keys while the token is open, else none."""
        opened = self._open
        return () if opened is None else opened.token.keys()

    def sign(self, jobs: Sequence[SignJob]) -> Sequence[bytes | Fault]:
        """Sign each job in order (``SigningToken.sign``)."""
        opened = self._open
        if opened is None:
            return [_closed() for _ in jobs]
        answers = list(opened.token.sign(jobs))
        if opened.leaving is not None:
            for number, job in enumerate(jobs):
                if job.key_id not in opened.unlocked.private:
                    (answers[number],) = opened.leaving.sign([job])
        return answers

    def private(self, key_id: str) -> PrivateKey | None:
        """An authentication key, which TLS needs itself; None while the token is not open."""
        opened = self._open
        return None if opened is None else opened.unlocked.authentication.get(key_id)

    def generate(self, kind: KeyKind, label: str) -> TokenKey:
        """See ``ManagedToken.generate``."""
        opened = self._open
        if opened is None:
            raise _closed()
        private = self._new_key(kind)
        entry = KeyEntry(
            secrets.token_hex(20).upper(), label, None, public_key=public_octets(private)
        )
        sealed = opened.unlocked.opener.seal(entry.id, private)

        def add(store: KeyStore) -> KeyStore:
            if store.sealed.salt != opened.unlocked.opener.salt:
                raise _pin_changed()
            keys = {**store.sealed.keys, entry.id: sealed}
            software = msgspec.structs.replace(store.sealed, keys=keys)
            return msgspec.structs.replace(store, keys=(*store.keys, entry), software=software)

        try:
            change_store(self._path, add)
        except OSError as error:
            raise Fault(
                "failed_to_generate_private_key", f"Cannot write {self._path}: {error.strerror}"
            ) from None
        self.refresh()
        return TokenKey(entry.id, label, entry.public_key, key_kind(private))

    def delete(self, key_id: str) -> None:
        """See ``ManagedToken.delete``; needs no login, as nothing is opened for it."""

        def remove(store: KeyStore) -> KeyStore:
            if key_id not in store.sealed.keys:
                raise Fault("key_not_found", f"Key '{key_id}' not found")
            keys = {i: sealed for i, sealed in store.sealed.keys.items() if i != key_id}
            left = tuple(e for e in store.keys if (e.token, e.id) != (SOFTWARE, key_id))
            software = msgspec.structs.replace(store.sealed, keys=keys)
            return msgspec.structs.replace(store, keys=left, software=software)

        change_store(self._path, remove)
        for _ in range(2):  # nothing has begun with it here that should go on
            self.refresh()

    def certificates(self) -> Sequence[TokenCertificate]:
        """None: the registry has them."""
        return ()

    def _take(self, unlocked: Unlocked) -> None:
        self._open = _Open(unlocked, unlocked.token)

    def _new_key(self, kind: KeyKind) -> PrivateKey:
        if kind == "ecdsa":
            return ec.generate_private_key(CURVES[self._parameters.curve]())
        return rsa.generate_private_key(
            public_exponent=65537, key_size=max(2048, self._parameters.rsa_bits)
        )


def _opened_again(store: KeyStore, before: Unlocked) -> Unlocked:
    """The store as it is now, opened by what opened it before; keys that are open stay open."""
    kept = {e.id: before.private[e.id] for e in before.entries}
    entries = tuple(e for e in store.keys if e.token == SOFTWARE)
    if all(e.id in kept and _is_key_of(kept[e.id], e) for e in entries):
        return Unlocked(entries, {e.id: kept[e.id] for e in entries}, before.opener)
    if store.sealed.salt != before.opener.salt:
        raise _pin_changed()
    return store.open_by(before.opener)


def _is_key_of(private: PrivateKey, entry: KeyEntry) -> bool:
    return not entry.public_key or public_octets(private) == entry.public_key


def _closed() -> Fault:
    return Fault("token_not_active", "The software token is not logged in; run: xgate keys login")


def _pin_changed() -> Fault:
    return Fault(
        "token_not_active", "The PIN of the software token was changed; log in with the new one"
    )
