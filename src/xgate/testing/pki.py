"""A certification authority, its certificates and keys, for tests and for the sandbox.

The rule: everything is real X.509; only the keys are cheap (made once per process and name) and the
dates explicit. What a name says follows the ``Basic`` certificate profile (ocsp-tls-certs 2), so
``member_of`` reads the member back. The responders are in ``testing.responders``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.trust.anchors import ApprovedCa
from xgate.trust.certificate import Certificate, Name

__all__ = [
    "NOT_AFTER",
    "NOT_BEFORE",
    "Credential",
    "EcKind",
    "FixedTrust",
    "Key",
    "RsaKind",
    "certify",
    "issue",
    "issue_auth",
    "issue_ocsp",
    "issue_sign",
    "issue_tsa",
    "make_ca",
    "make_ec_key",
    "make_key",
    "make_rsa_key",
]

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
EcKind = Literal["P-256", "P-384"]
RsaKind = Literal["RSA-2048", "RSA-3072"]

NOT_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2045, 1, 1, tzinfo=UTC)
_CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1}
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Credential(msgspec.Struct, frozen=True):
    """A certificate and its private key."""

    certificate: Certificate
    key: Key


def make_key(name: str, kind: EcKind | RsaKind = "P-256") -> Key:
    """The process's key of this name and kind: made at the first call, the same ever after."""
    if kind == "P-256" or kind == "P-384":
        return make_ec_key(name, kind)
    return make_rsa_key(name, kind)


def make_ec_key(name: str, kind: EcKind = "P-256") -> ec.EllipticCurvePrivateKey:
    """As ``make_key``, an EC key."""
    return _ec_key(name, kind)


def make_rsa_key(name: str, kind: RsaKind = "RSA-2048") -> rsa.RSAPrivateKey:
    """As ``make_key``, an RSA key."""
    return _rsa_key(name, kind)


@cache
def _ec_key(_: str, kind: EcKind) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(_CURVES[kind]())


@cache
def _rsa_key(_: str, kind: RsaKind) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, int(kind.removeprefix("RSA-")))


def make_ca(
    common_name: str = "Test CA",
    *,
    key: Key | None = None,
    issuer: Credential | None = None,
    path_length: int | None = None,
    not_before: datetime = NOT_BEFORE,
    not_after: datetime = NOT_AFTER,
) -> Credential:
    """A CA: self-signed, or an intermediate below ``issuer``."""
    return issue(
        issuer,
        [(NameOID.COMMON_NAME, common_name), (NameOID.ORGANIZATION_NAME, "Test")],
        key or make_key(common_name),
        usages=("key_cert_sign", "crl_sign"),
        extensions=[(x509.BasicConstraints(ca=True, path_length=path_length), True)],
        not_before=not_before,
        not_after=not_after,
    )


def issue_sign(
    ca: Credential,
    member: ClientId,
    *,
    key: Key | None = None,
    not_before: datetime = NOT_BEFORE,
    not_after: datetime = NOT_AFTER,
) -> Credential:
    """A signing certificate of a member, by the Basic profile."""
    member = member.member
    name = [
        (NameOID.COMMON_NAME, member.member_code),
        (NameOID.ORGANIZATION_NAME, member.member_code),
        (NameOID.BUSINESS_CATEGORY, member.member_class),
        (NameOID.SERIAL_NUMBER, member.member_code),
    ]
    return issue(
        ca,
        name,
        key or make_key(f"sign {member.short}"),
        usages=("content_commitment",),
        not_before=not_before,
        not_after=not_after,
    )


def issue_auth(
    ca: Credential,
    dns_name: str,
    member_code: str = "member",
    *,
    key: Key | None = None,
    not_before: datetime = NOT_BEFORE,
    not_after: datetime = NOT_AFTER,
) -> Credential:
    """An authentication certificate of a security server, by the Basic profile."""
    return issue(
        ca,
        [(NameOID.COMMON_NAME, dns_name), (NameOID.SERIAL_NUMBER, member_code)],
        key or make_key(f"auth {dns_name} {member_code}"),
        usages=("digital_signature", "key_encipherment"),
        extended=(ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH),
        not_before=not_before,
        not_after=not_after,
    )


def issue_ocsp(
    ca: Credential, common_name: str = "Test OCSP", *, key: Key | None = None
) -> Credential:
    """The certificate of an OCSP responder that ``ca`` has appointed."""
    return issue(
        ca,
        [(NameOID.COMMON_NAME, common_name)],
        key or make_key(common_name),
        usages=("digital_signature",),
        extended=(ExtendedKeyUsageOID.OCSP_SIGNING,),
        extensions=[(x509.OCSPNoCheck(), False)],
    )


def issue_tsa(
    ca: Credential, common_name: str = "Test TSA", *, key: Key | None = None
) -> Credential:
    """The certificate of a timestamping service."""
    return issue(
        ca,
        [(NameOID.COMMON_NAME, common_name)],
        key or make_key(common_name),
        usages=("digital_signature", "content_commitment"),
        extensions=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True)],
    )


def issue(
    ca: Credential | None,
    name: Sequence[tuple[ObjectIdentifier, str]],
    key: Key,
    *,
    usages: Sequence[str] = (),
    extended: Sequence[ObjectIdentifier] = (),
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    not_before: datetime = NOT_BEFORE,
    not_after: datetime = NOT_AFTER,
    serial: int | None = None,
) -> Credential:
    """Any certificate: self-signed without ``ca``.

    :param usages: keyUsage by pyca's names (``content_commitment`` is nonRepudiation); none: no
        such extension.
    :param extended: extendedKeyUsage; none: no such extension.
    :param extensions: more of them, each with its criticality.
    :param serial: if not given, made from the name, the key and the dates.
    """
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in name])
    issuer = subject
    if ca is not None:
        issuer = x509.load_der_x509_certificate(ca.certificate.der).subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial or _serial(subject, key, not_before, not_after))
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if ca is not None:
        key_id = x509.AuthorityKeyIdentifier(ca.certificate.subject_key_id, None, None)
        builder = builder.add_extension(key_id, critical=False)
    if usages:
        named = {usage: usage in usages for usage in _USAGES}
        builder = builder.add_extension(x509.KeyUsage(**named), critical=True)
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(ca.key if ca else key, hashes.SHA256())
    return Credential(Certificate.load(made.public_bytes(Encoding.DER)), key)


def certify(ca: Credential, like: Certificate, public_key: bytes) -> Certificate:
    """The same certificate for another key, one that is not at hand but on a token.

    :param public_key: DER SubjectPublicKeyInfo.
    """
    model = x509.load_der_x509_certificate(like.der)
    key = load_der_public_key(public_key)
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise TypeError("only RSA and elliptic curve keys are certified here")
    builder = (
        x509.CertificateBuilder()
        .subject_name(model.subject)
        .issuer_name(model.issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(model.not_valid_before_utc)
        .not_valid_after(model.not_valid_after_utc)
    )
    for extension in model.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(key)
        builder = builder.add_extension(value, extension.critical)
    return Certificate.load(builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER))


def _serial(subject: x509.Name, key: Key, not_before: datetime, not_after: datetime) -> int:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    seed = subject.public_bytes() + spki + f"{not_before}{not_after}".encode()
    return int.from_bytes(hashlib.sha256(seed).digest()[:8], "big") >> 1 or 1


class FixedTrust(msgspec.Struct, frozen=True):
    """A ``Trust`` of these CAs and timestamping services, as a global configuration would give."""

    cas: tuple[ApprovedCa, ...] = ()
    tsas: tuple[Certificate, ...] = ()
    freshness: timedelta = timedelta(hours=1)
    verify_next_update: bool = True

    def find_cas(self, instance: str, issuer: Name) -> Sequence[ApprovedCa]:
        """The CAs of ``instance`` with this subject."""
        known = [ca for ca in self.cas if ca.instance == instance]
        if not known:
            raise Fault("internal_error", f"Instance '{instance}' is not known")
        return [ca for ca in known if ca.certificate.subject == issuer]

    def all_cas(self, instance: str | None = None) -> Sequence[ApprovedCa]:
        """The CAs of ``instance``, or of all."""
        return [ca for ca in self.cas if instance is None or ca.instance == instance]

    def ocsp_certificates(self, instance: str | None = None) -> Sequence[Certificate]:
        """The responders of these CAs."""
        return [
            certificate for ca in self.all_cas(instance) for certificate in ca.ocsp_certificates
        ]

    def tsa_certificates(self, instances: Collection[str] | None = None) -> Sequence[Certificate]:
        """The timestamping services, whoever asks: they are the judge's own."""
        return self.tsas

    @property
    def ocsp_freshness(self) -> timedelta:
        """How old an OCSP response may be."""
        return self.freshness
