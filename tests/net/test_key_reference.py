"""A reference to a key holds nothing but where it is and its public half."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from xgate.net.errors import TlsError
from xgate.net.key_reference import refer_to_key


def fields(pem: bytes) -> bytes:
    first, *body, last = pem.decode().splitlines()
    assert (first, last) == ("-----BEGIN XGATE KEY-----", "-----END XGATE KEY-----")
    assert all(len(line) <= 64 for line in body)
    return base64.b64decode("".join(body))


def test_an_rsa_key() -> None:
    key = rsa.generate_private_key(65537, 2048)
    octets = fields(refer_to_key(Path("/run/s"), "name", key.public_key()).pem)
    modulus = key.public_key().public_numbers().n.to_bytes(256, "big")
    assert octets == (b"XGK1\0\x06/run/s\0\x04name\x01\x01\0" + modulus + b"\0\x03\x01\0\x01")


def test_an_ec_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    octets = fields(refer_to_key(Path("/run/s"), "name", key.public_key()).pem)
    assert octets.startswith(b"XGK1\0\x06/run/s\0\x04name\x02\0\x0aprime256v1\0\x41\x04")
    assert len(octets) == 4 + 8 + 6 + 1 + 12 + 2 + 65


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP224R1()).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
    ],
)
def test_other_kinds_are_refused(key: object) -> None:
    with pytest.raises(TlsError, match="is RSA, or EC on"):
        refer_to_key(Path("/run/s"), "name", key)
