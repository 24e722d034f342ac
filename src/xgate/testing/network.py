"""Real sockets and real certificates for tests: loopback connections, keys made on the spot.

The rule: nothing here fakes the network; it only takes the labour out of setting one up.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from xgate.net.context import PrivateKey, TlsIdentity
from xgate.net.key_reference import KeyReference
from xgate.net.stream import SocketStream

__all__ = ["key_pem", "make_identity", "rsa_key", "stream_pair", "write_pem"]


_CA_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def make_identity(
    name: str = "test",
    *,
    key: PrivateKey | None = None,
    issuer: TlsIdentity | None = None,
    purposes: Sequence[x509.ObjectIdentifier] = (),
    names: Sequence[x509.GeneralName] = (),
    ca: bool = False,
    valid: tuple[datetime, datetime] | None = None,
) -> TlsIdentity:
    """A key (P-256 unless given) with a certificate for it, self-signed or signed by ``issuer``.

    The chain is the leaf followed by the issuer's chain without its root.

    :param purposes: extended key usages. :param names: subject alternative names.
    :param ca: may sign others. :param valid: first and last moment; by default a day around now.
    """
    private = key if key is not None else ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    first, last = valid or (now - timedelta(days=1), now + timedelta(days=1))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above = x509.load_der_x509_certificate(issuer.chain[0]) if issuer else None
    public = private.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.subject if above else subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    signer = _held(issuer) if issuer else private
    for extension in (
        x509.SubjectKeyIdentifier.from_public_key(public),
        issuer and x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
        purposes and x509.ExtendedKeyUsage(purposes),
        names and x509.SubjectAlternativeName(names),
    ):
        if extension:
            builder = builder.add_extension(extension, critical=False)
    if ca:
        builder = builder.add_extension(_CA_USAGE, critical=True)
    certificate = builder.sign(signer, hashes.SHA256())
    der = certificate.public_bytes(serialization.Encoding.DER)
    others = tuple(c for c in issuer.chain if not _self_issued(c)) if issuer else ()
    return TlsIdentity(private_key=private, chain=(der, *others))


def _held(identity: TlsIdentity) -> PrivateKey:
    assert not isinstance(identity.private_key, KeyReference), "the key is somewhere else"
    return identity.private_key


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A fresh RSA key: slow, so make few of them."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def key_pem(identity: TlsIdentity) -> bytes:
    """The private key as PKCS#8 PEM, unencrypted."""
    return _held(identity).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def write_pem(identity: TlsIdentity, folder: Path, name: str) -> tuple[Path, Path, Path]:
    """Write ``name``'s leaf, further chain and key as PEM files for other programs to read."""
    certificates = [x509.load_der_x509_certificate(der) for der in identity.chain]
    pems = [c.public_bytes(serialization.Encoding.PEM) for c in certificates]
    leaf, chain, key = (folder / f"{name}.{kind}.pem" for kind in ("leaf", "chain", "key"))
    leaf.write_bytes(pems[0])
    chain.write_bytes(b"".join(pems[1:]))
    key.write_bytes(key_pem(identity))
    return leaf, chain, key


def stream_pair() -> tuple[SocketStream, SocketStream]:
    """Two ends of one TCP connection on loopback: the one that connected, the one that accepted."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return SocketStream(near), SocketStream(far)


def _self_issued(der: bytes) -> bool:
    certificate = x509.load_der_x509_certificate(der)
    return certificate.subject == certificate.issuer
