"""The certificate towards information systems: made, asked for at a CA, and read from files.

The rule: nothing here judges who signed it: that is the information systems' affair; only that it
belongs to the key.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from xgate.errors import Fault
from xgate.net.context import PrivateKey

__all__ = [
    "KeyKind",
    "certificate_request",
    "choose_chain",
    "key_pem",
    "new_key",
    "read_key",
    "read_name",
    "self_signed",
]

KeyKind = Literal["rsa", "ec"]

_RSA_BITS = 3072
_LONGEST_CN = 64


def new_key(kind: KeyKind) -> PrivateKey:
    """RSA with 3072 bits, or EC on P-256."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, _RSA_BITS)


def key_pem(key: PrivateKey) -> bytes:
    """The key in PEM (PKCS#8), not encrypted: a server must be able to start without anybody."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_key(octets: bytes) -> PrivateKey:
    """A private key in PEM.

    :raises Fault: ``key_not_found``: there is none, it is encrypted, or neither RSA nor EC.
    """
    try:
        key = load_pem_private_key(octets, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Fault("key_not_found", "there is no private key in PEM without a password") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Fault("key_not_found", "the key is neither RSA nor EC")
    return key


def read_name(text: str) -> x509.Name:
    """A subject as people write it: ``CN=ss1.example.com,O=Example,C=FI``.

    :raises Fault: ``invalid_request``.
    """
    try:
        name = x509.Name.from_rfc4514_string(text)
    except ValueError as error:
        raise Fault("invalid_request", f"'{text}' is no subject: {error}") from None
    if not name.rdns:
        raise Fault("invalid_request", "the subject is empty")
    return name


def self_signed(
    key: PrivateKey, names: Sequence[str], now: datetime, lifetime: timedelta
) -> x509.Certificate:
    """A certificate that vouches for itself, for these host names and IP addresses.

    It begins a day ago: clocks of information systems may be behind.

    :raises Fault: ``invalid_request``: a name that can be none.
    """
    common = names[0] if len(names[0]) <= _LONGEST_CN else "xgate"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + lifetime)
        .add_extension(_alternatives(names), critical=False)
        .sign(key, hashes.SHA256())
    )


def certificate_request(
    key: PrivateKey, subject: x509.Name, names: Sequence[str]
) -> x509.CertificateSigningRequest:
    """A request for a certificate of this key; ``names`` as for ``self_signed``, or none.

    :raises Fault: ``invalid_request``: a name that can be none.
    """
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        builder = builder.add_extension(_alternatives(names), critical=False)
    return builder.sign(key, hashes.SHA256())


def choose_chain(octets: bytes, key: PrivateKey) -> list[x509.Certificate]:
    """The certificate of this key first, then the others, out of PEM (several) or DER (one).

    :raises Fault: ``incorrect_certificate``: there is none, or none is of this key.
    """
    try:
        if b"-----BEGIN " in octets:
            found = x509.load_pem_x509_certificates(octets)
        else:
            found = [x509.load_der_x509_certificate(octets)]
    except ValueError:
        raise Fault("incorrect_certificate", "there is no certificate in PEM or DER") from None
    mine = [one for one in found if _is_of(one, key)]
    if not mine:
        raise Fault("incorrect_certificate", "the certificate is of another key than the server's")
    return [mine[0], *(one for one in found if one != mine[0])]


def _is_of(certificate: x509.Certificate, key: PrivateKey) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_alternative(name) for name in names])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not name.isascii() or not name or any(char.isspace() or char in "/@" for char in name):
        raise Fault("invalid_request", f"'{name}' is no host name and no IP address")
    return x509.DNSName(name)
