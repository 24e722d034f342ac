"""Signatures of every kind, size and digest hold for pyca and for openssl."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from tests.signer.hardware import DATA, PIN, SO_PIN, job, opened, outcome

from xgate.errors import Fault
from xgate.signer.pkcs11_signature import check_job
from xgate.signer.pkcs11_token import Pkcs11Token
from xgate.signer.token import KeyKind, KeyParameters, TokenKey
from xgate.testing.softhsm import SoftHsm

SIZES: list[tuple[KeyKind, KeyParameters]] = [
    ("rsa", KeyParameters(rsa_bits=2048)),
    ("rsa", KeyParameters(rsa_bits=3072)),
    ("ecdsa", KeyParameters(curve="secp256r1")),
    ("ecdsa", KeyParameters(curve="secp384r1")),
    ("ecdsa", KeyParameters(curve="secp521r1")),
]
Made = tuple[Pkcs11Token, TokenKey]
DIGESTS = ("SHA-256", "SHA-384", "SHA-512")


@pytest.fixture(params=SIZES, ids=lambda p: f"{p[0]}-{p[1].rsa_bits}-{p[1].curve}")
def made(request: pytest.FixtureRequest, softhsm: SoftHsm) -> Iterator[Made]:
    kind, parameters = request.param
    softhsm.make_token("fresh", PIN, SO_PIN)
    with opened(softhsm.library, parameters) as module:
        token = module.tokens()[0]
        token.login(PIN)
        key = token.generate(kind, "a key")
        public = load_der_public_key(key.public_key)
        bits = {"secp256r1": 256, "secp384r1": 384, "secp521r1": 521}[parameters.curve]
        assert public.key_size == (parameters.rsa_bits if kind == "rsa" else bits)  # type: ignore[union-attr]
        yield token, key


def test_signatures_hold_for_pyca(made: Made) -> None:
    token, key = made
    kinds = ("ecdsa",) if key.kind == "ecdsa" else ("rsa", "pss")
    for kind in kinds:
        for digest in DIGESTS:
            assert outcome(token, key, kind, digest) == "signed"


def test_signatures_hold_for_openssl(made: Made, tmp_path: Path) -> None:
    token, key = made
    pem = load_der_public_key(key.public_key).public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "data").write_bytes(DATA)
    pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
    kinds = {"ecdsa": []} if key.kind == "ecdsa" else {"rsa": [], "pss": pss}
    for kind, options in kinds.items():
        for digest in DIGESTS:
            (value,) = token.sign([job(key, kind, digest)])
            assert isinstance(value, bytes)
            (tmp_path / "signature").write_bytes(value)
            command = ["openssl", "dgst", f"-{digest.replace('-', '').lower()}", *options]
            command += ["-verify", "key.pem", "-signature", "signature", "data"]
            said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
            assert said.stdout == "Verified OK\n"


def test_a_job_must_fit_its_key() -> None:
    rsa, ec = TokenKey("R", "r", b"", "pss"), TokenKey("E", "e", b"", "ecdsa")
    check_job(job(rsa, "rsa"), rsa)
    check_job(job(rsa, "rsa", "SHA-1"), rsa)
    check_job(job(ec, "ecdsa", "SHA-1"), ec)
    for key, kind, digest in ((ec, "rsa", "SHA-512"), (rsa, "ecdsa", "SHA-512")):
        with pytest.raises(Fault, match="unsupported_sign_algorithm"):
            check_job(job(key, kind, digest), key)
    with pytest.raises(Fault, match="unsupported_sign_algorithm"):
        check_job(job(ec, "ecdsa", "SHA-224"), ec)  # verified only (signer 5)
