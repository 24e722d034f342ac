"""Sealed keys open under their PIN, as themselves, and not otherwise."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from xgate.errors import Fault
from xgate.signer.sealing import new_opener
from xgate.signer.software import PrivateKey, public_octets

EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PIN = "Secret1234"
OPENER = new_opener(PIN)


@pytest.mark.parametrize("key", [EC, RSA], ids=["ec", "rsa"])
def test_what_was_sealed_opens_again(key: PrivateKey) -> None:
    sealed = OPENER.seal("K", key)
    again = OPENER.empty().opener(PIN).open("K", public_octets(key), sealed)
    assert again.private_numbers() == key.private_numbers()


def test_a_wrong_pin_is_told_from_damage() -> None:
    token = OPENER.empty()
    with pytest.raises(Fault) as caught:
        token.opener("Geheim999")
    assert caught.value.code == "pin_incorrect"
    assert "Geheim999" not in str(caught.value)
    sealed = OPENER.seal("K", EC)
    public = public_octets(EC)
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for said in (("K", public, changed), ("L", public, sealed), ("K", public_octets(RSA), sealed)):
        with pytest.raises(Fault, match="was changed or is damaged") as caught:
            OPENER.open(*said)
        assert caught.value.code == "cannot_sign"
    with pytest.raises(Fault, match="was changed or is damaged"):
        OPENER.open("K", public, b"short")


def test_nothing_secret_is_shown() -> None:
    assert repr(OPENER) == "<Opener>"
    assert repr(OPENER.empty()) == "SealedKeys(0 keys)"
    number = EC.private_numbers().private_value.to_bytes(32, "big")
    assert number not in OPENER.seal("K", EC)
