"""The reference's own software token, imported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from xgate.errors import Fault
from xgate.signer.keyconf import read_token_folder

PIN = "Secret1234"


@pytest.fixture
def folder(golden: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "signer"
    shutil.copytree(golden / "env-dev-v6" / "signer", copy)
    for path in copy.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return copy


@pytest.mark.reference
def test_every_key_comes_with_its_certificate_and_member(folder: Path) -> None:
    keys = read_token_folder(folder, PIN)
    assert [(e.usage, e.certificates[0].member, e.certificates[0].status) for e, _ in keys] == [
        ("AUTHENTICATION", None, "registered"),
        ("SIGNING", "DEV/COM/1234", "registered"),
        ("SIGNING", "DEV/COM/4321", "registered"),
    ]
    for entry, private in keys:
        certificate = x509.load_der_x509_certificate(entry.certificates[0].der)
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert certificate.public_key().public_bytes(*form) == private.public_key().public_bytes(
            *form
        )


@pytest.mark.reference
def test_a_wrong_pin_is_refused(folder: Path) -> None:
    with pytest.raises(Fault) as caught:
        read_token_folder(folder, "Secret9999")
    assert caught.value.code == "pin_incorrect"
    assert "Secret9999" not in str(caught.value)


@pytest.mark.reference
def test_a_key_file_that_is_gone_or_anothers_is_refused(folder: Path) -> None:
    auth, sign, _ = (entry.id for entry, _ in read_token_folder(folder, PIN))
    files = folder / "softtoken"
    shutil.copy(files / f"{sign}.p12", files / f"{auth}.p12")
    with pytest.raises(Fault, match="holds another rsa key"):
        read_token_folder(folder, PIN)
    (files / f"{auth}.p12").unlink()
    with pytest.raises(Fault) as caught:
        read_token_folder(folder, PIN)
    assert caught.value.code == "key_not_found"


@pytest.mark.reference
def test_a_key_id_is_no_path(folder: Path) -> None:
    registry = folder / "keyconf.xml"
    first = read_token_folder(folder, PIN)[0][0].id
    registry.write_text(registry.read_text().replace(f">{first}<", f">../softtoken/{first}<"))
    with pytest.raises(Fault, match="is not a key id"):
        read_token_folder(folder, PIN)


def test_a_folder_without_registry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault) as caught:
        read_token_folder(tmp_path, PIN)
    assert caught.value.code == "token_not_found"
