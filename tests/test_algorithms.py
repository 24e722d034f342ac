"""The algorithms of X-Road by name and URI, and that verifying by them really verifies."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.algorithms import (
    DIGESTS,
    SHA512,
    SHA512_URI,
    SIGNATURES,
    digest_named,
    ecdsa_der,
    ecdsa_raw,
    find_digest,
    find_signature,
    key_is_strong,
    key_verifies,
    signature_padding,
    signature_uri,
    verify_signature,
)

DATA = b"what was signed"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEYS = [
    ec.generate_private_key(curve) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
]


def test_digests_are_found_by_uri_and_by_name() -> None:
    for digest in DIGESTS:
        assert find_digest(digest.uri) is digest
        assert digest_named(digest.name.lower()) is digest
        assert len(digest.of(b"")) == digest.size == digest.primitive.digest_size
    assert find_digest("urn:unknown") is None
    assert digest_named("MD5") is None


def test_the_digest_of_messages() -> None:
    assert SHA512_URI == "http://www.w3.org/2001/04/xmlenc#sha512"
    assert SHA512.of(memoryview(b"abc")) == hashlib.sha512(b"abc").digest()


def test_every_signature_algorithm_is_found_and_named_back() -> None:
    assert len(SIGNATURES) == 12
    for uri, algorithm in SIGNATURES.items():
        assert find_signature(uri) is algorithm
        assert signature_uri(algorithm.kind, algorithm.digest) == uri
    assert find_signature("urn:unknown") is None
    with pytest.raises(KeyError):
        signature_uri("dsa", SHA512)


@pytest.mark.parametrize(
    "uri", [uri for uri, algorithm in SIGNATURES.items() if algorithm.kind != "ecdsa"]
)
def test_rsa_signatures(uri: str) -> None:
    algorithm = SIGNATURES[uri]
    value = RSA_KEY.sign(DATA, signature_padding(algorithm), algorithm.digest.primitive)
    key = RSA_KEY.public_key()
    assert verify_signature(uri, key, value, DATA, raw_ecdsa=True)
    assert not verify_signature(uri, key, value, DATA + b"!", raw_ecdsa=True)
    assert not verify_signature(uri, key, value[:-1], DATA, raw_ecdsa=True)
    assert not verify_signature(uri, EC_KEYS[0].public_key(), value, DATA, raw_ecdsa=True)


def test_a_signature_holds_only_by_its_own_algorithm() -> None:
    sha256, sha512 = (signature_uri("rsa", digest) for digest in (DIGESTS[2], SHA512))
    value = RSA_KEY.sign(DATA, signature_padding(SIGNATURES[sha256]), hashes.SHA256())
    assert not verify_signature(sha512, RSA_KEY.public_key(), value, DATA, raw_ecdsa=True)
    assert not verify_signature("urn:unknown", RSA_KEY.public_key(), value, DATA, raw_ecdsa=True)
    assert not verify_signature(sha256, None, value, DATA, raw_ecdsa=True)


@pytest.mark.parametrize("key", EC_KEYS, ids=lambda key: key.curve.name)
def test_ecdsa_signatures_in_both_forms(key: ec.EllipticCurvePrivateKey) -> None:
    uri = signature_uri("ecdsa", SHA512)
    der = key.sign(DATA, ec.ECDSA(hashes.SHA512()))
    raw = ecdsa_raw(der, key.curve.key_size)
    assert len(raw) == 2 * ((key.curve.key_size + 7) // 8)
    public = key.public_key()
    assert verify_signature(uri, public, raw, DATA, raw_ecdsa=True)
    assert verify_signature(uri, public, der, DATA, raw_ecdsa=False)
    assert not verify_signature(uri, public, der, DATA, raw_ecdsa=True)
    assert not verify_signature(uri, public, raw[1:], DATA, raw_ecdsa=True)
    assert not verify_signature(uri, public, bytes(len(raw)), DATA, raw_ecdsa=True)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=140), st.booleans())
def test_garbage_is_no_signature(value: bytes, raw: bool) -> None:
    for uri in SIGNATURES:
        assert not verify_signature(uri, RSA_KEY.public_key(), value, DATA, raw_ecdsa=raw)
        assert not verify_signature(uri, EC_KEYS[0].public_key(), value, DATA, raw_ecdsa=raw)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=64, max_size=64))
def test_both_forms_of_ecdsa_carry_the_same_numbers(raw: bytes) -> None:
    assert ecdsa_raw(ecdsa_der(raw, 256), 256) == raw


def test_a_raw_signature_of_another_curve_has_another_length() -> None:
    with pytest.raises(ValueError, match="length"):
        ecdsa_der(bytes(64), 384)


def test_weak_keys_and_keys_of_another_kind_verify_nothing() -> None:
    small = ec.generate_private_key(ec.SECP192R1())
    der = small.sign(DATA, ec.ECDSA(hashes.SHA512()))
    uri = signature_uri("ecdsa", SHA512)
    assert not verify_signature(uri, small.public_key(), der, DATA, raw_ecdsa=False)
    strong = EC_KEYS[0]
    der = strong.sign(DATA, ec.ECDSA(hashes.SHA512()))
    assert key_verifies(strong.public_key(), der, DATA, SHA512, None)
    assert not key_verifies(strong.public_key(), der, DATA, SHA512, padding.PKCS1v15())
    assert not key_verifies(RSA_KEY.public_key(), der, DATA, SHA512, None)
    assert key_is_strong(RSA_KEY.public_key())
    assert not key_is_strong(small.public_key())
    assert not key_is_strong(ed25519.Ed25519PrivateKey.generate().public_key())
