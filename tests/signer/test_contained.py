"""Tokens of other packages: what fails inside them is a refusal, and hides nobody else."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from xgate.algorithms import SHA512, SIGNATURES, signature_uri
from xgate.errors import Fault
from xgate.signer.contained import ContainedModule, open_contained
from xgate.signer.entries import KeyEntry
from xgate.signer.sealed_token import SealedToken
from xgate.signer.store import write_store
from xgate.signer.token import KeyParameters, ManagedToken, SignJob
from xgate.signer.tokens import Tokens
from xgate.testing.pki import make_key
from xgate.testing.signingtoken import ManagedTokenDuties, Opened

PIN = "Secret1234"


class Foreign(SealedToken):
    """A real token whose methods can be made to fail, as code of others does."""

    id = "foreign"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.broken: set[str] = set()

    def __getattribute__(self, name: str) -> Any:
        if name != "broken" and not name.startswith("__") and name in self.broken:
            return lambda *said, **more: os.environ[f"no {said} {more}"]
        return super().__getattribute__(name)


class Shelf:
    def __init__(self, *there: ManagedToken) -> None:
        self.there = there
        self.broken: set[str] = set()

    def tokens(self) -> Sequence[ManagedToken]:
        self._look("tokens")
        return self.there

    def refresh(self) -> None:
        self._look("refresh")

    def close(self) -> None:
        self._look("close")

    def _look(self, name: str) -> None:
        if name in self.broken:
            raise ValueError(PIN)


@pytest.fixture
def foreign(tmp_path: Path) -> Foreign:
    path = tmp_path / "foreign.xgate"
    write_store(path, PIN, [(KeyEntry("F1", "", "SIGNING"), make_key("f"))])
    return Foreign(path)


@pytest.fixture
def shelf(foreign: Foreign) -> Shelf:
    return Shelf(foreign)


def job() -> SignJob:
    algorithm = SIGNATURES[signature_uri("ecdsa", SHA512)]
    return SignJob("F1", algorithm, bytes(64))


class TestContainedToken(ManagedTokenDuties):
    """One that works does all that it did before."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Opened:
        path = tmp_path / "empty.xgate"
        write_store(path, PIN, [])
        (token,) = ContainedModule("other", Shelf(SealedToken(path))).tokens()
        return Opened(token, PIN, "another")

    @pytest.fixture
    def token(self, opened: Opened) -> ManagedToken:
        opened.token.login(PIN)
        opened.token.generate("rsa", "one")
        opened.token.generate("ecdsa", "two")
        return opened.token


def test_the_same_token_is_the_same_object(shelf: Shelf, foreign: Foreign) -> None:
    module = ContainedModule("other", shelf)
    assert module.tokens()[0] is module.tokens()[0]
    first = module.tokens()[0]
    shelf.there = (Foreign(foreign._path),)
    assert module.tokens()[0] is not first


ACTS: dict[str, tuple[Callable[[ManagedToken], object], str]] = {
    "login": (lambda token: token.login(PIN, force=True), "login_failed"),
    "logout": (lambda token: token.logout(), "logout_failed"),
    "generate": (lambda token: token.generate("rsa", PIN), "failed_to_generate_private_key"),
    "delete": (lambda token: token.delete(PIN), "internal_error"),
    "certificates": (lambda token: token.certificates(), "internal_error"),
}


@pytest.mark.parametrize("name", ACTS)
def test_an_error_of_its_own_is_a_refusal_that_repeats_nothing(
    name: str, shelf: Shelf, foreign: Foreign
) -> None:
    (token,) = ContainedModule("other", shelf).tokens()
    foreign.broken = {name}
    act, code = ACTS[name]
    with pytest.raises(Fault) as caught:
        act(token)
    assert caught.value.code == code
    assert caught.value.text.startswith("Token 'foreign' of 'other' fails by itself: KeyError in ")
    assert PIN not in caught.value.text
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)


def test_what_it_cannot_tell_counts_as_not_there(shelf: Shelf, foreign: Foreign) -> None:
    (token,) = ContainedModule("other", shelf).tokens()
    token.login(PIN)
    foreign.broken = {"state", "keys", "sign"}
    assert not token.state().available
    assert list(token.keys()) == []
    values = token.sign([job(), job()])
    assert [v.code for v in values if isinstance(v, Fault)] == ["cannot_sign", "cannot_sign"]


@pytest.mark.parametrize("given", [[b"one"], [b"one", None], [b"one", "two"], None])
def test_what_are_no_signatures_are_none(given: Any, shelf: Shelf, foreign: Foreign) -> None:
    (token,) = ContainedModule("other", shelf).tokens()
    token.login(PIN)
    foreign.sign = lambda jobs: given  # type: ignore[method-assign]
    values = token.sign([job(), job()])
    assert [v.code for v in values if isinstance(v, Fault)] == ["cannot_sign"] * 2


def test_what_is_of_another_kind_counts_as_not_told(shelf: Shelf, foreign: Foreign) -> None:
    module = ContainedModule("other", shelf)
    (token,) = module.tokens()
    foreign.keys = lambda: ["K1"]  # type: ignore[list-item, method-assign]
    foreign.state = lambda: None  # type: ignore[assignment, method-assign, return-value]
    assert list(token.keys()) == []
    assert not token.state().available
    with pytest.raises(Fault, match="fails by itself: TypeError"):
        module.refresh()
    shelf.there = ("no token",)  # type: ignore[assignment]
    assert list(module.tokens()) == []


@pytest.mark.parametrize("wrong", ["refresh", "tokens"])
def test_a_module_that_fails_hides_no_other(wrong: str, tmp_path: Path, shelf: Shelf) -> None:
    good = tmp_path / "good.xgate"
    write_store(good, PIN, [(KeyEntry("G1", "", "SIGNING"), make_key("g"))])

    class Good(SealedToken):
        id = "good"

    store, told = tmp_path / "keys.xgate", list[str]()
    write_store(store, PIN, [(KeyEntry("K1", "", "SIGNING"), make_key("k"))])
    modules = [ContainedModule("other", shelf), ContainedModule("next", Shelf(Good(good)))]
    tokens = Tokens(
        store, KeyParameters(), modules, lambda _: PIN, lambda _, fault: told.append(fault.text)
    )
    shelf.broken = {wrong, "close"}
    tokens.refresh()
    assert "good" in [token.id for token in tokens.all()]
    assert {entry.id for entry in tokens.entries()} >= {"K1", "G1"}
    assert tokens.keyring().signing == ()
    (text,) = tokens.troubles()
    assert text.startswith("The token module 'other' fails by itself: ValueError in test_contained")
    assert PIN not in text
    assert text in told
    tokens.close()


@pytest.mark.parametrize("wrong", ["state", "keys"])
def test_a_look_tells_what_a_token_cannot(wrong: str, shelf: Shelf, foreign: Foreign) -> None:
    module = ContainedModule("other", shelf)
    module.refresh()
    foreign.broken = {wrong}
    with pytest.raises(Fault, match="Token 'foreign' of 'other' fails by itself"):
        module.refresh()


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    def opening(options: object, folder: Path, parameters: KeyParameters) -> Shelf:
        raise OSError(PIN)

    with pytest.raises(Fault) as caught:
        open_contained("other", opening, {}, tmp_path, KeyParameters())
    assert caught.value.code == "token_not_available"
    assert "The token module 'other' fails by itself: OSError in" in caught.value.text
