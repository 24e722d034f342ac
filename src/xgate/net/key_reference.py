"""A private key that another process holds: what OpenSSL is given in its place.

The rule: a reference is text that names a signer's socket, a certificate and a public key; nothing
in it is secret. It is read by the provider in ``csrc/provider``, which asks the signer for every
signature. Layout inside the PEM, numbers big-endian, a field being two octets of length and that
many octets::

    "XGK1"  socket path  name of the key  kind (one octet: 1 RSA, 2 EC)
    RSA: modulus, exponent          EC: name of the curve at OpenSSL, point (uncompressed)
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from xgate.net.errors import TlsError
from xgate.trust.pem import write_pem

__all__ = ["KeyReference", "refer_to_key"]

_CURVES = {"secp256r1": "prime256v1", "secp384r1": "secp384r1", "secp521r1": "secp521r1"}
"""pyca's names to OpenSSL's."""


class KeyReference(msgspec.Struct, frozen=True):
    """The PEM text that stands for a key."""

    pem: bytes


def refer_to_key(socket: Path, name: str, public_key: object) -> KeyReference:
    """The reference to a key that the signer at ``socket`` knows by ``name``.

    :param socket: absolute. :param public_key: RSA, or EC on P-256, P-384 or P-521.
    :raises TlsError: another kind of key.
    """
    place = _field(os.fsencode(socket)) + _field(name.encode())
    octets = b"XGK1" + place + _public(public_key)
    return KeyReference(write_pem("XGATE KEY", octets).encode())


def _public(key: object) -> bytes:
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return b"\x01" + _field(_octets(numbers.n)) + _field(_octets(numbers.e))
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return b"\x02" + _field(_CURVES[key.curve.name].encode()) + _field(point)
    raise TlsError("an authentication key in the signer is RSA, or EC on P-256, P-384 or P-521")


def _octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _field(octets: bytes) -> bytes:
    return len(octets).to_bytes(2, "big") + octets
