"""The software token: logged in to, logged out of, given new keys, while others change its file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from xgate.algorithms import SHA512, SIGNATURES, signature_uri, verify_signature
from xgate.errors import Fault
from xgate.signer.entries import KeyEntry
from xgate.signer.sealed_token import SealedToken
from xgate.signer.store import KeyStore, change_pin, change_store, read_store, write_store
from xgate.signer.token import CURVES, KeyKind, KeyParameters, ManagedToken, SignJob, TokenState
from xgate.testing.pki import make_key

PIN = "Secret1234"
DATA = b"to be signed"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys.xgate"
    write_store(
        path,
        PIN,
        [
            (KeyEntry("S", "sign", "SIGNING"), make_key("s")),
            (KeyEntry("A", "auth", "AUTHENTICATION"), make_key("a")),
        ],
    )
    return path


@pytest.fixture
def token(path: Path) -> SealedToken:
    token = SealedToken(path)
    _: ManagedToken = token  # mypy holds it against the protocol
    token.login(PIN)
    return token


def job(key_id: str, kind: str = "rsa") -> SignJob:
    return SignJob(key_id, SIGNATURES[signature_uri(kind, SHA512)], SHA512.of(DATA))


def code_of(answer: bytes | Fault) -> str:
    return answer.code if isinstance(answer, Fault) else "signed"


def test_it_signs_while_it_is_logged_in(path: Path) -> None:
    token = SealedToken(path)
    assert token.state() == TokenState("softToken-0", "softToken", "ok", True, False)
    assert (token.keys(), repr(token)) == ((), "SealedToken(locked)")
    assert [code_of(a) for a in token.sign([job("S"), job("A")])] == ["token_not_active"] * 2
    for _ in range(2):  # twice is as good as once
        token.login(PIN)
    assert token.state().active
    kind = token.keys()[0].kind
    assert [code_of(a) for a in token.sign([job("S", kind), job("A", kind)])] == ["signed"] * 2
    assert "rivate" not in repr(token)
    for _ in range(2):
        token.logout()
    assert (token.keys(), token.private("A")) == ((), None)


def test_only_authentication_keys_are_given_to_tls(token: SealedToken) -> None:
    private = token.private("A")
    assert private is not None
    assert private.private_numbers() == make_key("a").private_numbers()
    assert token.private("S") is None


def test_a_wrong_pin_opens_nothing_and_closes_nothing(path: Path, token: SealedToken) -> None:
    for one in (SealedToken(path), token):
        with pytest.raises(Fault) as caught:
            one.login("Geheim999")
        assert caught.value.code == "pin_incorrect"
        assert "Geheim999" not in str(caught.value)
    assert token.state().active


@pytest.mark.parametrize(
    ("kind", "public"), [("rsa", rsa.RSAPublicKey), ("ecdsa", ec.EllipticCurvePublicKey)]
)
def test_a_new_key_signs_at_once_and_after_the_next_login(
    path: Path, token: SealedToken, kind: KeyKind, public: type
) -> None:
    made = token.generate(kind, "new")
    assert (len(made.id), made.id, made.label) == (40, made.id.upper(), "new")
    key = load_der_public_key(made.public_key)
    assert isinstance(key, public)
    again = SealedToken(path)
    again.login(PIN)
    for one in (token, again):
        (value,) = one.sign([job(made.id, kind)])
        assert isinstance(value, bytes)
        uri = signature_uri(kind, SHA512)
        assert verify_signature(uri, key, value, DATA, raw_ecdsa=False)
    entry = read_store(path).keys[-1]
    assert (entry.id, entry.usage, entry.token) == (made.id, None, "0")
    assert entry.public_key == made.public_key


def test_new_keys_are_as_large_as_was_said(path: Path) -> None:
    for curve, name in CURVES.items():
        token = SealedToken(path, KeyParameters(3072, curve))
        token.login(PIN)
        made = load_der_public_key(token.generate("ecdsa", "").public_key)
        assert isinstance(made, ec.EllipticCurvePublicKey)
        assert isinstance(made.curve, name)
    made = load_der_public_key(token.generate("rsa", "").public_key)
    assert isinstance(made, rsa.RSAPublicKey)
    assert made.key_size == 3072


def test_no_key_is_made_on_a_closed_token_or_where_nothing_can_be_written(path: Path) -> None:
    with pytest.raises(Fault) as caught:
        SealedToken(path).generate("ecdsa", "")
    assert caught.value.code == "token_not_active"
    assert len(read_store(path).keys) == 2


def test_a_deleted_key_is_gone(path: Path, token: SealedToken) -> None:
    token.delete("S")
    assert [key.id for key in token.keys()] == ["A"]
    assert code_of(token.sign([job("S", "ecdsa")])[0]) == "key_not_found"
    assert list(read_store(path).sealed.keys) == ["A"]
    with pytest.raises(Fault) as caught:
        token.delete("S")
    assert caught.value.code == "key_not_found"


def test_it_follows_what_others_change(path: Path, token: SealedToken) -> None:
    other = SealedToken(path)
    other.login(PIN)
    made = other.generate("ecdsa", "theirs")
    other.delete("S")

    def rename(store: KeyStore) -> KeyStore:
        keys = tuple(msgspec.structs.replace(e, label="new name") for e in store.keys)
        return msgspec.structs.replace(store, keys=keys)

    change_store(path, rename)
    assert made.id not in {key.id for key in token.keys()}
    token.refresh()
    assert [(key.id, key.label) for key in token.keys()] == [
        ("A", "new name"),
        (made.id, "new name"),
    ]
    assert code_of(token.sign([job(made.id, "ecdsa")])[0]) == "signed"


def test_a_key_that_another_has_deleted_signs_for_what_had_begun(
    path: Path, token: SealedToken
) -> None:
    kind = token.keys()[0].kind
    SealedToken(path).delete("S")
    for answers in (["signed", "signed"], ["key_not_found", "signed"]):
        token.refresh()
        assert [key.id for key in token.keys()] == ["A"]
        assert [code_of(a) for a in token.sign([job("S", kind), job("A", kind)])] == answers


def test_a_changed_pin_closes_nothing_but_opens_nothing_new(path: Path, token: SealedToken) -> None:
    change_pin(path, PIN, "New PIN 2")
    token.refresh()
    assert [key.id for key in token.keys()] == ["S", "A"]
    with pytest.raises(Fault, match="PIN of the software token was changed"):
        token.generate("ecdsa", "")
    other = SealedToken(path)
    other.login("New PIN 2")
    made = other.generate("ecdsa", "")
    with pytest.raises(Fault, match="log in with the new one") as caught:
        token.refresh()
    assert caught.value.code == "token_not_active"
    assert [key.id for key in token.keys()] == ["S", "A"]
    token.login("New PIN 2")
    assert made.id in {key.id for key in token.keys()}


def test_a_token_without_a_pin_says_so(tmp_path: Path) -> None:
    token = SealedToken(tmp_path / "none.xgate")
    assert token.state().status == "not-initialized"
    with pytest.raises(Fault) as caught:
        token.login(PIN)
    assert caught.value.code == "token_not_initialized"


def test_a_store_that_cannot_be_read_makes_the_token_unavailable(path: Path) -> None:
    path.chmod(0o644)
    assert not SealedToken(path).state().available
