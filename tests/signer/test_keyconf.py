"""The reference's own registry and software token, imported."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.signer.keyconf import read_registry, read_token_folder
from xgate.signer.software import public_octets
from xgate.signer.store import read_store, write_store

PIN = "Secret1234"
OLD_KEY = "9EADE3B5857013B6B104554F6CB91560069F4FEC"


@pytest.fixture
def folder(golden: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "signer"
    shutil.copytree(golden / "env-dev-v6" / "signer", copy)
    for path in copy.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return copy


def edit(folder: Path, old: str, new: str) -> None:
    registry = folder / "keyconf.xml"
    text = registry.read_text()
    assert old in text
    registry.write_text(text.replace(old, new, 1))


@pytest.mark.reference
def test_every_key_comes_with_its_certificate_and_member(folder: Path) -> None:
    keys = read_token_folder(folder, PIN)
    assert [(e.usage, e.certificates[0].member, e.certificates[0].status) for e, _ in keys] == [
        ("AUTHENTICATION", None, "registered"),
        ("SIGNING", "DEV/COM/1234", "registered"),
        ("SIGNING", "DEV/COM/4321", "registered"),
    ]
    for entry, private in keys:
        assert private is not None
        certificate = x509.load_der_x509_certificate(entry.certificates[0].der)
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert certificate.public_key().public_bytes(*form) == entry.public_key
        assert public_octets(private) == entry.public_key


@pytest.mark.reference
def test_keys_of_other_tokens_come_with_what_is_known_of_them(folder: Path, tmp_path: Path) -> None:
    edit(folder, "<deviceType>softToken</deviceType>", "<deviceType>utimaco</deviceType>")
    edit(folder, "<id>0</id>", "<id>7574696d61636f</id>")
    keys = read_token_folder(folder, PIN)
    registered, found = keys[:3], keys[3:]
    assert {entry.token for entry, _ in registered} == {"7574696d61636f"}
    assert [private for _, private in registered] == [None] * 3
    # The files are there all the same: keys that nobody has used yet.
    assert [(entry.token, entry.usage) for entry, _ in found] == [("0", None)] * 3
    write_store(tmp_path / "keys.xgate", PIN, keys)
    assert len(read_store(tmp_path / "keys.xgate").keys) == 6
    assert len(read_store(tmp_path / "keys.xgate").unlock(PIN).entries) == 3


@pytest.mark.reference
def test_states_requests_and_problems_come_along(folder: Path) -> None:
    auth, sign, _ = (entry for entry, _ in read_token_folder(folder, PIN))
    edit(folder, "<status>registered</status>", "<status>registration in progress</status>")
    profile = "ee.ria.xroad.common.certificateprofile.impl.FiVRKCertificateProfileInfoProvider"
    edit(
        folder,
        "</cert>",
        "<ocspVerifyBeforeActivationError>no answer</ocspVerifyBeforeActivationError></cert>"
        '<certRequest id="REQUEST1"><subjectName>C=FI, O=Member, CN=ss1</subjectName>'
        "<subjectAlternativeName>ss1.example.com</subjectAlternativeName>"
        f"<certificateProfile>{profile}</certificateProfile></certRequest>"
        "<certRequest><subjectName>something else</subjectName></certRequest>",
    )
    first = read_token_folder(folder, PIN)[0][0]
    (certificate,) = first.certificates
    assert (certificate.status, certificate.problem) == ("registration in progress", "no answer")
    assert certificate.id == auth.certificates[0].id
    (request,) = first.requests
    assert (request.id, request.alternative, request.profile) == (
        "REQUEST1",
        "ss1.example.com",
        "FiVRK",
    )
    assert request.subject == (("C", "FI"), ("O", "Member"), ("CN", "ss1"))
    assert read_token_folder(folder, PIN)[1][0] == sign


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "certificates"),
    [("keyconf_base_no_duplicate_keyIds.xml", 5), ("keyconf_added_cert.xml", 6)],
)
def test_a_registry_that_no_schema_allows(golden: Path, name: str, certificates: int) -> None:
    entries = read_registry((golden / "signer" / name).read_bytes())
    by_token = Counter(entry.token for entry in entries)
    assert by_token["0"] == 6
    assert len(by_token) == 2
    assert sum(len(entry.certificates) for entry in entries) == certificates
    assert all(entry.public_key for entry in entries if entry.certificates)


@pytest.mark.reference
def test_a_key_of_2012_opens_by_its_old_ciphers(golden: Path, tmp_path: Path) -> None:
    (tmp_path / "softtoken").mkdir()
    (tmp_path / "keyconf.xml").write_text("<keyConf/>")
    shutil.copy(golden / "signer" / f"{OLD_KEY}.p12", tmp_path / "softtoken")
    ((entry, private),) = read_token_folder(tmp_path, "test")
    assert (entry.id, entry.usage) == (OLD_KEY, None)
    assert private is not None
    octets = (golden / "signer" / f"{OLD_KEY}.p12").read_bytes()
    holder = pkcs12.load_pkcs12(octets, b"test").cert
    assert holder is not None
    assert holder.certificate.public_key() == private.public_key()


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
    first = read_token_folder(folder, PIN)[0][0].id
    edit(folder, f">{first}<", f">../softtoken/{first}<")
    with pytest.raises(Fault, match="is not a key id"):
        read_token_folder(folder, PIN)


def test_a_file_that_never_ends_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "keyconf.xml").symlink_to("/dev/zero")
    with pytest.raises(Fault, match=r"token_not_found: Cannot read .*: File too large"):
        read_token_folder(tmp_path, PIN)


def test_a_folder_without_registry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault) as caught:
        read_token_folder(tmp_path, PIN)
    assert caught.value.code == "token_not_found"


def test_what_is_no_registry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault) as caught:
        read_registry(b"<keyConf")
    assert caught.value.code == "invalid_xml"
    broken = (
        b"<keyConf><device><id>1</id><key><keyId>AA</keyId><publicKey>?</publicKey></key>"
        b"</device></keyConf>"
    )
    with pytest.raises(Fault, match="not base64"):
        read_registry(broken)
    twice = broken.replace(b"?", b"AAAA").replace(
        b"</device>", b"<key><keyId>AA</keyId></key></device>"
    )
    assert [(e.id, e.token, e.public_key) for e in read_registry(twice)] == [("AA", "1", b"\0\0\0")]


def test_ids_on_hardware_are_written_as_tokens_tell_them() -> None:
    key = b"<key><keyId>0af1</keyId></key>"
    registry = (
        b"<keyConf><device><deviceType>softToken</deviceType><id>0</id>%s</device>"
        b"<device><deviceType>card</deviceType><id>77</id>%s</device></keyConf>" % (key, key)
    )
    assert [(e.token, e.id) for e in read_registry(registry)] == [("0", "0af1"), ("77", "0AF1")]


_TEXT = st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="<&\uffff\ufffe")


@given(
    fields=st.dictionaries(
        st.sampled_from(["keyId", "publicKey", "friendlyName", "signMechanismName", "cert"]),
        st.text(
            st.characters(
                codec="utf-8", exclude_categories=["Cc"], exclude_characters="<&\uffff\ufffe"
            )
        ),
    ),
    cut=st.integers(0, 400),
)
def test_whatever_a_registry_holds_is_read_or_refused(fields: dict[str, str], cut: int) -> None:
    key = "".join(f"<{name}>{text}</{name}>" for name, text in fields.items())
    whole = f"<keyConf><device><id>1</id><key>{key}</key></device></keyConf>".encode()
    for octets in (whole, whole[:cut], whole.replace(b"<cert>", b"<cert><contents>", 1)):
        entries, code = [], "invalid_xml"
        try:
            entries = read_registry(octets)
        except Fault as fault:
            code = fault.code
        assert code in {"invalid_xml", "key_not_found"}
        assert all(entry.id.isalnum() for entry in entries)


def test_text_that_is_no_base64_at_all_is_refused() -> None:
    key = "<key><keyId>AA</keyId><publicKey>\u0440</publicKey></key>"
    with pytest.raises(Fault, match="not base64"):
        read_registry(f"<keyConf><device><id>1</id>{key}</device></keyConf>".encode())
