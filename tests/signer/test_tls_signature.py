"""Signatures for handshakes: of the kinds that TLS negotiates, and by keys that fit."""

from __future__ import annotations

import pytest

from xgate.algorithms import SIGNATURES, key_verifies, signature_padding, signature_uri
from xgate.algorithms import digest_named as named
from xgate.errors import Fault
from xgate.net.key_reference import KeyReference
from xgate.signer.keyring import AuthKey, KeyOnToken
from xgate.signer.software import SoftwareToken
from xgate.signer.tls_signature import sign_for_tls
from xgate.testing.pki import Key, issue_auth, make_ca, make_ec_key, make_rsa_key

CA = make_ca("ca")


def auth(key: Key) -> AuthKey:
    return AuthKey(issue_auth(CA, "auth", key=key).certificate, key)


KEY = make_rsa_key("tls")
RSA, EC = auth(KEY), auth(make_ec_key("tls"))


@pytest.mark.parametrize("digest", ["SHA-256", "SHA-384", "SHA-512"])
@pytest.mark.parametrize(("kind", "key"), [("rsa", RSA), ("pss", RSA), ("ecdsa", EC)])
def test_a_signature_holds(kind: str, digest: str, key: AuthKey) -> None:
    made = sign_for_tls(key, kind, digest, b"handshake")
    found = named(digest)
    assert found is not None
    algorithm = SIGNATURES[signature_uri(kind, found)]
    pad = None if kind == "ecdsa" else signature_padding(algorithm)
    public = key.certificate.public_key
    assert key_verifies(public, made, b"handshake", algorithm.digest, pad)


def test_a_key_on_a_token_signs_there() -> None:
    token = SoftwareToken({"K": ("k", KEY)})
    held = AuthKey(RSA.certificate, KeyOnToken(token.keys()[0], token))
    made = sign_for_tls(held, "rsa", "SHA-256", b"handshake")
    assert made == sign_for_tls(RSA, "rsa", "SHA-256", b"handshake")
    gone = AuthKey(RSA.certificate, KeyOnToken(token.keys()[0], SoftwareToken({})))
    with pytest.raises(Fault, match="key_not_found"):
        sign_for_tls(gone, "rsa", "SHA-256", b"handshake")


@pytest.mark.parametrize(
    ("key", "kind", "digest"),
    [
        (RSA, "ecdsa", "SHA-256"),
        (EC, "rsa", "SHA-256"),
        (EC, "pss", "SHA-512"),
        (RSA, "rsa", "MD5"),
        (RSA, "dsa", "SHA-256"),
        (RSA, "pss", "SHA-1"),
        (AuthKey(RSA.certificate, KeyReference(b"")), "rsa", "SHA-256"),
    ],
)
def test_what_does_not_fit_is_refused(key: AuthKey, kind: str, digest: str) -> None:
    with pytest.raises(Fault) as caught:
        sign_for_tls(key, kind, digest, b"handshake")
    assert caught.value.code == "unsupported_sign_algorithm"
