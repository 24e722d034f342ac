"""The functions that are called directly: a PIN, a session's state, what a token says of itself."""

from __future__ import annotations

from collections.abc import Iterator

import pkcs11
import pytest
from pkcs11 import _pkcs11
from pkcs11.exceptions import PKCS11Error
from tests.signer.weather import Weather

from xgate.signer.cryptoki import LOGGED_IN, CkrError, Cryptoki, ckr_name
from xgate.testing.softhsm import SoftHsm

WRITABLE = 2  # logged out, read and write


@pytest.fixture
def cryptoki(weather: Weather, softhsm: SoftHsm) -> Iterator[Cryptoki]:
    softhsm.make_token("the token", "1234", "123456")
    cryptoki = Cryptoki(str(weather.library))
    cryptoki.initialize(no_os_threads=None, os_locking=None)
    yield cryptoki
    cryptoki.finalize()


def slot_of(weather: Weather) -> pkcs11.Slot:
    kind = _pkcs11.lib
    library = kind.__new__(kind, str(weather.library))  # type: ignore[call-arg]
    found: pkcs11.Slot = library.get_slots(token_present=True)[0]
    return found


def test_a_user_logs_in_and_out(cryptoki: Cryptoki, weather: Weather) -> None:
    session = slot_of(weather).get_token().open(rw=True).handle  # type: ignore[attr-defined]
    assert cryptoki.session_state(session) == WRITABLE
    pin = bytearray(b"1234")
    cryptoki.login(session, pin)
    assert cryptoki.session_state(session) in LOGGED_IN
    with pytest.raises(CkrError, match="CKR_USER_ALREADY_LOGGED_IN"):
        cryptoki.login(session, pin)
    cryptoki.logout(session)
    assert cryptoki.session_state(session) == WRITABLE
    assert pin == b"1234"  # it is the caller's


def test_a_wrong_pin_is_told_by_name(cryptoki: Cryptoki, weather: Weather) -> None:
    session = slot_of(weather).get_token().open(rw=True).handle  # type: ignore[attr-defined]
    with pytest.raises(CkrError) as raised:
        cryptoki.login(session, bytearray(b"4321"))
    assert ckr_name(raised.value) == "CKR_PIN_INCORRECT"
    assert "4321" not in repr(raised.value)


def test_a_token_tells_of_itself(cryptoki: Cryptoki, weather: Weather) -> None:
    slot = slot_of(weather)
    facts = cryptoki.token_facts(slot.slot_id)
    same = slot.get_token()
    assert (facts.label, facts.model) == ("the token", "SoftHSM v2") == (same.label, same.model)
    assert facts.serial.encode() == same.serial
    assert facts.flags == int(same.flags)
    assert (facts.min_pin, facts.max_pin) == (4, 255)
    assert facts.free_private is None  # SoftHSM2 does not tell


def test_codes_have_their_names(cryptoki: Cryptoki) -> None:
    with pytest.raises(CkrError, match="CKR_SLOT_ID_INVALID"):
        cryptoki.token_facts(12345)
    with pytest.raises(CkrError, match="CKR_SESSION_HANDLE_INVALID"):
        cryptoki.session_state(12345)
    assert ckr_name(CkrError(0x80000001)) == "CKR_0x80000001"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (pkcs11.PinIncorrect(), "CKR_PIN_INCORRECT"),
        (pkcs11.SessionHandleInvalid(), "CKR_SESSION_HANDLE_INVALID"),
        (pkcs11.UserNotLoggedIn(), "CKR_USER_NOT_LOGGED_IN"),
        (pkcs11.AnotherUserAlreadyLoggedIn(), "CKR_USER_ANOTHER_ALREADY_LOGGED_IN"),
        (pkcs11.TokenNotRecognised(), "CKR_TOKEN_NOT_RECOGNIZED"),
        (PKCS11Error("something of the vendor's"), "something of the vendor's"),
    ],
)
def test_what_the_library_raises_has_its_name_of_the_standard(
    error: PKCS11Error, name: str
) -> None:
    assert ckr_name(error) == name


def test_a_module_that_was_not_started_is_told_apart(weather: Weather) -> None:
    with pytest.raises(PKCS11Error) as raised:
        slot_of(weather)
    assert ckr_name(raised.value) == "CKR_CRYPTOKI_NOT_INITIALIZED"
