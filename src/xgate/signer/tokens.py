"""All tokens of a server: the software token, PKCS#11 modules, and those of other packages.

The rule: one wrong token hides no other: what fails is reported, what works is used. A PIN is tried
once, when its token is first seen, and never again by itself: a token that was logged out stays so,
and no card is locked by a restart of a loop. Another package offers tokens as an entry point of the
group ``xgate.signingtokens``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

import trio

from xgate.errors import Fault
from xgate.signer.entries import SOFTWARE, KeyEntry
from xgate.signer.keyring import Keyring, read_keyring
from xgate.signer.sealed_token import SealedToken
from xgate.signer.store import KeyStore, read_store
from xgate.signer.token import KeyParameters, ManagedToken

__all__ = [
    "GROUP",
    "OpenModule",
    "Refused",
    "TokenModule",
    "Tokens",
    "find_module",
    "known_modules",
]

GROUP = "xgate.signingtokens"
"""The entry points' group."""

Refused = Callable[[str, Fault], None]
"""Told of what cannot be used: the id of the token (or "key", "module"), and why."""


class TokenModule(Protocol):
    """Something that brings tokens, which may come and go.

    Duties: ``tokens`` gives the same object for the same token as long as it is there; ``refresh``
    looks anew and is called every minute; both may be called from any thread.
    """

    def tokens(self) -> Sequence[ManagedToken]:
        """The tokens that are there."""

    def refresh(self) -> None:
        """Look what has come and gone. :raises Fault: the module cannot be used now."""

    def close(self) -> None:
        """Give everything back."""


class OpenModule(Protocol):
    """Opens a module of another package."""

    def __call__(
        self, options: Mapping[str, Any], folder: Path, parameters: KeyParameters
    ) -> TokenModule:
        """:param options: ``[keys.modules.<name>]``, keys as written there.
        :param folder: where relative paths count from. :param parameters: of new keys.
        :raises Fault: ``token_not_available``: it cannot be opened so.
        """


class Tokens:
    """All tokens, the software token first. Its methods block; call them from any thread.

    :param store: the key store. :param modules: opened; they are closed with this.
    :param pins: gives the PINs, each by its token's id, when somebody logs in by itself.
    :param refused: told of what could not be used: whose it is, and why; once for as long as
        each look finds the same.
    :ivar turn: whoever makes a ring of them holds it, so that no older ring follows a newer one.
    """

    def __init__(
        self,
        store: Path,
        parameters: KeyParameters,
        modules: Iterable[TokenModule] = (),
        pins: Callable[[str], str | None] = lambda _: None,
        refused: Refused = lambda _, __: None,
    ) -> None:
        self.store = store
        self.software = SealedToken(store, parameters)
        self._modules = tuple(modules)
        self._pins = pins
        self._refused = refused
        self._told: set[tuple[str, str]] = set()  # at the last look
        self._telling: set[tuple[str, str]] = set()  # at this one
        self.turn = trio.Lock()
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._troubles: tuple[str, ...] = ()

    def all(self) -> Sequence[ManagedToken]:
        """Every token that is there; of two with one id the first."""
        found: dict[str, ManagedToken] = {SOFTWARE: self.software}
        for module in self._modules:
            for token in module.tokens():
                found.setdefault(token.id, token)
        return tuple(found.values())

    def find(self, token_id: str) -> ManagedToken | None:
        """The token with this id, or None."""
        return next((token for token in self.all() if token.id == token_id), None)

    def check(self, token_id: str) -> ManagedToken:
        """The token with this id.

        :raises Fault: ``token_not_found``, naming those there are.
        """
        found = self.find(token_id)
        if found is None:
            known = ", ".join(token.id for token in self.all())
            raise Fault("token_not_found", f"Token '{token_id}' not found; there are: {known}")
        return found

    def refresh(self) -> None:
        """Look what has come and gone, and log in to what was not seen before."""
        self._told, self._telling = self._telling, set()
        self.look()
        for token in self.all():
            if self._is_new(token.id):
                self._maybe(token.id, lambda token=token: self.login(token))  # type: ignore[misc]  # each its own

    def look(self) -> None:
        """Look what has come and gone, and log in to nothing."""
        found = (self._maybe("module", module.refresh) for module in self._modules)
        self._troubles = tuple(fault.text for fault in found if fault is not None)
        self._maybe(SOFTWARE, self.software.refresh)

    def troubles(self) -> tuple[str, ...]:
        """What was wrong with modules at the last look; nothing when each of them works."""
        return self._troubles

    def login(self, token: ManagedToken) -> bool:
        """Log in to a token by its PIN as configured; False when it has none.

        :raises Fault: as ``ManagedToken.login``, and ``login_failed`` when the PIN is not there.
        """
        self._is_new(token.id)
        pin = self._pins(token.id)
        if pin is None:
            return False
        token.login(pin)
        return True

    def _is_new(self, token_id: str) -> bool:
        """Whether this is the first that is heard of a token; for one of several threads alone."""
        with self._lock:
            if token_id in self._seen:
                return False
            self._seen.add(token_id)
            return True

    def read(self) -> KeyStore:
        """The registry as it is now. Errors as ``read_store``."""
        return read_store(self.store)

    def entries(self) -> tuple[KeyEntry, ...]:
        """The entries of all keys: those of the registry, then those that lie on tokens and were
        never used here. Errors as ``read_store``.
        """
        known = self.read().keys
        named = {(entry.token, entry.id) for entry in known}
        found = (
            KeyEntry(key.id, key.label, None, token=token.id, public_key=key.public_key)
            for token in self.all()
            for key in token.keys()
            if (token.id, key.id) not in named
        )
        return (*known, *found)

    def keyring(self) -> Keyring:
        """The keys that can be used now.

        :raises Fault: the key store cannot be read.
        """
        tokens = {token.id: token for token in self.all()}
        return read_keyring(
            self.read().keys,
            tokens,
            self.software.private,
            lambda fault: self._tell("key", fault),
        )

    def close(self) -> None:
        """Log out of the software token and give the modules back."""
        self.software.logout()
        for module in self._modules:
            module.close()

    def _maybe(self, whose: str, work: Callable[[], object]) -> Fault | None:
        try:
            work()
        except Fault as fault:
            self._tell(whose, fault)
            return fault
        return None

    def _tell(self, whose: str, fault: Fault) -> None:
        said = whose, str(fault)
        if said not in self._told | self._telling:
            self._refused(whose, fault)
        self._telling.add(said)


def find_module(name: str) -> OpenModule | None:
    """What opens the module of this name; None when there is none.

    :raises Fault: ``token_not_available`` when it is there and its library is not.
    """
    for entry in entry_points(group=GROUP, name=name):
        try:
            found: OpenModule = entry.load()
        except ImportError as error:
            raise Fault("token_not_available", f"The token module '{name}': {error}") from None
        return found
    return None


def known_modules() -> list[str]:
    """The names there are, for people."""
    return sorted(entry.name for entry in entry_points(group=GROUP))
