"""Statuses in the reference's priority, codes by the refusal's name, and words for people."""

from __future__ import annotations

import pkcs11
import pytest
from pkcs11.exceptions import PKCS11Error

from xgate.signer.cryptoki import CkrError, TokenFacts
from xgate.signer.pkcs11_facts import fault_of, pin_status, token_info, token_status
from xgate.signer.token import TokenStatus

READY = 0x408  # initialised, with a PIN
LOW, FINAL, LOCKED = 0x10000, 0x20000, 0x40000


@pytest.mark.parametrize(
    ("flags", "refused", "status"),
    [
        (READY, None, "ok"),
        (READY | LOW, "pin-incorrect", "pin-count-low"),
        (READY | LOW | FINAL, "pin-incorrect", "pin-final-try"),
        (READY | LOW | FINAL | LOCKED, None, "pin-locked"),
        (READY, "pin-incorrect", "pin-incorrect"),
        (READY, "pin-expired", "pin-expired"),
        (0x400, None, "not-initialized"),
        (0x008, None, "not-initialized"),
    ],
)
def test_the_first_status_that_holds(
    flags: int, refused: TokenStatus | None, status: TokenStatus
) -> None:
    assert token_status(flags, refused) == status


@pytest.mark.parametrize(
    ("error", "otherwise", "code"),
    [
        (CkrError(0xA0), "login_failed", "pin_incorrect"),
        (CkrError(0xA2), "login_failed", "pin_incorrect"),
        (CkrError(0xA4), "login_failed", "login_failed"),
        (CkrError(0x102), "login_failed", "token_not_initialized"),
        (CkrError(0xE0), "login_failed", "token_not_available"),
        (pkcs11.DeviceRemoved(), "cannot_sign", "token_not_available"),
        (pkcs11.GeneralError(), "cannot_sign", "cannot_sign"),
        (pkcs11.MechanismInvalid(), "cannot_sign", "unsupported_sign_algorithm"),
        (
            pkcs11.MechanismInvalid(),
            "failed_to_generate_private_key",
            "failed_to_generate_private_key",
        ),
        (pkcs11.UserNotLoggedIn(), "cannot_sign", "token_not_active"),
        (pkcs11.TokenWriteProtected(), "failed_to_generate_private_key", "token_readonly"),
    ],
)
def test_a_refusal_has_the_signers_code_and_the_modules_name(
    error: PKCS11Error, otherwise: str, code: str
) -> None:
    fault = fault_of(error, otherwise, "card")
    assert fault.code == code
    assert fault.text.startswith("Token 'card' refused: CKR_")


def test_only_refusals_of_a_pin_say_something_of_it() -> None:
    assert pin_status(CkrError(0xA0)) == "pin-incorrect"
    assert pin_status(CkrError(0xA3)) == "pin-expired"
    assert pin_status(CkrError(0x30)) is None


def test_people_are_told_what_the_reference_tells_them() -> None:
    facts = TokenFacts("l", "m", "o", "s", READY | LOW | 1 | 2, 8, 4, 100, None, 0, 7, "2.6")
    info = token_info(facts, "card")
    assert list(info) == [
        "Type",
        "Manufacturer ID",
        "Model",
        "Firmware Version",
        "Serial Number",
        "Label",
        "Free Private Memory",
        "Total Private Memory",
        "Free Public Memory",
        "Total Public Memory",
        "Clock on token",
        "Protected authentication path",
        "Has RNG",
        "User PIN initialized",
        "User PIN count low",
        "User PIN final try",
        "User PIN locked",
        "User PIN to be changed",
        "Token write protected",
        "Min PIN length",
        "Max PIN length",
    ]
    assert (info["Type"], info["Firmware Version"], info["Max PIN length"]) == ("card", "2.6", "8")
    assert (info["Free Public Memory"], info["Total Private Memory"]) == ("unavailable", "0")
    assert (info["Has RNG"], info["User PIN locked"]) == ("true", "false")
