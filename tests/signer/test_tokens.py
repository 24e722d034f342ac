"""All tokens together: what one does wrong harms no other."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.signer import tokens as module
from xgate.signer.entries import KeyEntry, StoredCertificate
from xgate.signer.sealed_token import SealedToken
from xgate.signer.store import write_store
from xgate.signer.token import KeyParameters, ManagedToken, TokenState
from xgate.signer.tokens import Tokens, find_module, known_modules
from xgate.testing.authority import Authority
from xgate.testing.pki import make_key

PIN, OTHER_PIN = "Secret1234", "Other PIN 2"
MEMBER = ClientId("XG", "COM", "1")
AUTHORITY = Authority()


class Second(SealedToken):
    """A token of another module: real keys in a store of its own."""

    id = "second"


class Shelf:
    """A module whose tokens come and go."""

    def __init__(self, *tokens: ManagedToken) -> None:
        self.there: list[ManagedToken] = list(tokens)
        self.broken = False
        self.closed = False

    def tokens(self) -> Sequence[ManagedToken]:
        return self.there

    def refresh(self) -> None:
        if self.broken:
            raise Fault("token_not_available", "the module hangs")

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def stored() -> dict[str, StoredCertificate]:
    return {
        name: StoredCertificate(
            AUTHORITY.member(MEMBER, key=make_key(name)).certificate.der, "XG/COM/1"
        )
        for name in ("one", "two")
    }


@pytest.fixture
def path(tmp_path: Path, stored: dict[str, StoredCertificate]) -> Path:
    """The registry of two keys, the second one on another token."""
    path = tmp_path / "keys.xgate"
    write_store(
        path,
        PIN,
        [
            (KeyEntry("K1", "", "SIGNING", (stored["one"],)), make_key("one")),
            (KeyEntry("K2", "", "SIGNING", (stored["two"],), token="second"), None),
        ],
    )
    write_store(
        tmp_path / "second.xgate", OTHER_PIN, [(KeyEntry("K2", "", "SIGNING"), make_key("two"))]
    )
    return path


@pytest.fixture
def shelf(path: Path) -> Shelf:
    return Shelf(Second(path.with_name("second.xgate")))


class Refusals:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, whose: str, fault: Fault) -> None:
        self.seen.append((whose, fault.code))


def opened(path: Path, shelf: Shelf, pins: dict[str, str], refused: Refusals) -> Tokens:
    return Tokens(path, KeyParameters(), [shelf], pins.get, refused)


def test_keys_of_all_tokens_make_one_ring(
    path: Path, shelf: Shelf, stored: dict[str, StoredCertificate]
) -> None:
    refused = Refusals()
    tokens = opened(path, shelf, {"0": PIN, "second": OTHER_PIN}, refused)
    assert tokens.keyring().signing == ()
    tokens.refresh()
    ring = tokens.keyring()
    assert [c.der for c in ring.certificates()] == [stored["one"].der, stored["two"].der]
    assert [key.token.id for key in ring.signing] == ["0", "second"]
    assert refused.seen == []
    assert [token.id for token in tokens.all()] == ["0", "second"]
    tokens.close()
    assert shelf.closed
    assert not tokens.software.state().active


def test_a_token_may_be_set_to_merge_nothing(path: Path) -> None:
    class Single(Second):
        def state(self) -> TokenState:
            return msgspec.structs.replace(super().state(), batch_signing=False)

    shelf = Shelf(Single(path.with_name("second.xgate")))
    tokens = opened(path, shelf, {"0": PIN, "second": OTHER_PIN}, Refusals())
    tokens.refresh()
    assert [(k.token.id, k.merges) for k in tokens.keyring().signing] == [
        ("0", True),
        ("second", False),
    ]


def test_what_stays_wrong_is_told_once_and_again_after_it_was_right(
    path: Path, shelf: Shelf
) -> None:
    refused = Refusals()
    tokens = opened(path, shelf, {"0": PIN}, refused)
    shelf.broken = True
    for _ in range(3):
        tokens.refresh()
        assert tokens.troubles() == ("the module hangs",)
    assert refused.seen == [("module", "token_not_available")]
    shelf.broken = False
    tokens.refresh()
    shelf.broken = True
    tokens.refresh()
    assert refused.seen == [("module", "token_not_available")] * 2


def test_a_token_that_vanishes_takes_only_its_own_keys_along(path: Path, shelf: Shelf) -> None:
    tokens = opened(path, shelf, {"0": PIN, "second": OTHER_PIN}, Refusals())
    tokens.refresh()
    gone = shelf.there.pop()
    assert [key.token.id for key in tokens.keyring().signing] == ["0"]
    with pytest.raises(Fault, match="Token 'second' not found; there are: 0"):
        tokens.check("second")
    shelf.there.append(gone)
    assert tokens.check("second") is gone
    assert len(tokens.keyring().signing) == 2


def test_a_pin_is_tried_once_and_a_logout_lasts(path: Path, shelf: Shelf) -> None:
    refused = Refusals()
    tokens = opened(path, shelf, {"0": PIN, "second": "wrong"}, refused)
    for _ in range(3):
        tokens.refresh()
    assert refused.seen == [("second", "pin_incorrect")]
    assert [key.token.id for key in tokens.keyring().signing] == ["0"]
    tokens.software.logout()
    tokens.refresh()
    assert tokens.keyring().signing == ()
    assert tokens.login(tokens.software)
    assert [key.token.id for key in tokens.keyring().signing] == ["0"]


def test_threads_that_look_at_once_try_a_pin_once(path: Path, shelf: Shelf) -> None:
    refused = Refusals()
    tokens = opened(path, shelf, {"0": PIN, "second": "wrong"}, refused)
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(tokens.refresh) for _ in range(16)]:
            done.result()
    assert refused.seen == [("second", "pin_incorrect")]


def test_a_module_that_fails_is_reported_and_stays_as_it_was(path: Path, shelf: Shelf) -> None:
    refused = Refusals()
    tokens = opened(path, shelf, {"0": PIN, "second": OTHER_PIN}, refused)
    tokens.refresh()
    shelf.broken = True
    tokens.refresh()
    assert refused.seen == [("module", "token_not_available")]
    assert len(tokens.keyring().signing) == 2


class Entry:
    def __init__(self, loaded: Any) -> None:
        self.name = "third-party"
        self._loaded = loaded

    def load(self) -> Any:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


def test_modules_of_other_packages_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def offer(loaded: Any) -> None:
        monkeypatch.setattr(
            module,
            "entry_points",
            lambda group, name=None: (
                [Entry(loaded)]
                if group == "xgate.signingtokens" and name in (None, "third-party")
                else []
            ),
        )

    offer(Shelf)
    found: object = find_module("third-party")
    assert found is Shelf
    assert find_module("unknown") is None
    assert known_modules() == ["third-party"]
    offer(ImportError("no such library"))
    with pytest.raises(Fault, match="'third-party': no such library"):
        find_module("third-party")


def test_the_last_look_says_which_modules_do_not_work(path: Path) -> None:
    shelf = Shelf()
    tokens = Tokens(path, KeyParameters(), [shelf])
    tokens.look()
    assert tokens.troubles() == ()
    shelf.broken = True
    assert tokens.troubles() == ()
    tokens.look()
    assert tokens.troubles() == ("the module hangs",)
    shelf.broken = False
    tokens.look()
    assert tokens.troubles() == ()
