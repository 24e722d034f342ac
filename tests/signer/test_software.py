"""The software token signs by digest, refuses by name and gives nothing away."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from xgate.algorithms import SHA512, SIGNATURES, signature_uri, verify_signature
from xgate.errors import Fault
from xgate.signer.software import SoftwareToken, key_kind
from xgate.signer.token import SignJob

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
TOKEN = SoftwareToken({"R": ("rsa", RSA), "E": ("p256", P256), "F": ("p384", P384)})
DATA = b"to be signed"


def job(key: str, kind: str) -> SignJob:
    return SignJob(key, SIGNATURES[signature_uri(kind, SHA512)], SHA512.of(DATA))


@pytest.mark.parametrize(
    ("key", "kind", "private"),
    [("R", "rsa", RSA), ("R", "pss", RSA), ("E", "ecdsa", P256), ("F", "ecdsa", P384)],
)
def test_signatures_hold(key: str, kind: str, private: object) -> None:
    (value,) = TOKEN.sign([job(key, kind)])
    assert isinstance(value, bytes)
    public = private.public_key()  # type: ignore[attr-defined]  # every kind has it
    uri = signature_uri(kind, SHA512)
    assert verify_signature(uri, public, value, DATA, raw_ecdsa=False)
    assert not verify_signature(uri, public, value, DATA + b"!", raw_ecdsa=False)


def test_a_batch_is_answered_in_order_and_one_refusal_harms_no_other() -> None:
    short = SignJob("R", SIGNATURES[signature_uri("rsa", SHA512)], b"short")
    answers = TOKEN.sign(
        [job("R", "rsa"), job("?", "rsa"), job("E", "rsa"), short, job("E", "ecdsa")]
    )
    codes = [a.code if isinstance(a, Fault) else "signed" for a in answers]
    assert codes == [
        "signed",
        "key_not_found",
        "unsupported_sign_algorithm",
        "cannot_sign",
        "signed",
    ]


def test_the_token_shows_public_keys_only() -> None:
    assert [(k.id, k.kind) for k in TOKEN.keys()] == [("R", "rsa"), ("E", "ecdsa"), ("F", "ecdsa")]
    assert repr(TOKEN) == "SoftwareToken(3 keys)"


def test_other_keys_cannot_sign() -> None:
    with pytest.raises(Fault, match="only RSA and elliptic curve"):
        key_kind(ed25519.Ed25519PrivateKey.generate())
