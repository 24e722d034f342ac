"""The digest and signature algorithms of X-Road: their names, URIs, and how to verify by them.

The rule: an algorithm is looked up here or it does not exist. Weak ones are readable only where a
caller asks for them by name; weak keys verify nothing. Sources: signature 4, globalconf 3.4,
ocsp-tls-certs 5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = [
    "DIGESTS",
    "SHA512",
    "SHA512_URI",
    "SIGNATURES",
    "Digest",
    "SignatureAlgorithm",
    "digest_named",
    "ecdsa_der",
    "ecdsa_raw",
    "find_digest",
    "find_signature",
    "key_is_strong",
    "key_octets",
    "key_verifies",
    "signature_padding",
    "signature_uri",
    "verify_signature",
]


class Digest(msgspec.Struct, frozen=True):
    """A digest algorithm: X-Road's name (``SHA-512``), its URI and its size in octets."""

    name: str
    uri: str
    size: int

    def new(self) -> Any:
        """A fresh ``hashlib`` object."""
        return hashlib.new(self.name.replace("-", "").lower())

    def of(self, data: bytes | bytearray | memoryview) -> bytes:
        """The digest of ``data``."""
        state = self.new()
        state.update(data)
        octets: bytes = state.digest()
        return octets

    @property
    def primitive(self) -> hashes.HashAlgorithm:
        """The same algorithm as pyca/cryptography knows it."""
        return _PRIMITIVES[self.name]()


_PRIMITIVES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "SHA-1": hashes.SHA1,
    "SHA-224": hashes.SHA224,
    "SHA-256": hashes.SHA256,
    "SHA-384": hashes.SHA384,
    "SHA-512": hashes.SHA512,
}

DIGESTS = (
    Digest("SHA-1", "http://www.w3.org/2000/09/xmldsig#sha1", 20),
    Digest("SHA-224", "http://www.w3.org/2001/04/xmldsig-more#sha224", 28),
    Digest("SHA-256", "http://www.w3.org/2001/04/xmlenc#sha256", 32),
    Digest("SHA-384", "http://www.w3.org/2001/04/xmldsig-more#sha384", 48),
    Digest("SHA-512", "http://www.w3.org/2001/04/xmlenc#sha512", 64),
)
_BY_URI = {digest.uri: digest for digest in DIGESTS}
_BY_NAME = {digest.name: digest for digest in DIGESTS}
SHA512 = _BY_NAME["SHA-512"]
SHA512_URI = SHA512.uri


def find_digest(uri: str) -> Digest | None:
    """The digest algorithm with this URI, or None."""
    return _BY_URI.get(uri)


def digest_named(name: str) -> Digest | None:
    """The digest algorithm with this name, case ignored, or None."""
    return _BY_NAME.get(name.upper())


class SignatureAlgorithm(msgspec.Struct, frozen=True):
    """A signature algorithm: ``kind`` is ``rsa`` (PKCS#1 v1.5), ``pss`` or ``ecdsa``."""

    uri: str
    kind: str
    digest: Digest


_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SIGNATURES = {
    algorithm.uri: algorithm
    for algorithm in (
        SignatureAlgorithm("http://www.w3.org/2000/09/xmldsig#rsa-sha1", "rsa", _BY_NAME["SHA-1"]),
        SignatureAlgorithm(_MORE + "ecdsa-sha1", "ecdsa", _BY_NAME["SHA-1"]),
        SignatureAlgorithm(_MORE + "ecdsa-sha224", "ecdsa", _BY_NAME["SHA-224"]),
        *(
            SignatureAlgorithm(prefix.format(bits), kind, _BY_NAME[f"SHA-{bits}"])
            for bits in (256, 384, 512)
            for prefix, kind in (
                (_MORE + "rsa-sha{}", "rsa"),
                ("http://www.w3.org/2007/05/xmldsig-more#sha{}-rsa-MGF1", "pss"),
                (_MORE + "ecdsa-sha{}", "ecdsa"),
            )
        ),
    )
}


def find_signature(uri: str) -> SignatureAlgorithm | None:
    """The signature algorithm with this URI, or None."""
    return SIGNATURES.get(uri)


def signature_uri(kind: str, digest: Digest) -> str:
    """The URI of a signature algorithm; ``kind`` as in ``SignatureAlgorithm``.

    :raises KeyError: no such combination.
    """
    for algorithm in SIGNATURES.values():
        if algorithm.kind == kind and algorithm.digest == digest:
            return algorithm.uri
    raise KeyError((kind, digest.name))


def signature_padding(algorithm: SignatureAlgorithm) -> padding.AsymmetricPadding:
    """The RSA padding: PKCS#1 v1.5, or PSS with MGF1 and salt of the digest's own size."""
    if algorithm.kind == "pss":
        primitive = algorithm.digest.primitive
        return padding.PSS(padding.MGF1(primitive), salt_length=algorithm.digest.size)
    return padding.PKCS1v15()


def verify_signature(
    uri: str, public_key: object, signature: bytes, data: bytes, *, raw_ecdsa: bool
) -> bool:
    """Whether ``signature`` over ``data`` holds under ``public_key`` by the algorithm ``uri``.

    :param raw_ecdsa: the signature is r‖s as in XML signatures; otherwise ASN.1 DER.
    An unknown algorithm, or one that does not fit the key, is a plain no.
    """
    algorithm = find_signature(uri)
    if algorithm is None:
        return False
    pad = None if algorithm.kind == "ecdsa" else signature_padding(algorithm)
    if raw_ecdsa and isinstance(public_key, ec.EllipticCurvePublicKey):
        try:
            signature = ecdsa_der(signature, public_key.curve.key_size)
        except ValueError:
            return False
    return key_verifies(public_key, signature, data, algorithm.digest, pad)


def key_verifies(
    public_key: object,
    signature: bytes,
    data: bytes,
    digest: Digest,
    pad: padding.AsymmetricPadding | None,
) -> bool:
    """Whether a key that is strong enough made this signature, by its digest.

    :param pad: of RSA; None for ECDSA, whose signature is ASN.1 here. The wrong one for the key is
        a plain no.
    """
    if not key_is_strong(public_key):
        return False
    try:
        if isinstance(public_key, rsa.RSAPublicKey) and pad is not None:
            public_key.verify(signature, data, pad, digest.primitive)
            return True
        if isinstance(public_key, ec.EllipticCurvePublicKey) and pad is None:
            public_key.verify(signature, data, ec.ECDSA(digest.primitive))
            return True
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return False


def key_is_strong(key: object) -> bool:
    """Whether a public key is of a kind and size that may prove anything."""
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= 1024
    return isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= 224


def key_octets(key: PublicKeyTypes) -> bytes:
    """DER SubjectPublicKeyInfo of a key in its usual form, by which keys are told apart."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def ecdsa_raw(der: bytes, key_bits: int) -> bytes:
    """An ASN.1 ECDSA signature as r‖s, each padded to the size of the curve in octets."""
    r, s = decode_dss_signature(der)
    size = (key_bits + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def ecdsa_der(raw: bytes, key_bits: int) -> bytes:
    """An r‖s ECDSA signature as ASN.1.

    :raises ValueError: the length does not fit the curve.
    """
    size = (key_bits + 7) // 8
    if len(raw) != 2 * size:
        raise ValueError("the signature's length does not fit the curve")
    return encode_dss_signature(
        int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big")
    )
