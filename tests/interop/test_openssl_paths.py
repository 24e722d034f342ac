"""Certificate paths before OpenSSL: random authorities, cross-signed, renewed, in circles, broken.

Two claims, and nothing is left to explain: where ``openssl verify -partial_chain`` finds a path so
do we; and every path that we find OpenSSL finds good, when it gets just those certificates. (Of
several issuers with one name and key OpenSSL follows only one, hence the two.) What it sees in
another way is not drawn: it looks at an anchor's own dates, extensions and path length, which here
come from the global configuration, and it takes a keyUsage for basicConstraints.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.testing.pki import Key, make_key
from xgate.trust.certificate import Certificate
from xgate.trust.path import build_path

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, YEAR = timedelta(days=1), timedelta(days=365)


class Entity(msgspec.Struct, frozen=True):
    """Who may issue: a name and a key; renewed authorities share a name."""

    name: str
    key: str

    @property
    def subject(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])

    @property
    def private(self) -> Key:
        return make_key(f"paths {self.key}", "RSA-2048" if self.key == "rsa" else "P-256")

    @property
    def key_id(self) -> x509.SubjectKeyIdentifier:
        return x509.SubjectKeyIdentifier.from_public_key(self.private.public_key())


ENTITIES = (
    *(Entity("Alpha", key) for key in ("one", "two")),
    *(Entity("Beta", key) for key in ("three", "rsa")),
    Entity("Gamma", "four"),
)
LEAF = Entity("leaf", "leaf")


class Shape(msgspec.Struct, frozen=True):
    """What one certificate says, beside whom it is for and by whom."""

    ca: bool = True
    path_length: int | None = None
    usages: tuple[str, ...] | None = ("key_cert_sign",)
    strange: bool = False
    dates: tuple[timedelta, timedelta] = (-YEAR, YEAR)
    digest: str = "SHA256"
    pss: bool = False


GOOD = Shape()
SHAPES = st.one_of(
    st.just(GOOD),
    st.builds(
        Shape,
        ca=st.sampled_from([True, True, True, False]),
        path_length=st.sampled_from([None, None, 0, 1]),
        usages=st.sampled_from(
            [("key_cert_sign",), ("key_cert_sign", "crl_sign"), ("digital_signature",), None]
        ),
        strange=st.sampled_from([False, False, False, True]),
        dates=st.sampled_from([(-YEAR, YEAR), (-YEAR, YEAR), (-YEAR, -DAY), (DAY, YEAR)]),
        digest=st.sampled_from(["SHA256", "SHA384", "SHA512"]),
        pss=st.booleans(),
    ),
)
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def certify(subject: Entity, issuer: Entity, shape: Shape, serial: int) -> Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject.subject)
        .issuer_name(issuer.subject)
        .public_key(subject.private.public_key())
        .serial_number(serial)
        .not_valid_before(AT + shape.dates[0])
        .not_valid_after(AT + shape.dates[1])
        .add_extension(subject.key_id, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer.key_id), False
        )
    )
    if subject is not LEAF:
        length = shape.path_length if shape.ca else None
        builder = builder.add_extension(x509.BasicConstraints(shape.ca, length), critical=True)
    if shape.usages is not None:
        named = {usage: usage in shape.usages for usage in _USAGES}
        builder = builder.add_extension(x509.KeyUsage(**named), critical=True)
    if shape.strange:
        strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        builder = builder.add_extension(strange, critical=True)
    digest: hashes.HashAlgorithm = getattr(hashes, shape.digest)()
    key = issuer.private
    if isinstance(key, rsa.RSAPrivateKey) and shape.pss:
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        made = builder.sign(key, digest, rsa_padding=pss)  # type: ignore[arg-type]  # no SHA-3 here
    else:
        made = builder.sign(key, digest)  # type: ignore[arg-type]
    return Certificate.load(made.public_bytes(Encoding.DER))


def openssl_accepts(
    leaf: Certificate, inner: Sequence[Certificate], anchors: Sequence[Certificate]
) -> bool:
    with tempfile.TemporaryDirectory() as folder:

        def write(name: str, certificates: Sequence[Certificate]) -> str:
            loaded = [x509.load_der_x509_certificate(c.der) for c in certificates]
            path = Path(folder) / name
            path.write_bytes(b"".join(c.public_bytes(Encoding.PEM) for c in loaded))
            return str(path)

        command = ["openssl", "verify", "-partial_chain", "-purpose", "any", "-auth_level", "0"]
        command += ["-attime", str(int(AT.timestamp())), "-trusted", write("anchors", anchors)]
        if inner:
            command += ["-untrusted", write("inner", inner)]
        command.append(write("leaf", [leaf]))
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def found(
    leaf: Certificate, inner: Sequence[Certificate], anchors: Sequence[Certificate]
) -> tuple[Certificate, ...] | None:
    try:
        return build_path(leaf, inner, anchors, AT)
    except Fault:
        return None


Edge = tuple[Entity, Entity, Shape]
EDGES = st.tuples(st.sampled_from(ENTITIES), st.sampled_from(ENTITIES), SHAPES)
LEAF_SHAPES = st.builds(
    lambda shape: msgspec.structs.replace(shape, usages=("digital_signature",)), SHAPES
)


@given(
    edges=st.lists(EDGES, min_size=1, max_size=8),
    anchor=st.sampled_from(ENTITIES),
    issuer=st.sampled_from(ENTITIES),
    shape=LEAF_SHAPES,
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_we_and_openssl_agree_about_paths(
    edges: list[Edge], anchor: Entity, issuer: Entity, shape: Shape
) -> None:
    inner = [certify(*edge, serial=number + 10) for number, edge in enumerate(edges)]
    anchors = [certify(anchor, anchor, GOOD, serial=1)]
    leaf = certify(LEAF, issuer, shape, serial=2)
    path = found(leaf, inner, anchors)
    if path is None:
        assert not openssl_accepts(leaf, inner, anchors)
    else:
        assert (path[0], path[-1]) == (leaf, anchors[0])
        assert openssl_accepts(leaf, path[1:-1], anchors)


@pytest.mark.parametrize("length", range(1, 9))
def test_a_path_may_be_long_but_not_endless(length: int) -> None:
    entities = [Entity(f"level {number}", f"level {number}") for number in range(length + 1)]
    root, *below = entities
    inner = [
        certify(subject, issuer, GOOD, serial=number + 10)
        for number, (issuer, subject) in enumerate(zip(entities, below, strict=False))
    ]
    leaf = certify(LEAF, entities[-1], Shape(usages=("digital_signature",)), serial=2)
    anchors = [certify(root, root, GOOD, serial=1)]
    path = build_path(leaf, inner, anchors, AT)
    assert len(path) == length + 2
    assert openssl_accepts(leaf, inner, anchors)
