"""What the tests against other software share: programs that must be there, signatures of ours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from xgate.algorithms import SIGNATURES, ecdsa_raw, signature_padding
from xgate.trust.certificate import Certificate
from xgate.trust.xades import draft_signature

Tool = Callable[[str], str]
Signer = Callable[[str, str, str, bytes], tuple[bytes, bytes]]


@pytest.fixture(scope="session")
def tool() -> Tool:
    """Where a program is; a test without it is skipped, except in CI, where it must be there."""

    def find(name: str, there: str | None = None) -> str:
        path = there or shutil.which(name)
        if path is None:
            absent(f"{name} is not installed")
        return path

    return find


def absent(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"must be present in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def sign() -> Signer:
    """A signature document over ``data``, by a fresh key of the kind, and its certificate (DER)."""
    keys: dict[str, Any] = {
        "RSA": rsa.generate_private_key(65537, 2048),
        "P-256": ec.generate_private_key(ec.SECP256R1()),
        "P-384": ec.generate_private_key(ec.SECP384R1()),
    }
    start = datetime(2024, 12, 5, tzinfo=UTC)

    def signed(uri: str, kind: str, reference: str, data: bytes) -> tuple[bytes, bytes]:
        algorithm, key = SIGNATURES[uri], keys[kind]
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'Test "<&>" CA')])
        builder = x509.CertificateBuilder(
            name, name, key.public_key(), 2**64, start, start + timedelta(days=36500)
        )
        der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
        certificate = Certificate.load(der)
        draft = draft_signature(
            certificate=certificate,
            algorithm=uri,
            reference=reference,
            digest=algorithm.digest.of(data),
            signing_time=start,
            ocsp=[b"response"],
            intermediates=[certificate],
        )
        digest = algorithm.digest.primitive
        if algorithm.kind == "ecdsa":
            raw = key.sign(draft.to_be_signed, ec.ECDSA(digest))
            value = ecdsa_raw(raw, key.curve.key_size)
        else:
            value = key.sign(draft.to_be_signed, signature_padding(algorithm), digest)
        return draft.finish(value), der

    return signed
