"""A token of a PKCS#11 module, as a ``ManagedToken``.

The rule: everything that touches the module runs on the library's thread (``cryptoki_thread``), in
one session per token; what others ask often (keys, state) is a copy of the last look. A session
that was lost is opened again once, and the user logged in again by the PIN that was right before;
a PIN that was refused is forgotten at once, and a token that is locked or has one try left is not
tried at all. The PIN is kept while the token is logged in and no longer, and is wiped then.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from pkcs11.exceptions import PKCS11Error
from pkcs11.types import Object, Session, Slot

from xgate.errors import Fault
from xgate.signer.cryptoki import LOGGED_IN, TokenFacts, ckr_name
from xgate.signer.cryptoki_thread import Library
from xgate.signer.devices import ModuleSettings
from xgate.signer.pkcs11_facts import LOST, fault_of, pin_status, token_info, token_status
from xgate.signer.pkcs11_objects import (
    ExactMapper,
    find_certificates,
    find_keys,
    find_private,
    make_pair,
    remove_objects,
)
from xgate.signer.pkcs11_signature import check_job, sign_digest
from xgate.signer.token import (
    KeyKind,
    KeyParameters,
    SignJob,
    TokenCertificate,
    TokenKey,
    TokenState,
    TokenStatus,
)

__all__ = ["Pkcs11Token"]

T = TypeVar("T")
_WRITE_PROTECTED = 0x02
_DANGER: dict[TokenStatus, str] = {
    "pin-locked": "its PIN is locked",
    "pin-final-try": "one more wrong PIN would lock it",
}


class Pkcs11Token:
    """See ``ManagedToken``; methods with a leading underscore are for the library's thread."""

    def __init__(
        self,
        token_id: str,
        library: Library,
        settings: ModuleSettings,
        parameters: KeyParameters,
    ) -> None:
        """:param parameters: of new keys."""
        self.id = token_id
        self._library = library
        self._settings = settings
        self._parameters = parameters
        self._name = token_id
        self._slot: Slot | None = None
        self._facts: TokenFacts | None = None
        self._session: Session | None = None
        self._generation = 0
        self._pin: bytearray | None = None
        self._refused: TokenStatus | None = None
        self._keys: dict[str, TokenKey] = {}
        self._private: dict[str, Object] = {}

    def __repr__(self) -> str:
        return f"Pkcs11Token({self._name})"

    def state(self) -> TokenState:
        """See ``ManagedToken.state``; as it was at the last look or login."""
        facts = self._facts
        flags = 0 if facts is None else facts.flags
        return TokenState(
            self._name,
            self._settings.type,
            "ok" if facts is None else token_status(flags, self._refused),
            available=self._slot is not None and not self._library.hangs,
            active=self._pin is not None,
            read_only=self._read_only,
            batch_signing=self._settings.batch_signing_enabled,
            info={} if facts is None else token_info(facts, self._settings.type),
        )

    @property
    def _read_only(self) -> bool:
        flags = 0 if self._facts is None else self._facts.flags
        return self._settings.read_only or bool(flags & _WRITE_PROTECTED)

    def keys(self) -> Sequence[TokenKey]:
        """The keys, while the token is there and logged in, else none."""
        if self._pin is None or self._slot is None:
            return ()
        return tuple(self._keys.values())

    def sign(self, jobs: Sequence[SignJob]) -> Sequence[bytes | Fault]:
        """See ``SigningToken.sign``; the whole batch is one call of the library's thread."""
        if self._pin is None:
            return [self._inactive() for _ in jobs]
        try:
            return self._library.call(lambda: [self._sign(job) for job in jobs])
        except Fault as fault:
            return [fault] * len(jobs)

    def login(self, pin: str, *, force: bool = False) -> None:
        """See ``ManagedToken.login``."""
        self._do(lambda: self._login(bytearray(pin.encode()), force=force), "login_failed")

    def logout(self) -> None:
        """See ``ManagedToken.logout``; the PIN is forgotten in any case."""
        try:
            self._do(self._logout, "logout_failed")
        finally:
            self._pin = None  # wiped on the library's thread, unless that hangs

    def generate(self, kind: KeyKind, label: str) -> TokenKey:
        """See ``ManagedToken.generate``."""
        self._check_writable()
        return self._do(lambda: self._generate(kind, label), "failed_to_generate_private_key")

    def delete(self, key_id: str) -> None:
        """See ``ManagedToken.delete``."""
        self._check_writable()
        self._do(lambda: self._delete(key_id), "internal_error")

    def certificates(self) -> Sequence[TokenCertificate]:
        """See ``ManagedToken.certificates``."""
        return self._do(
            lambda: self._as_user(lambda session: tuple(find_certificates(session))),
            "internal_error",
        )

    def appear(self, slot: Slot, name: str, facts: TokenFacts) -> None:
        """On the library's thread: the token is in this slot; use it again if it was in use."""
        if self._slot is None or self._slot.slot_id != slot.slot_id:
            self._drop()
        self._slot, self._name, self._facts = slot, name, facts
        if self._pin is not None and not self._settings.sign_verify_pin:
            self._check_session()
            self._as_user(self._read_keys)

    def vanish(self) -> None:
        """On the library's thread: the token is in no slot any more."""
        self._slot = None
        self._drop()

    def end(self) -> None:
        """On the library's thread: nobody uses the token any more."""
        with suppress(PKCS11Error):
            self._logout()

    # on the library's thread

    def _do(self, work: Callable[[], T], otherwise: str) -> T:
        """Let the thread do it; its refusals become ours (signer 11)."""
        try:
            return self._library.call(work)
        except PKCS11Error as error:
            raise fault_of(error, otherwise, self._name) from None

    def _as_user(self, work: Callable[[Session], T]) -> T:
        """Do ``work`` in a session whose user is logged in; a lost session is replaced once."""
        try:
            return self._once(work)
        except PKCS11Error as error:
            if ckr_name(error) not in LOST:
                raise
            self._drop()
            return self._once(work)

    def _once(self, work: Callable[[Session], T]) -> T:
        session = self._live()
        if not self._settings.sign_verify_pin:
            return work(session)
        self._login_again(session)
        try:
            return work(session)
        finally:
            with suppress(PKCS11Error):
                self._leave(session)

    def _live(self) -> Session:
        """The session, opened and logged in anew if it has to be."""
        if self._pin is None:
            raise self._inactive()
        if self._session is not None and self._generation == self._library.generation:
            return self._session
        session = self._open()
        if not self._settings.sign_verify_pin:
            self._login_again(session)
        return session

    def _open(self) -> Session:
        if self._slot is None:
            raise Fault("token_not_available", f"Token '{self._name}' is in no slot")
        self._drop()
        token = self._slot.get_token()
        self._session = token.open(rw=not self._read_only, attribute_mapper=ExactMapper())
        self._generation = self._library.generation
        return self._session

    def _drop(self) -> None:
        """Leave the session, whatever has become of it."""
        session, self._session = self._session, None
        self._private.clear()
        if session is not None and self._generation == self._library.generation:
            with suppress(PKCS11Error):
                session.close()

    def _check_session(self) -> None:
        """Leave a session that is no longer logged in, though nobody was told."""
        if self._session is None or self._generation != self._library.generation:
            return
        with suppress(PKCS11Error):
            if self._library.cryptoki.session_state(_handle(self._session)) in LOGGED_IN:
                return
        self._drop()

    def _login(self, pin: bytearray, *, force: bool) -> None:
        if self._pin is not None:
            self._as_user(lambda _: None)
            return
        if not pin:
            raise Fault("pin_incorrect", f"The PIN of token '{self._name}' is empty")
        session = self._open()
        if not force:
            self._check_tries()
        self._pin = pin
        try:
            self._enter(session)
            self._read_keys(session)
            if self._settings.sign_verify_pin:
                self._leave(session)
        except BaseException:
            self._forget()
            self._drop()
            raise
        self._look()

    def _login_again(self, session: Session) -> None:
        """Log in by the PIN that was right before; one that no longer is, is forgotten."""
        try:
            self._check_tries()
        except Fault:
            self._forget()
            raise
        self._enter(session)

    def _enter(self, session: Session) -> None:
        assert self._pin is not None
        try:
            self._library.cryptoki.login(_handle(session), self._pin)
        except PKCS11Error as error:
            if ckr_name(error) == "CKR_USER_ALREADY_LOGGED_IN":
                return
            refused = pin_status(error)
            if refused is not None:
                self._refused = refused
                self._forget()
            self._look()
            raise
        self._refused = None

    def _leave(self, session: Session) -> None:
        self._private.clear()  # handles of private objects end with the login
        try:
            self._library.cryptoki.logout(_handle(session))
        except PKCS11Error as error:
            if ckr_name(error) not in LOST:
                raise

    def _logout(self) -> None:
        session = self._session
        self._forget()
        if session is not None and self._generation == self._library.generation:
            try:
                self._leave(session)
            finally:
                self._drop()

    def _forget(self) -> None:
        """Wipe the PIN."""
        pin, self._pin = self._pin, None
        if pin is not None:
            pin[:] = bytes(len(pin))

    def _look(self) -> None:
        """Read the token's facts anew, if it still gives them."""
        if self._slot is not None:
            with suppress(PKCS11Error):
                self._facts = self._library.cryptoki.token_facts(self._slot.slot_id)

    def _check_tries(self) -> None:
        """A wrong PIN must not lock the token. :raises Fault: ``login_failed``."""
        self._look()
        flags = 0 if self._facts is None else self._facts.flags
        danger = _DANGER.get(token_status(flags, None))
        if danger is not None:
            text = f"Token '{self._name}' was not asked to log in: {danger}"
            raise Fault("login_failed", f"{text}; whoever is sure says xgate keys login --force")

    def _read_keys(self, session: Session) -> None:
        keys, private = {}, {}
        for key, found in find_keys(session, self._settings):
            keys[key.id], private[key.id] = key, found
        self._keys, self._private = keys, private

    def _sign(self, job: SignJob) -> bytes | Fault:
        key = self._keys.get(job.key_id)
        if key is None:
            return _no_key(job.key_id)
        try:
            check_job(job, key)
            return self._as_user(lambda s: sign_digest(self._find_private(s, key), key, job))
        except Fault as fault:
            return fault
        except PKCS11Error as error:
            return fault_of(error, "cannot_sign", self._name)

    def _find_private(self, session: Session, key: TokenKey) -> Object:
        found = self._private.get(key.id) or find_private(session, key.id)
        if found is None:
            raise _no_key(key.id)
        self._private[key.id] = found
        return found

    def _generate(self, kind: KeyKind, label: str) -> TokenKey:
        key_id = secrets.token_bytes(20)

        def make(session: Session) -> TokenKey:
            make_pair(session, key_id, kind, label, self._settings, self._parameters)
            self._read_keys(session)
            key = self._keys.get(key_id.hex().upper())
            if key is None:
                remove_objects(session, key_id)
                raise Fault(
                    "failed_to_generate_private_key",
                    f"Token '{self._name}' made a key that cannot sign or be read: "
                    "see priv_key_attribute_sign and its like in devices.ini",
                )
            return key

        return self._as_user(make)

    def _delete(self, key_id: str) -> None:
        try:
            octets = bytes.fromhex(key_id)
        except ValueError:
            raise _no_key(key_id) from None

        def remove(session: Session) -> None:
            if not (octets and remove_objects(session, octets)):
                raise _no_key(key_id)
            self._read_keys(session)

        self._as_user(remove)

    def _check_writable(self) -> None:
        if self._read_only:
            raise Fault("token_readonly", f"Token '{self._name}' is read only")

    def _inactive(self) -> Fault:
        if self._slot is None:
            return Fault("token_not_available", f"Token '{self._name}' is in no slot")
        return Fault(
            "token_not_active", f"Token '{self._name}' is not logged in; run: xgate keys login"
        )


def _handle(session: Session) -> int:
    return session.handle  # type: ignore[attr-defined,no-any-return]  # the real one has it


def _no_key(key_id: str) -> Fault:
    return Fault("key_not_found", f"Key '{key_id}' not found")
