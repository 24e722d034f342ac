"""``devices.ini`` is read as the reference reads it, and what is wrong in it is named."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.signer.devices import Devices, ModuleSettings, read_devices

FULL = """
; comments stand anywhere
[softToken]
enabled = false

[utimaco]
library = /opt/utimaco/libcs_pkcs11_R2.so   # to the end of the line
library_cant_create_os_threads = true
os_locking_ok = no
sign_verify_pin = yes
batch_signing_enabled = false
read_only = on
token_id_format = {moduleType}{slotIndex}{label}
slot_ids = 1, 2,30
rsa_sign_mechanism = CKM_RSA_PKCS_PSS
ec_sign_mechanism = CKM_ECDSA
pub_key_attribute_encrypt = false
pub_key_attribute_verify = false
pub_key_attribute_verify_recover = true
pub_key_attribute_wrap = false
pub_key_attribute_trusted = false
pub_key_attribute_allowed_mechanisms = CKM_RSA_PKCS_PSS, CKM_SHA512_RSA_PKCS_PSS
priv_key_attribute_sensitive = false
priv_key_attribute_decrypt = false
priv_key_attribute_sign = false
priv_key_attribute_sign_recover = true
priv_key_attribute_unwrap = false
priv_key_attribute_extractable = true
priv_key_attribute_always_sensitive = true
priv_key_attribute_never_extractable = false
priv_key_attribute_wrap_with_trusted = true
priv_key_attribute_allowed_mechanisms = CKM_ECDSA
"""


def devices(tmp_path: Path, text: str) -> Devices:
    path = tmp_path / "devices.ini"
    path.write_text(text)
    return read_devices(path)


def test_every_key_is_taken_in(tmp_path: Path) -> None:
    read = devices(tmp_path, FULL)
    assert read.software is False
    (note,) = read.notes
    assert note.startswith("[softToken] enabled = false has no effect")
    assert read.modules == (
        ModuleSettings(
            type="utimaco",
            library="/opt/utimaco/libcs_pkcs11_R2.so",
            library_cant_create_os_threads=True,
            os_locking_ok=False,
            sign_verify_pin=True,
            batch_signing_enabled=False,
            read_only=True,
            token_id_format="{moduleType}{slotIndex}{label}",
            slot_ids=(1, 2, 30),
            rsa_sign_mechanism="CKM_RSA_PKCS_PSS",
            pub_key_attribute_encrypt=False,
            pub_key_attribute_verify=False,
            pub_key_attribute_verify_recover=True,
            pub_key_attribute_wrap=False,
            pub_key_attribute_trusted=False,
            pub_key_attribute_allowed_mechanisms=("CKM_RSA_PKCS_PSS", "CKM_SHA512_RSA_PKCS_PSS"),
            priv_key_attribute_sensitive=False,
            priv_key_attribute_decrypt=False,
            priv_key_attribute_sign=False,
            priv_key_attribute_sign_recover=True,
            priv_key_attribute_unwrap=False,
            priv_key_attribute_extractable=True,
            priv_key_attribute_always_sensitive=True,
            priv_key_attribute_never_extractable=False,
            priv_key_attribute_wrap_with_trusted=True,
            priv_key_attribute_allowed_mechanisms=("CKM_ECDSA",),
        ),
    )


def test_a_library_is_enough(tmp_path: Path) -> None:
    (module,) = devices(tmp_path, "[hsm]\nlibrary=/x.so\n").modules
    assert module == ModuleSettings(type="hsm", library="/x.so")
    assert module.rsa_kind == "rsa"
    assert module.library_cant_create_os_threads is None
    assert module.priv_key_attribute_extractable is None


def test_the_old_name_is_the_mechanism_of_rsa_keys_unless_there_is_a_new_one(
    tmp_path: Path,
) -> None:
    old = "[hsm]\nlibrary=/x.so\nsign_mechanism=CKM_RSA_PKCS_PSS\n"
    assert devices(tmp_path, old).modules[0].rsa_kind == "pss"
    both = old + "rsa_sign_mechanism=CKM_RSA_PKCS\n"
    assert devices(tmp_path, both).modules[0].rsa_kind == "rsa"


def test_a_disabled_module_is_not_there(tmp_path: Path) -> None:
    text = "[a]\nlibrary=/a.so\nenabled=false\n[b]\nlibrary=/b.so\n"
    read = devices(tmp_path, text)
    assert [m.type for m in read.modules] == ["b"]
    assert read.software


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("read_only = perhaps", "read_only is true or false, not 'perhaps'"),
        ("slot_ids = 1,-2", "slot_ids are numbers of slots, not '-2'"),
        (
            "rsa_sign_mechanism = CKM_RSA_X_509",
            "rsa_sign_mechanism may be CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, not 'CKM_RSA_X_509'",
        ),
        ("ec_sign_mechanism = CKM_RSA_PKCS", "ec_sign_mechanism may be CKM_ECDSA, not"),
        ("priv_key_attribute_allowed_mechanisms = CKM_DES", "not 'CKM_DES'"),
        ("library =", "it names no library"),
    ],
)
def test_a_wrong_section_is_left_out_by_its_name_and_hurts_no_other(
    tmp_path: Path, line: str, told: str
) -> None:
    """Also the one that the reference loses all later sections by."""
    library = "" if line.startswith("library") else "library=/a.so\n"
    read = devices(tmp_path, f"[bad]\n{library}{line}\n[good]\nlibrary=/b.so\n")
    assert [m.type for m in read.modules] == ["good"]
    (note,) = read.notes
    assert note.startswith("[bad] is left out: ")
    assert told in note


def test_an_unknown_key_is_named_and_the_rest_holds(tmp_path: Path) -> None:
    read = devices(tmp_path, "[hsm]\nlibrary=/a.so\nslot_id=3\nwhatever=1\n")
    assert len(read.modules) == 1
    assert read.notes == (
        "[hsm] has no key 'slot_id'; did you mean 'slot_ids'?",
        "[hsm] has no key 'whatever'",
    )


def test_a_comma_splits_every_value_unless_it_is_escaped(tmp_path: Path) -> None:
    text = "[hsm]\nlibrary=/a.so,/b.so\ntoken_id_format={label}\\,{slotIndex}\n"
    (module,) = devices(tmp_path, text).modules
    assert module.library == "/a.so"
    assert module.token_id_format == "{label},{slotIndex}"


@pytest.mark.parametrize("octets", [b"no section", b"[a\nlibrary=1", b"\xff\xfe[a]", b"x" * 2**21])
def test_a_file_of_another_kind_is_refused_by_its_name(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "devices.ini"
    path.write_bytes(octets)
    with pytest.raises(Fault, match=r"token_not_available: .*devices\.ini is no devices\.ini"):
        read_devices(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"Cannot read .*No such file"):
        read_devices(tmp_path / "devices.ini")


GARBAGE = st.binary(max_size=300) | st.text("[]=\n\\,#;%{}ab:", max_size=80).map(str.encode)


@given(octets=GARBAGE)
def test_nothing_but_a_refusal_comes_of_garbage(
    tmp_path_factory: pytest.TempPathFactory, octets: bytes
) -> None:
    path = tmp_path_factory.mktemp("ini") / "devices.ini"
    path.write_bytes(octets)
    with suppress(Fault):
        assert all(module.library for module in read_devices(path).modules)
