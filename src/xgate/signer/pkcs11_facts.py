"""What a PKCS#11 token's facts mean: its status, what people are told of it, the codes of refusals.

The rule: tables only. A status is the first that holds in the reference's priority; a refusal keeps
the module's own name for it in its text, and nothing else of what the module was given. Source:
signer 4 and 11.
"""

from __future__ import annotations

from collections.abc import Mapping

from pkcs11 import TokenFlag
from pkcs11.exceptions import PKCS11Error

from xgate.errors import Fault
from xgate.signer.cryptoki import TokenFacts, ckr_name
from xgate.signer.token import TokenStatus

__all__ = ["LOST", "WRONG_PIN", "fault_of", "pin_status", "token_info", "token_status"]

LOST = frozenset(
    f"CKR_{name}"
    for name in (
        "SESSION_HANDLE_INVALID",
        "SESSION_CLOSED",
        "DEVICE_REMOVED",
        "TOKEN_NOT_PRESENT",
        "USER_NOT_LOGGED_IN",
        "KEY_HANDLE_INVALID",
        "OBJECT_HANDLE_INVALID",
        "OPERATION_ACTIVE",
    )
)
"""Refusals of a session that is gone: a new one may do."""

WRONG_PIN: Mapping[str, TokenStatus] = {
    "CKR_PIN_INCORRECT": "pin-incorrect",
    "CKR_PIN_LEN_RANGE": "pin-incorrect",
    "CKR_PIN_INVALID": "pin-invalid",
    "CKR_PIN_EXPIRED": "pin-expired",
    "CKR_PIN_LOCKED": "pin-locked",
}
"""Refusals of a PIN: it is never tried again."""

_CODES: Mapping[str, str] = {
    "CKR_PIN_INCORRECT": "pin_incorrect",
    "CKR_PIN_LEN_RANGE": "pin_incorrect",
    "CKR_PIN_INVALID": "pin_incorrect",
    "CKR_USER_PIN_NOT_INITIALIZED": "token_not_initialized",
    "CKR_USER_NOT_LOGGED_IN": "token_not_active",
    "CKR_TOKEN_WRITE_PROTECTED": "token_readonly",
    "CKR_SESSION_READ_ONLY": "token_readonly",
    "CKR_KEY_HANDLE_INVALID": "key_not_found",
    "CKR_OBJECT_HANDLE_INVALID": "key_not_found",
    **dict.fromkeys(
        (
            "CKR_TOKEN_NOT_PRESENT",
            "CKR_TOKEN_NOT_RECOGNIZED",
            "CKR_DEVICE_REMOVED",
            "CKR_DEVICE_ERROR",
            "CKR_SLOT_ID_INVALID",
            "CKR_SESSION_HANDLE_INVALID",
            "CKR_SESSION_CLOSED",
            "CKR_CRYPTOKI_NOT_INITIALIZED",
        ),
        "token_not_available",
    ),
}
_UNFIT = ("CKR_MECHANISM_INVALID", "CKR_MECHANISM_PARAM_INVALID", "CKR_KEY_TYPE_INCONSISTENT")


def fault_of(error: PKCS11Error, otherwise: str, who: str) -> Fault:
    """The module's refusal as one of ours.

    :param otherwise: the code when the refusal itself names none (signer 11).
    :param who: the token, for people.
    """
    name = ckr_name(error)
    code = _CODES.get(name, otherwise)
    if otherwise == "cannot_sign" and name in _UNFIT:
        code = "unsupported_sign_algorithm"
    return Fault(code, f"Token '{who}' refused: {name}")


def pin_status(error: PKCS11Error) -> TokenStatus | None:
    """What a refusal at login says of the PIN; None when it says nothing."""
    return WRONG_PIN.get(ckr_name(error))


def token_status(flags: int, refused: TokenStatus | None) -> TokenStatus:
    """The status of a token by its flags, and by what the last login was refused with."""
    for flag, status in _STATUSES:
        if flags & flag:
            return status
    if refused is not None:
        return refused
    if not (flags & TokenFlag.TOKEN_INITIALIZED and flags & TokenFlag.USER_PIN_INITIALIZED):
        return "not-initialized"
    return "ok"


_STATUSES: tuple[tuple[int, TokenStatus], ...] = (
    (TokenFlag.USER_PIN_LOCKED, "pin-locked"),
    (TokenFlag.USER_PIN_FINAL_TRY, "pin-final-try"),
    (TokenFlag.USER_PIN_COUNT_LOW, "pin-count-low"),
)


def token_info(facts: TokenFacts, module_type: str) -> dict[str, str]:
    """What the token tells about itself, by the reference's names (signer 4)."""

    def flag(wanted: int) -> str:
        return str(bool(facts.flags & wanted)).lower()

    def size(octets: int | None) -> str:
        return "unavailable" if octets is None else str(octets)

    return {
        "Type": module_type,
        "Manufacturer ID": facts.manufacturer,
        "Model": facts.model,
        "Firmware Version": facts.firmware,
        "Serial Number": facts.serial,
        "Label": facts.label,
        "Free Private Memory": size(facts.free_private),
        "Total Private Memory": size(facts.total_private),
        "Free Public Memory": size(facts.free_public),
        "Total Public Memory": size(facts.total_public),
        "Clock on token": flag(TokenFlag.CLOCK_ON_TOKEN),
        "Protected authentication path": flag(TokenFlag.PROTECTED_AUTHENTICATION_PATH),
        "Has RNG": flag(TokenFlag.RNG),
        "User PIN initialized": flag(TokenFlag.USER_PIN_INITIALIZED),
        "User PIN count low": flag(TokenFlag.USER_PIN_COUNT_LOW),
        "User PIN final try": flag(TokenFlag.USER_PIN_FINAL_TRY),
        "User PIN locked": flag(TokenFlag.USER_PIN_LOCKED),
        "User PIN to be changed": flag(TokenFlag.USER_PIN_TO_BE_CHANGED),
        "Token write protected": flag(TokenFlag.WRITE_PROTECTED),
        "Min PIN length": str(facts.min_pin),
        "Max PIN length": str(facts.max_pin),
    }
