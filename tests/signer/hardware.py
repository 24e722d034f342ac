"""Tokens of PKCS#11 modules for tests: opened, logged in, and asked from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute, ObjectClass
from pkcs11.types import Object, Session

from xgate.algorithms import SIGNATURES, digest_named, signature_uri, verify_signature
from xgate.errors import Fault
from xgate.signer.cryptoki_thread import PATIENCE
from xgate.signer.devices import ModuleSettings
from xgate.signer.pkcs11 import Pkcs11Module
from xgate.signer.pkcs11_token import Pkcs11Token
from xgate.signer.token import KeyParameters, SignJob, TokenKey
from xgate.testing.softhsm import SoftHsm

PIN, SO_PIN = "1234", "123456"
DATA = b"what is signed"


@contextmanager
def opened(
    library: object,
    parameters: KeyParameters | None = None,
    *,
    patience: float = PATIENCE,
    **settings: Any,
) -> Iterator[Pkcs11Module]:
    """A module with these settings, looked into once."""
    named = ModuleSettings(type="hsm", library=str(library), **settings)
    module = Pkcs11Module(named, parameters, patience=patience)
    try:
        module.refresh()
        yield module
    finally:
        module.close()


@contextmanager
def token_of(softhsm: SoftHsm, library: object = None, **settings: Any) -> Iterator[Pkcs11Token]:
    """A fresh token, logged in."""
    softhsm.make_token("fresh", PIN, SO_PIN)
    with opened(library or softhsm.library, **settings) as module:
        token = labelled(module, "fresh")
        token.login(PIN)
        yield token


def labelled(module: Pkcs11Module, label: str) -> Pkcs11Token:
    return next(t for t in module.tokens() if t.state().info.get("Label") == label)


def job(key: TokenKey, kind: str = "", digest: str = "SHA-512", data: bytes = DATA) -> SignJob:
    named = digest_named(digest)
    assert named is not None
    algorithm = SIGNATURES[signature_uri(kind or key.kind, named)]
    return SignJob(key.id, algorithm, named.of(data))


def outcome(token: Pkcs11Token, key: TokenKey, kind: str = "", digest: str = "SHA-512") -> str:
    """``signed`` when a signature holds, else the fault's code."""
    wanted = job(key, kind, digest)
    (value,) = token.sign([wanted])
    if isinstance(value, Fault):
        return value.code
    public = load_der_public_key(key.public_key)
    good = verify_signature(wanted.algorithm.uri, public, value, DATA, raw_ecdsa=False)
    return "signed" if good else "a signature that does not hold"


class Seen(msgspec.Struct):
    """The objects of a key as they are on the token."""

    private: Object
    public: Object


@contextmanager
def seen(token: Pkcs11Token, key: TokenKey) -> Iterator[Seen]:
    """Both halves, to read their attributes: by the test, on the test's thread, while no other
    call is made.
    """

    def look(session: Session) -> Seen:
        key_id = bytes.fromhex(key.id)
        kinds = (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
        private, public = (
            next(iter(session.get_objects({Attribute.CLASS: kind, Attribute.ID: key_id})))
            for kind in kinds
        )
        return Seen(private, public)

    yield token._do(lambda: token._as_user(look), "internal_error")
