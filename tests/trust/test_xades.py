"""From key to proof: what is drafted, signed and finished is read back and holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from xgate.algorithms import (
    SIGNATURES,
    SignatureAlgorithm,
    ecdsa_raw,
    signature_padding,
    verify_signature,
)
from xgate.trust.certificate import Certificate
from xgate.trust.xades import MESSAGE, draft_signature, read_signature

AT = datetime(2024, 12, 5, tzinfo=UTC)
KEYS: dict[str, Any] = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
}


def certificate(kind: str) -> Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test & CA")])
    builder = x509.CertificateBuilder(
        name, name, KEYS[kind].public_key(), 4, AT, AT + timedelta(days=1)
    )
    signed = builder.sign(KEYS[kind], hashes.SHA256())
    return Certificate.load(signed.public_bytes(Encoding.DER))


def sign(algorithm: SignatureAlgorithm, kind: str, data: bytes) -> bytes:
    key, digest = KEYS[kind], algorithm.digest.primitive
    if algorithm.kind == "ecdsa":
        return ecdsa_raw(key.sign(data, ec.ECDSA(digest)), key.curve.key_size)
    value: bytes = key.sign(data, signature_padding(algorithm), digest)
    return value


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        (algorithm, kind)
        for algorithm in SIGNATURES.values()
        if algorithm.digest.size >= 32
        for kind in (("P-256", "P-384") if algorithm.kind == "ecdsa" else ("RSA",))
    ],
    ids=str,
)
def test_a_signature_holds_after_reading(algorithm: SignatureAlgorithm, kind: str) -> None:
    draft = draft_signature(
        certificate=certificate(kind),
        algorithm=algorithm.uri,
        reference=MESSAGE,
        digest=algorithm.digest.of(b"message"),
        signing_time=AT,
        ocsp=[b"response"],
    )
    read = read_signature(draft.finish(sign(algorithm, kind, draft.to_be_signed)))

    assert read.certificates
    key = Certificate.load(read.certificates[0]).public_key
    assert verify_signature(read.algorithm, key, read.value, read.signed_info, raw_ecdsa=True)
    own = read.properties_reference
    assert own.digest.of(read.signed_properties) == own.value
