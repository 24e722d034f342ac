"""Tokens of other packages, kept to their duties.

The rule: whatever fails inside another package becomes a ``Fault`` with the name of the error and
where it was raised, and never with the error's own words: a PIN may be among them. What such a
token cannot tell counts as not there, so it hides no other token and ends no server (tokens).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from xgate.errors import Fault
from xgate.signer.token import (
    KeyKind,
    KeyParameters,
    ManagedToken,
    SignJob,
    TokenCertificate,
    TokenKey,
    TokenState,
)
from xgate.signer.tokens import OpenModule, TokenModule

__all__ = ["ContainedModule", "open_contained"]

T = TypeVar("T")


def open_contained(
    name: str,
    open_module: OpenModule,
    options: Mapping[str, Any],
    folder: Path,
    parameters: KeyParameters,
) -> ContainedModule:
    """Open a module of another package; see ``OpenModule``.

    :raises Fault: ``token_not_available``.
    """
    opened = _done(
        _module(name), "token_not_available", lambda: open_module(options, folder, parameters)
    )
    return ContainedModule(name, opened)


class ContainedModule:
    """A module of another package, under its name in the settings; see ``TokenModule``."""

    def __init__(self, name: str, module: TokenModule) -> None:
        self._name = name
        self._module = module
        self._known: dict[str, _ContainedToken] = {}

    def tokens(self) -> Sequence[_ContainedToken]:
        """Its tokens; none while it cannot tell them."""
        try:
            found = self._do(self._found)
        except Fault:
            return ()  # told by ``refresh``
        return tuple(self._contained(token_id, token) for token_id, token in found)

    def refresh(self) -> None:
        """See ``TokenModule.refresh``; what its tokens cannot tell is told here.

        :raises Fault: the first thing that went wrong.
        """
        self._do(self._module.refresh)
        self._do(self._found)
        for known in self.tokens():
            known.check()

    def close(self) -> None:
        """See ``TokenModule.close``; it is the last that is heard of it, however it ends."""
        try:
            self._do(self._module.close)
        except Fault:
            return

    def _found(self) -> list[tuple[str, ManagedToken]]:
        found = [(_a(str, token.id), token) for token in self._module.tokens()]
        if not all(isinstance(token, ManagedToken) for _, token in found):
            raise TypeError
        return found

    def _contained(self, token_id: str, token: ManagedToken) -> _ContainedToken:
        known = self._known.get(token_id)
        if known is None or known.inner is not token:
            known = self._known[token_id] = _ContainedToken(self._name, token_id, token)
        return known

    def _do(self, work: Callable[[], T]) -> T:
        return _done(_module(self._name), "token_not_available", work)


class _ContainedToken:
    """A ``ManagedToken`` around another one."""

    def __init__(self, module: str, token_id: str, inner: ManagedToken) -> None:
        self.id = token_id
        self.inner = inner
        self._module = module

    def __repr__(self) -> str:
        return f"Token({self.id!r} of {self._module})"

    def check(self) -> None:
        """:raises Fault: it cannot tell its state or its keys."""
        self._do("token_not_available", self._state)
        self._do("token_not_available", self._keys)

    def state(self) -> TokenState:
        """See ``ManagedToken.state``; of one that cannot tell: that it is not there."""
        try:
            return self._do("token_not_available", self._state)
        except Fault:
            return TokenState(self.id, self._module, "ok", available=False, active=False)

    def keys(self) -> Sequence[TokenKey]:
        """See ``SigningToken.keys``; none while it cannot tell them."""
        try:
            return self._do("token_not_available", self._keys)
        except Fault:
            return ()

    def sign(self, jobs: Sequence[SignJob]) -> Sequence[bytes | Fault]:
        """See ``SigningToken.sign``."""
        try:
            values = self._do("cannot_sign", lambda: tuple(self.inner.sign(jobs)))
        except Fault as fault:
            return [fault] * len(jobs)
        if len(values) != len(jobs) or not all(isinstance(v, bytes | Fault) for v in values):
            wrong = Fault("cannot_sign", f"Token '{self.id}' gave something else than signatures")
            return [wrong] * len(jobs)
        return values

    def login(self, pin: str, *, force: bool = False) -> None:
        """See ``ManagedToken.login``."""
        self._do("login_failed", lambda: self.inner.login(pin, force=force))

    def logout(self) -> None:
        """See ``ManagedToken.logout``."""
        self._do("logout_failed", self.inner.logout)

    def generate(self, kind: KeyKind, label: str) -> TokenKey:
        """See ``ManagedToken.generate``."""
        return self._do(
            "failed_to_generate_private_key",
            lambda: _a(TokenKey, self.inner.generate(kind, label)),
        )

    def delete(self, key_id: str) -> None:
        """See ``ManagedToken.delete``."""
        self._do("internal_error", lambda: self.inner.delete(key_id))

    def certificates(self) -> Sequence[TokenCertificate]:
        """See ``ManagedToken.certificates``."""
        return self._do(
            "internal_error",
            lambda: tuple(_a(TokenCertificate, one) for one in self.inner.certificates()),
        )

    def _state(self) -> TokenState:
        return _a(TokenState, self.inner.state())

    def _keys(self) -> tuple[TokenKey, ...]:
        return tuple(_a(TokenKey, key) for key in self.inner.keys())

    def _do(self, code: str, work: Callable[[], T]) -> T:
        return _done(f"Token '{self.id}' of '{self._module}'", code, work)


def _a(kind: type[T], value: object) -> T:
    """What a duty promises to be of this kind, if it is."""
    if not isinstance(value, kind):
        raise TypeError
    return value


def _module(name: str) -> str:
    return f"The token module '{name}'"


def _done(whose: str, code: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except Fault:
        raise
    except Exception as error:  # noqa: BLE001  it may be anything
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}, line {last.lineno}"
        text = f"{whose} fails by itself: {type(error).__name__} in {place}"
    raise Fault(code, text)  # here, so that it carries no trace of what was said there
