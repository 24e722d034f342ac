"""The duties of signing tokens as tests: any token, also a third party's, is held against them.

The rule: classes of plain test methods that need nothing but the token. With pytest, for a token
that can only sign and one that people manage::

    class TestMyToken(SigningTokenDuties):
        @pytest.fixture
        def token(self):
            return MyToken()          # with one key or more

    class TestMyManagedToken(ManagedTokenDuties):
        @pytest.fixture
        def opened(self):
            return Opened(MyToken(), pin="1234", wrong_pin="4321")   # empty, not logged in
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from xgate.algorithms import (
    SHA512,
    SIGNATURES,
    SignatureAlgorithm,
    digest_named,
    signature_uri,
    verify_signature,
)
from xgate.errors import Fault
from xgate.signer.token import KeyKind, ManagedToken, SigningToken, SignJob, TokenKey

__all__ = ["ManagedTokenDuties", "Opened", "SigningTokenDuties"]

_DATA = b"what is signed"
_DIGESTS = ("SHA-256", "SHA-384", "SHA-512")
_KINDS: tuple[KeyKind, ...] = ("rsa", "ecdsa")


class Opened(msgspec.Struct, frozen=True):
    """A token without keys to which nobody has logged in, and its PIN."""

    token: ManagedToken
    pin: str
    wrong_pin: str


class SigningTokenDuties:
    """What every token must do; for subclasses that have a fixture ``token``."""

    def test_keys_are_told_apart_and_are_what_they_say(self, token: SigningToken) -> None:
        """Each has an id of its own, and a public half of the kind that it names."""
        keys = token.keys()
        assert keys, "a token with one key or more is needed"
        assert len({key.id for key in keys}) == len(keys)
        for key in keys:
            public = load_der_public_key(key.public_key)
            wanted = ec.EllipticCurvePublicKey if key.kind == "ecdsa" else rsa.RSAPublicKey
            assert isinstance(public, wanted)
            assert key.kind in ("rsa", "pss", "ecdsa")

    def test_signatures_hold_under_every_digest(self, token: SigningToken) -> None:
        """For what was signed, and for nothing else; those of ECDSA are ASN.1 DER."""
        for key in token.keys():
            for digest in _DIGESTS:
                (value,) = token.sign([_job(key, digest)])
                assert isinstance(value, bytes), value
                assert _holds(key, value, digest)
                assert not _holds(key, value, digest, _DATA + b"!")

    def test_a_batch_is_answered_in_order(self, token: SigningToken) -> None:
        """One result for each job, whatever its key and its data."""
        keys = token.keys()
        data = [b"part %d" % n for n in range(20)]
        jobs = [_job(keys[n % len(keys)], "SHA-512", octets) for n, octets in enumerate(data)]
        values = token.sign(jobs)
        assert len(values) == len(jobs)
        for n, (octets, value) in enumerate(zip(data, values, strict=True)):
            assert isinstance(value, bytes), value
            assert _holds(keys[n % len(keys)], value, "SHA-512", octets)
        assert list(token.sign([])) == []

    def test_a_refused_job_harms_no_other(self, token: SigningToken) -> None:
        """A key that is not there, an algorithm of another family, a digest that is cut short."""
        key = token.keys()[0]
        good, other = _job(key), _algorithm("rsa" if key.kind == "ecdsa" else "ecdsa")
        jobs = [
            good,
            msgspec.structs.replace(good, key_id="no such key"),
            msgspec.structs.replace(good, algorithm=other),
            msgspec.structs.replace(good, digest=good.digest[:-1]),
            good,
        ]
        codes = [v.code if isinstance(v, Fault) else "signed" for v in token.sign(jobs)]
        assert codes == [
            "signed",
            "key_not_found",
            "unsupported_sign_algorithm",
            "cannot_sign",
            "signed",
        ]

    def test_several_threads_sign_at_one_time(self, token: SigningToken) -> None:
        """And every one gets the signature of what it gave."""
        keys = token.keys()
        wrong: list[object] = []

        def sign(name: int) -> None:
            for turn in range(6):
                key, octets = keys[turn % len(keys)], b"%d %d" % (name, turn)
                (value,) = token.sign([_job(key, "SHA-512", octets)])
                if isinstance(value, Fault) or not _holds(key, value, "SHA-512", octets):
                    wrong.append(value)

        _together([partial(sign, name) for name in range(5)])
        assert wrong == []


class ManagedTokenDuties(SigningTokenDuties):
    """What every managed token must do as well; for subclasses with a fixture ``opened``."""

    def test_of_keys_that_are_made_signatures_hold(self, opened: Opened) -> None:
        """All duties of a signing token, with a key of each kind."""
        token = opened.token
        token.login(opened.pin)
        made = [token.generate(kind, f"made {kind}") for kind in _KINDS]
        assert {key.id for key in made} == {key.id for key in token.keys()}
        assert [key.label for key in made] == ["made rsa", "made ecdsa"]
        for name in dir(SigningTokenDuties):
            if name.startswith("test_"):
                getattr(super(), name)(token)

    def test_nothing_is_done_before_login(self, opened: Opened) -> None:
        """And the token says that it is there."""
        token = opened.token
        state = token.state()
        assert (state.available, state.active) == (True, False)
        assert list(token.keys()) == []
        (value,) = token.sign([SignJob("any", _algorithm("rsa"), SHA512.of(_DATA))])
        assert isinstance(value, Fault)
        assert value.code == "token_not_active"
        assert _refused(lambda: token.generate("rsa", "early")).code == "token_not_active"

    def test_login_and_logout_may_be_repeated(self, opened: Opened) -> None:
        """A token stays as it is; each round is like the first."""
        token = opened.token
        for _ in range(2):
            token.login(opened.pin)
            token.login(opened.pin)
            assert token.state().active
            token.logout()
            token.logout()
            assert not token.state().active

    def test_a_wrong_pin_is_refused(self, opened: Opened) -> None:
        """By its code, without a word of it; the right one still opens the token."""
        token = opened.token
        fault = _refused(lambda: token.login(opened.wrong_pin))
        assert fault.code == "pin_incorrect"
        assert opened.wrong_pin not in f"{fault} {fault!r}"
        assert not token.state().active
        token.login(opened.pin)
        assert token.state().active

    def test_the_pin_is_never_shown(self, opened: Opened) -> None:
        """Not in what the token says of itself."""
        token = opened.token
        token.login(opened.pin)
        said = f"{token!r} {token.state()!r}"
        assert opened.pin not in said

    def test_keys_are_there_after_the_next_login(self, opened: Opened) -> None:
        """The same ones; between, none can be used."""
        token = opened.token
        token.login(opened.pin)
        made = token.generate("ecdsa", "lasting")
        token.logout()
        assert list(token.keys()) == []
        (value,) = token.sign([_job(made)])
        assert isinstance(value, Fault)
        assert value.code == "token_not_active"
        token.login(opened.pin)
        assert list(token.keys()) == [made]
        (value,) = token.sign([_job(made)])
        assert isinstance(value, bytes)
        assert _holds(made, value, "SHA-512")

    def test_a_deleted_key_is_gone(self, opened: Opened) -> None:
        """It and no other, and for good."""
        token = opened.token
        token.login(opened.pin)
        first, second = token.generate("ecdsa", "one"), token.generate("ecdsa", "two")
        token.delete(first.id)
        assert list(token.keys()) == [second]
        gone, kept = token.sign([_job(first), _job(second)])
        assert isinstance(gone, Fault)
        assert gone.code == "key_not_found"
        assert isinstance(kept, bytes)
        for key_id in (first.id, "no such key", ""):
            assert _refused(partial(token.delete, key_id)).code == "key_not_found"
        assert list(token.certificates()) == []


def _algorithm(kind: str, digest: str = "SHA-512") -> SignatureAlgorithm:
    named = digest_named(digest)
    assert named is not None
    return SIGNATURES[signature_uri(kind, named)]


def _job(key: TokenKey, digest: str = "SHA-512", data: bytes = _DATA) -> SignJob:
    algorithm = _algorithm(key.kind, digest)
    return SignJob(key.id, algorithm, algorithm.digest.of(data))


def _holds(key: TokenKey, value: bytes, digest: str, data: bytes = _DATA) -> bool:
    public = load_der_public_key(key.public_key)
    uri = _algorithm(key.kind, digest).uri
    return verify_signature(uri, public, value, data, raw_ecdsa=False)


def _refused(work: Callable[[], object]) -> Fault:
    try:
        work()
    except Fault as fault:
        return fault
    raise AssertionError("nothing was refused")


def _together(works: Sequence[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
