"""What a new key has is what the section says, read back from the token; foreign objects are read
as they are, or passed over.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.types import Session
from tests.signer.hardware import outcome, seen, token_of

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.signer.pkcs11_token import Pkcs11Token
from xgate.signer.token import TokenCertificate
from xgate.testing.pki import issue_sign, make_ca, make_ec_key
from xgate.testing.softhsm import SoftHsm

PUBLIC, PRIVATE = "pub_key_attribute_", "priv_key_attribute_"
DEFAULTS = {
    (PUBLIC, Attribute.ENCRYPT): True,
    (PUBLIC, Attribute.VERIFY): True,
    (PRIVATE, Attribute.SENSITIVE): True,
    (PRIVATE, Attribute.DECRYPT): True,
    (PRIVATE, Attribute.SIGN): True,
}


def in_session(token: Pkcs11Token, work: Any) -> Any:
    """Do something on the token as its user, past our own code."""
    return token._do(lambda: token._as_user(work), "internal_error")


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_key_has_what_every_key_has(softhsm: SoftHsm, kind: Any) -> None:
    with token_of(softhsm) as token:
        key = token.generate(kind, "Ülle's key")
        with seen(token, key) as found:
            for half in (found.private, found.public):
                assert half[Attribute.TOKEN] is True
                assert half[Attribute.ID] == bytes.fromhex(key.id)
                assert half[Attribute.LABEL] == "Ülle's key"
            assert len(bytes.fromhex(key.id)) == 20
            assert found.private[Attribute.PRIVATE] is True
            assert found.public[Attribute.PRIVATE] is False
            for (side, attribute), value in DEFAULTS.items():
                half = found.private if side == PRIVATE else found.public
                assert half[attribute] is value, attribute
            if kind == "rsa":
                assert found.public[Attribute.PUBLIC_EXPONENT] == b"\1\0\1"


@pytest.mark.parametrize(
    ("side", "name", "value"),
    [
        (PUBLIC, "encrypt", False),
        (PUBLIC, "verify", False),
        (PUBLIC, "verify_recover", True),
        (PUBLIC, "wrap", True),
        (PUBLIC, "wrap", False),
        (PUBLIC, "trusted", False),
        (PRIVATE, "sensitive", False),
        (PRIVATE, "decrypt", False),
        (PRIVATE, "sign_recover", True),
        (PRIVATE, "unwrap", True),
        (PRIVATE, "extractable", True),
        (PRIVATE, "wrap_with_trusted", True),
    ],
)
def test_an_attribute_of_the_section_is_an_attribute_of_the_key(
    softhsm: SoftHsm, side: str, name: str, value: bool
) -> None:
    with token_of(softhsm, **{side + name: value}) as token:
        key = token.generate("rsa", "k")
        with seen(token, key) as found:
            half = found.private if side == PRIVATE else found.public
            assert half[Attribute[name.upper()]] is value
        assert outcome(token, key) == "signed"


@pytest.mark.parametrize("name", ["always_sensitive", "never_extractable"])
def test_what_only_a_module_may_say_reaches_it(softhsm: SoftHsm, name: str) -> None:
    """SoftHSM2 refuses these in a template, as the standard wants: so they were in it."""
    with (
        token_of(softhsm, **{PRIVATE + name: True}) as token,
        pytest.raises(Fault, match=r"failed_to_generate_private_key: .*CKR_ATTRIBUTE_READ_ONLY"),
    ):
        token.generate("rsa", "k")


def test_allowed_mechanisms_are_set_and_heeded(softhsm: SoftHsm) -> None:
    with token_of(
        softhsm,
        pub_key_attribute_allowed_mechanisms=("CKM_RSA_PKCS_PSS",),
        priv_key_attribute_allowed_mechanisms=("CKM_RSA_PKCS_PSS", "CKM_SHA512_RSA_PKCS_PSS"),
        rsa_sign_mechanism="CKM_RSA_PKCS_PSS",
    ) as token:
        key = token.generate("rsa", "k")
        assert key.kind == "pss"
        with seen(token, key) as found:
            assert set(found.private[Attribute.ALLOWED_MECHANISMS]) == {
                Mechanism.RSA_PKCS_PSS,
                Mechanism.SHA512_RSA_PKCS_PSS,
            }
            assert list(found.public[Attribute.ALLOWED_MECHANISMS]) == [Mechanism.RSA_PKCS_PSS]
        assert outcome(token, key, "pss") == "signed"
        assert outcome(token, key, "rsa") == "unsupported_sign_algorithm"


def test_a_vendors_own_mechanism_at_one_key_hides_no_other(softhsm: SoftHsm) -> None:
    with token_of(softhsm, priv_key_attribute_allowed_mechanisms=("CKM_ECDSA",)) as token:
        good = token.generate("ecdsa", "good")

        def make(session: Session) -> None:
            make_foreign(session, b"\x0a", {Attribute.ALLOWED_MECHANISMS: [0x80000123]})

        in_session(token, make)
        token.logout()
        token.login("1234")
        assert list(token.keys()) == [good]


def test_a_key_that_may_not_sign_is_taken_back(softhsm: SoftHsm) -> None:
    with token_of(softhsm, priv_key_attribute_sign=False) as token:
        with pytest.raises(Fault, match=r"failed_to_generate_private_key: .*cannot sign"):
            token.generate("rsa", "k")
        left = in_session(token, lambda session: list(session.get_objects()))
        assert left == []


def test_the_module_decides_what_the_section_leaves_out(softhsm: SoftHsm) -> None:
    with token_of(softhsm) as token:
        key = token.generate("rsa", "k")
        with seen(token, key) as found:
            assert found.private[Attribute.EXTRACTABLE] is False  # SoftHSM2's own default
            assert found.private[Attribute.NEVER_EXTRACTABLE] is True


def make_foreign(session: Session, key_id: bytes, private: Any = None) -> None:
    session.generate_keypair(
        KeyType.EC,
        store=True,
        public_template={
            Attribute.EC_PARAMS: bytes.fromhex("06082a8648ce3d030107"),
            Attribute.TOKEN: True,
            Attribute.ID: key_id,
        },
        private_template={
            Attribute.TOKEN: True,
            Attribute.ID: key_id,
            Attribute.SIGN: True,
            **(private or {}),
        },
    )


def test_keys_that_others_made_are_found(softhsm: SoftHsm) -> None:
    """By their CKA_ID; those without one are not ours."""
    with token_of(softhsm) as token:
        in_session(token, lambda session: make_foreign(session, b"\x01\xab"))
        in_session(token, lambda session: make_foreign(session, b""))
        token.logout()
        token.login("1234")
        (key,) = token.keys()
        assert (key.id, key.label, key.kind) == ("01AB", "", "ecdsa")
        assert outcome(token, key) == "signed"


def test_a_public_half_is_read_from_a_certificate_when_it_has_no_object(softhsm: SoftHsm) -> None:
    """The certificates that lie beside keys are told, and go with their key."""
    signer = make_ec_key("on a card")
    certificate = issue_sign(make_ca(), ClientId("XG", "COM", "1"), key=signer).certificate
    numbers = signer.private_numbers()

    def put(session: Session, *, certified: bool = True) -> None:
        both = {Attribute.TOKEN: True, Attribute.ID: b"\x07"}
        private = {
            Attribute.CLASS: ObjectClass.PRIVATE_KEY,
            Attribute.KEY_TYPE: KeyType.EC,
            Attribute.EC_PARAMS: bytes.fromhex("06082a8648ce3d030107"),
            Attribute.VALUE: numbers.private_value.to_bytes(32, "big"),
            Attribute.SIGN: True,
            Attribute.PRIVATE: True,
        }
        session.create_object({**both, **private})
        if not certified:
            return
        kind = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.CERTIFICATE_TYPE: 0}
        value = {Attribute.VALUE: certificate.der, Attribute.SUBJECT: b"0\0"}
        session.create_object({**both, **kind, **value})

    with token_of(softhsm) as token:
        in_session(token, partial(put, certified=False))
        token.logout()
        token.login("1234")
        assert token.keys() == ()  # nobody knows its public half
        token.delete("07")
        in_session(token, put)
        token.logout()
        token.login("1234")
        (key,) = token.keys()
        assert key.public_key == signer.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        assert list(token.certificates()) == [TokenCertificate("07", certificate.der)]
        assert outcome(token, key) == "signed"
        token.delete("07")
        assert in_session(token, lambda session: list(session.get_objects())) == []


@pytest.mark.parametrize(
    ("parameters", "point"),
    [
        ("06082a8648ce3d030107", "04"),  # no point at all
        ("06082a8648ce3d030107", "0404deadbeef"),
        ("06082a8648ce3d030107", "0441" + "04" + "11" * 64),  # not on the curve
        ("06052b8104000a", "0441" + "04" + "11" * 64),  # a curve that is not ours
    ],
)
def test_a_public_half_that_is_no_key_of_ours_is_passed_over(
    softhsm: SoftHsm, parameters: str, point: str
) -> None:
    with token_of(softhsm) as token:

        def put(session: Session) -> None:
            make_foreign(session, b"\x09")
            wanted = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: b"\x09"}
            for found in list(session.get_objects(wanted)):
                found.destroy()
            session.create_object(
                {
                    **wanted,
                    Attribute.TOKEN: True,
                    Attribute.KEY_TYPE: KeyType.EC,
                    Attribute.EC_PARAMS: bytes.fromhex(parameters),
                    Attribute.EC_POINT: bytes.fromhex(point),
                }
            )

        good = token.generate("ecdsa", "good")
        in_session(token, put)
        token.logout()
        token.login("1234")
        assert list(token.keys()) == [good]
