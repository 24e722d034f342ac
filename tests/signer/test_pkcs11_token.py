"""A token in rough weather: lost sessions, wrong PINs, cards that count, modules that hang."""

from __future__ import annotations

import threading

import pytest
from tests.signer.hardware import PIN, SO_PIN, job, labelled, opened, outcome, token_of
from tests.signer.weather import NOTHING, Weather

from xgate.errors import Fault
from xgate.signer.pkcs11_token import Pkcs11Token
from xgate.testing.softhsm import SoftHsm

LOW, FINAL, LOCKED = 0x10000, 0x20000, 0x40000


def slot_of(token: Pkcs11Token) -> int:
    assert token._slot is not None
    return token._slot.slot_id


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0xB3, "SESSION_HANDLE_INVALID"),
        (0x32, "DEVICE_REMOVED"),
        (0xE0, "TOKEN_NOT_PRESENT"),
        (0x101, "USER_NOT_LOGGED_IN"),
        (0x60, "KEY_HANDLE_INVALID"),
    ],
)
def test_a_lost_session_is_opened_again_and_nobody_notices(
    softhsm: SoftHsm, weather: Weather, code: int, name: str
) -> None:
    with token_of(softhsm, weather.library) as token:
        key = token.generate("ecdsa", "k")
        weather.refuse("C_Sign", code)
        logins = weather.calls("C_Login")
        assert outcome(token, key) == "signed", name
        assert weather.calls("C_Login") == logins + 1
        assert outcome(token, key) == "signed"
        assert weather.calls("C_Login") == logins + 1


def test_a_session_that_stays_lost_is_not_tried_for_ever(
    softhsm: SoftHsm, weather: Weather
) -> None:
    with token_of(softhsm, weather.library) as token:
        key = token.generate("ecdsa", "k")
        weather.refuse("C_Sign", 0x32, times=-1)
        signs = weather.calls("C_Sign")
        assert outcome(token, key) == "token_not_available"
        assert weather.calls("C_Sign") == signs + 2
        weather.refuse("C_Sign", 0, times=0)
        assert outcome(token, key) == "signed"


def test_a_lost_session_in_a_batch_costs_no_job(softhsm: SoftHsm, weather: Weather) -> None:
    with token_of(softhsm, weather.library) as token:
        key = token.generate("ecdsa", "k")
        weather.refuse("C_Sign", 0xB3, after=3)
        values = token.sign([job(key, data=b"%d" % n) for n in range(8)])
        assert all(isinstance(value, bytes) for value in values)


def test_a_general_error_is_one_jobs_own(softhsm: SoftHsm, weather: Weather) -> None:
    with token_of(softhsm, weather.library) as token:
        key = token.generate("ecdsa", "k")
        weather.refuse("C_Sign", 0x05, after=1)
        good, bad, last = token.sign([job(key)] * 3)
        assert isinstance(good, bytes)
        assert isinstance(bad, Fault)
        assert (bad.code, "CKR_GENERAL_ERROR" in bad.text) == ("cannot_sign", True)
        assert isinstance(last, bytes)


def test_a_wrong_pin_is_tried_once(softhsm: SoftHsm, weather: Weather) -> None:
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library) as module:
        token = labelled(module, "card")
        with pytest.raises(Fault, match="pin_incorrect"):
            token.login("9999")
        assert weather.calls("C_Login") == 1
        assert token.state().status == "pin-count-low"  # SoftHSM2 counts
        for _ in range(3):
            module.refresh()
        assert weather.calls("C_Login") == 1
        token.login(PIN)
        assert token.state().status == "ok"


def test_a_pin_that_is_refused_later_is_forgotten_at_once(
    softhsm: SoftHsm, weather: Weather
) -> None:
    """The PIN was changed elsewhere: the lost session asks once and never again by itself."""
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library) as module:
        token = labelled(module, "card")
        token.login(PIN)
        key = token.generate("ecdsa", "k")
        weather.refuse("C_Sign", 0xB3)
        weather.refuse("C_Login", 0xA0)
        logins = weather.calls("C_Login")
        assert outcome(token, key) == "pin_incorrect"
        assert outcome(token, key) == "token_not_active"
        module.refresh()
        assert weather.calls("C_Login") == logins + 1
        assert (token.state().active, token.state().status) == (False, "pin-incorrect")
        assert list(token.keys()) == []


@pytest.mark.parametrize(
    ("flags", "why"),
    [(LOCKED | FINAL, "its PIN is locked"), (FINAL | LOW, "one more wrong PIN would lock it")],
)
def test_a_token_in_danger_is_not_asked(
    softhsm: SoftHsm, weather: Weather, flags: int, why: str
) -> None:
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library) as module:
        token = labelled(module, "card")
        weather.flags(flags)
        with pytest.raises(Fault, match=f"login_failed: .*{why}"):
            token.login(PIN)
        assert weather.calls("C_Login") == 0
        token.login(PIN, force=True)
        assert token.state().active


def test_a_token_in_danger_is_not_logged_in_again_by_itself(
    softhsm: SoftHsm, weather: Weather
) -> None:
    with token_of(softhsm, weather.library) as token:
        key = token.generate("ecdsa", "k")
        weather.flags(FINAL)
        weather.refuse("C_Sign", 0xB3)
        logins = weather.calls("C_Login")
        assert outcome(token, key) == "login_failed"
        assert weather.calls("C_Login") == logins
        assert not token.state().active


def test_other_refusals_of_a_login_have_their_codes(softhsm: SoftHsm, weather: Weather) -> None:
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library) as module:
        token = labelled(module, "card")
        for code, fault, status in (
            (0xA4, "login_failed", "pin-locked"),
            (0xA3, "login_failed", "pin-expired"),
            (0xA1, "pin_incorrect", "pin-invalid"),
            (0x102, "token_not_initialized", "pin-invalid"),
            (0xE0, "token_not_available", "pin-invalid"),
            (0x30, "token_not_available", "pin-invalid"),
        ):
            weather.refuse("C_Login", code)
            with pytest.raises(Fault) as raised:
                token.login(PIN)
            assert raised.value.code == fault
            assert token.state().status == status
        with pytest.raises(Fault, match=r"pin_incorrect: .*empty"):
            token.login("")


def test_no_pin_is_kept_after_logout(softhsm: SoftHsm) -> None:
    with token_of(softhsm) as token:
        kept = token._pin
        assert kept is not None
        assert bytes(kept) == PIN.encode()
        token.logout()
        assert bytes(kept) == bytes(len(PIN))
        assert token._pin is None


def test_a_logout_that_fails_forgets_the_pin_all_the_same(
    softhsm: SoftHsm, weather: Weather
) -> None:
    with token_of(softhsm, weather.library) as token:
        weather.refuse("C_Logout", 0x06)
        with pytest.raises(Fault, match=r"logout_failed: .*CKR_FUNCTION_FAILED"):
            token.logout()
        assert not token.state().active


def test_a_logout_works_for_us_while_the_module_hangs(softhsm: SoftHsm, weather: Weather) -> None:
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library, patience=0.5) as module:
        token = labelled(module, "card")
        token.login(PIN)
        key = token.generate("ecdsa", "k")
        weather.hang(True)
        assert outcome(token, key) == "token_not_available"
        with pytest.raises(Fault, match="token_not_available"):
            token.logout()
        assert not token.state().active
        weather.hang(False)
        while not token.state().available:
            threading.Event().wait(0.01)
        assert outcome(token, key) == "token_not_active"
        token.login(PIN)
        assert outcome(token, key) == "signed"


def test_a_card_that_wants_its_pin_for_every_signature_gets_it(
    softhsm: SoftHsm, weather: Weather
) -> None:
    with token_of(softhsm, weather.library, sign_verify_pin=True) as token:
        key = token.generate("ecdsa", "k")
        logins, logouts = weather.calls("C_Login"), weather.calls("C_Logout")
        assert all(isinstance(value, bytes) for value in token.sign([job(key)] * 3))
        assert weather.calls("C_Login") == logins + 3
        assert weather.calls("C_Logout") == logouts + 3
        assert token.state().active
        weather.refuse("C_Login", 0xA0)
        assert outcome(token, key) == "pin_incorrect"
        assert outcome(token, key) == "token_not_active"


def test_a_read_only_token_keeps_its_keys(softhsm: SoftHsm, weather: Weather) -> None:
    """By the section, or by the token's own word."""
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library) as module:
        token = labelled(module, "card")
        token.login(PIN)
        key = token.generate("ecdsa", "k")
        assert not token.state().read_only
        weather.flags(0x02)
        module.refresh()
        assert token.state().read_only
        with pytest.raises(Fault, match="token_readonly"):
            token.generate("rsa", "another")
    weather.clear()
    with opened(weather.library, read_only=True) as module:
        token = labelled(module, "card")
        token.login(PIN)
        assert token.state().read_only
        with pytest.raises(Fault, match="token_readonly"):
            token.delete(key.id)
        assert outcome(token, key) == "signed"


def test_batches_are_as_the_section_says(softhsm: SoftHsm) -> None:
    softhsm.make_token("card", PIN, SO_PIN)
    for value in (True, False):
        with opened(softhsm.library, batch_signing_enabled=value) as module:
            assert labelled(module, "card").state().batch_signing is value


def test_a_token_that_was_pulled_out_refuses_and_comes_back(
    softhsm: SoftHsm, weather: Weather
) -> None:
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library) as module:
        token = labelled(module, "card")
        token.login(PIN)
        key = token.generate("ecdsa", "k")
        weather.hide(slot_of(token))
        module.refresh()
        assert not token.state().available
        assert outcome(token, key) == "token_not_available"
        with pytest.raises(Fault, match=r"token_not_available: .*in no slot"):
            token.generate("rsa", "x")
        assert list(token.keys()) == []
        weather.hide(NOTHING)
        module.refresh()
        assert labelled(module, "card") is token
        assert outcome(token, key) == "signed"


def test_a_module_that_hangs_blocks_nobody_for_long(softhsm: SoftHsm, weather: Weather) -> None:
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library, patience=1.0) as module:
        token = labelled(module, "card")
        token.login(PIN)
        key = token.generate("ecdsa", "k")
        weather.hang(True)
        (value,) = token.sign([job(key)])
        assert isinstance(value, Fault)
        assert value.code == "token_not_available"
        while token.state().available:  # known a moment later
            threading.Event().wait(0.01)
        assert weather.hung()
        assert outcome(token, key) == "token_not_available"
        with pytest.raises(Fault, match="token_not_available"):
            token.login(PIN)
        weather.hang(False)
        while not token.state().available:
            threading.Event().wait(0.01)
        assert outcome(token, key) == "signed"


def test_what_a_token_shows_holds_no_secret(softhsm: SoftHsm) -> None:
    softhsm.make_token("card", "a pin nobody sees", SO_PIN)
    with opened(softhsm.library) as module:
        token = labelled(module, "card")
        token.login("a pin nobody sees")
        assert "nobody sees" not in f"{token!r} {token.state()!r}"
        assert repr(token).startswith("Pkcs11Token(hsm-")
