"""Modules and the file that names them: ids, slots that come and go, reloads, several tokens."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path

import pytest
from tests.signer.hardware import PIN, SO_PIN, labelled, opened, outcome
from tests.signer.weather import ALL, NOTHING, Weather

from xgate.errors import Fault
from xgate.signer.devices import ModuleSettings
from xgate.signer.pkcs11 import Pkcs11Devices, Pkcs11Module
from xgate.testing.softhsm import SoftHsm


def test_a_token_is_known_by_its_format(softhsm: SoftHsm) -> None:
    """Lower-case hex of the text (signer 4); the name counts the slots."""
    softhsm.make_token("Ümlaut", PIN, SO_PIN)
    with opened(softhsm.library) as module:
        token = labelled(module, "Ümlaut")
        serial = token.state().info["Serial Number"]
        assert token._slot is not None
        expected = f"hsm{token._slot.slot_id}{serial}Ümlaut"
        assert token.id == expected.encode().hex()
        assert token.state().name == f"hsm-{serial}-Ümlaut-0"
        assert token.state().type == "hsm"
    with opened(softhsm.library, token_id_format="{label}/{moduleType}") as module:
        assert labelled(module, "Ümlaut").id == "Ümlaut/hsm".encode().hex()


def test_of_two_slots_with_one_id_the_first_counts(softhsm: SoftHsm) -> None:
    softhsm.make_token("first", PIN, SO_PIN)
    softhsm.make_token("second", PIN, SO_PIN)
    with opened(softhsm.library, token_id_format="{moduleType}") as module:
        (token,) = module.tokens()
        assert token.id == b"hsm".hex()


def test_several_tokens_are_apart(softhsm: SoftHsm) -> None:
    softhsm.make_token("first", PIN, SO_PIN)
    softhsm.make_token("second", "5678", SO_PIN)
    with opened(softhsm.library) as module:
        first, second = labelled(module, "first"), labelled(module, "second")
        first.login(PIN)
        with pytest.raises(Fault, match="pin_incorrect"):
            second.login(PIN)
        second.login("5678")
        one, two = first.generate("ecdsa", "1"), second.generate("rsa", "2")
        assert (list(first.keys()), list(second.keys())) == ([one], [two])
        first.logout()
        assert outcome(first, one) == "token_not_active"
        assert outcome(second, two) == "signed"


def test_only_the_slots_that_are_listed_are_used(softhsm: SoftHsm) -> None:
    softhsm.make_token("first", PIN, SO_PIN)
    softhsm.make_token("second", PIN, SO_PIN)
    with opened(softhsm.library) as module:
        token = labelled(module, "second")
        assert token._slot is not None
        slot = token._slot.slot_id
        assert len(module.tokens()) == 3  # SoftHSM2 shows one that is not initialised
        assert module.tokens()[2].state().status == "not-initialized"
    with opened(softhsm.library, slot_ids=(slot, 12345)) as module:
        assert [t.state().info["Label"] for t in module.tokens()] == ["second"]
        assert module.tokens()[0].state().name.endswith("-second-0")


def test_no_slots_at_all_start_the_module_again(softhsm: SoftHsm, weather: Weather) -> None:
    """And tokens whose PIN is known sign again when they are back."""
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library) as module:
        token = labelled(module, "card")
        token.login(PIN)
        key = token.generate("ecdsa", "k")
        weather.hide(ALL)
        module.refresh()
        assert weather.calls("C_Finalize") == 1
        assert not token.state().available
        weather.hide(NOTHING)
        module.refresh()
        assert labelled(module, "card") is token
        assert outcome(token, key) == "signed"
        assert weather.calls("C_Finalize") == 1


def test_a_refusal_to_show_slots_starts_the_module_again(
    softhsm: SoftHsm, weather: Weather
) -> None:
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library) as module:
        token = labelled(module, "card")
        token.login(PIN)
        key = token.generate("ecdsa", "k")
        weather.refuse("C_GetSlotList", 0x05)
        module.refresh()
        assert weather.calls("C_Finalize") == 1
        assert outcome(token, key) == "signed"  # its session was lost with the old start
        weather.refuse("C_GetSlotList", 0x05, times=-1)
        with pytest.raises(Fault, match=r"token_not_available: .*shows no slots: CKR_GENERAL"):
            module.refresh()
        assert not token.state().available
        weather.refuse("C_GetSlotList", 0, times=0)
        module.refresh()
        assert outcome(token, key) == "signed"


def test_a_user_who_was_logged_out_unnoticed_is_logged_in_by_the_next_look(
    softhsm: SoftHsm, weather: Weather
) -> None:
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library) as module:
        token = labelled(module, "card")
        token.login(PIN)
        key = token.generate("ecdsa", "k")
        assert token._session is not None
        session = token._session.handle  # type: ignore[attr-defined]
        module._library.call(lambda: module._library.cryptoki.logout(session))
        module.refresh()
        assert outcome(token, key) == "signed"
        assert list(token.keys()) == [key]


def test_a_token_that_fails_at_a_look_starts_the_module_again(
    softhsm: SoftHsm, weather: Weather
) -> None:
    """But not when it only refuses a PIN."""
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library) as module:
        token = labelled(module, "card")
        token.login(PIN)
        key = token.generate("ecdsa", "k")
        weather.refuse("C_GetSessionInfo", 0xB3)
        weather.refuse("C_OpenSession", 0x05)
        module.refresh()
        assert weather.calls("C_Finalize") == 1
        assert outcome(token, key) == "signed"
        weather.refuse("C_GetSessionInfo", 0xB3)
        weather.refuse("C_Login", 0xA0)
        with pytest.raises(Fault, match="pin_incorrect"):
            module.refresh()
        assert weather.calls("C_Finalize") == 1


def test_a_look_does_not_disturb_what_is_well(softhsm: SoftHsm, weather: Weather) -> None:
    softhsm.make_token("card", PIN, SO_PIN)
    with opened(weather.library) as module:
        token = labelled(module, "card")
        token.login(PIN)
        calls = [weather.calls(f) for f in ("C_Login", "C_OpenSession", "C_Finalize")]
        module.refresh()
        assert [weather.calls(f) for f in ("C_Login", "C_OpenSession", "C_Finalize")] == calls


def test_a_token_that_was_deleted_and_made_anew_is_another(softhsm: SoftHsm) -> None:
    """While the module runs: the old one is gone, the new one is seen after the next start."""
    softhsm.make_token("old", PIN, SO_PIN)
    with opened(softhsm.library) as module:
        old = labelled(module, "old")
        old.login(PIN)
        key = old.generate("ecdsa", "k")
        softhsm.delete_token("old")
        softhsm.make_token("new", PIN, SO_PIN)
        module._library.call(module._library.reload)
        module.refresh()
        assert not old.state().available
        assert outcome(old, key) == "token_not_available"
        new = labelled(module, "new")
        new.login(PIN)
        assert outcome(new, new.generate("ecdsa", "k")) == "signed"


def test_all_at_once_on_one_library(softhsm: SoftHsm) -> None:
    """Two sections, two tokens, threads that sign, make keys and look: nobody gets another's."""
    softhsm.make_token("first", PIN, SO_PIN)
    softhsm.make_token("second", PIN, SO_PIN)
    wrong: list[str] = []
    with (
        opened(softhsm.library) as one,
        opened(softhsm.library, token_id_format="{label}") as other,
    ):
        tokens = labelled(one, "first"), labelled(other, "second")
        for token in tokens:
            token.login(PIN)
        keys = [token.generate("ecdsa", "k") for token in tokens]

        def sign(n: int) -> None:
            wrong.extend(
                said for _ in range(25) if (said := outcome(tokens[n], keys[n])) != "signed"
            )

        def look(module: Pkcs11Module) -> None:
            for _ in range(10):
                module.refresh()

        def make(n: int) -> None:
            for _ in range(5):
                tokens[n].delete(tokens[n].generate("ecdsa", "for a moment").id)

        works = [partial(sign, n % 2) for n in range(4)]
        works += [partial(look, one), partial(look, other), partial(make, 0), partial(make, 1)]
        threads = [threading.Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert [list(token.keys()) for token in tokens] == [[key] for key in keys]


def test_a_module_that_cannot_be_loaded_is_told_at_every_look() -> None:
    module = Pkcs11Module(ModuleSettings(type="hsm", library="/nowhere/at/all.so"))
    try:
        assert module.tokens() == ()
        for _ in range(2):
            with pytest.raises(Fault, match=r"token_not_available: .*all\.so cannot be loaded"):
                module.refresh()
    finally:
        module.close()


def write(path: Path, text: str) -> None:
    """Write the file so that its change is seen, however fast."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 1_000_000_000, before + 1_000_000_000))


def test_the_file_is_followed(softhsm: SoftHsm, tmp_path: Path) -> None:
    """A new section starts a module, a section that is gone ends one, and notes are told once."""
    softhsm.make_token("card", PIN, SO_PIN)
    path = tmp_path / "devices.ini"
    section = f"library = {softhsm.library}\n"
    write(path, f"[one]\n{section}")
    notes: list[str] = []
    devices = Pkcs11Devices(path, note=notes.append)
    try:
        devices.refresh()
        types = {token.state().type for token in devices.tokens()}
        assert types == {"one"}
        first = devices.tokens()[0]
        first.login(PIN)
        key = first.generate("ecdsa", "k")
        write(path, f"[one]\n{section}[two]\n{section}slots = 1\n")
        devices.refresh()
        assert {token.state().type for token in devices.tokens()} == {"one", "two"}
        assert devices.tokens()[0] is first
        assert outcome(first, key) == "signed"
        assert notes == [f"{path}: [two] has no key 'slots'; did you mean 'slot_ids'?"]
        write(path, f"[two]\n{section}")
        devices.refresh()
        assert {token.state().type for token in devices.tokens()} == {"two"}
        path.unlink()
        with pytest.raises(Fault, match="token_not_available: Cannot read"):
            devices.refresh()
        assert {token.state().type for token in devices.tokens()} == {"two"}
    finally:
        devices.close()


def test_a_module_that_left_the_file_is_not_looked_into(weather: Weather, tmp_path: Path) -> None:
    """And one that came is, at the same look."""
    path = tmp_path / "devices.ini"
    write(path, "")
    devices = Pkcs11Devices(path, patience=5)
    try:
        write(path, f"[one]\nlibrary = {weather.library}\n")
        devices.refresh()
        assert weather.calls("C_GetSlotList") > 0
        write(path, "")
        devices.refresh()
        assert devices.tokens() == ()
    finally:
        devices.close()


def test_one_wrong_module_hides_no_other(softhsm: SoftHsm, tmp_path: Path) -> None:
    softhsm.make_token("card", PIN, SO_PIN)
    path = tmp_path / "devices.ini"
    path.write_text(f"[bad]\nlibrary = /nowhere.so\n[good]\nlibrary = {softhsm.library}\n")
    devices = Pkcs11Devices(path)
    try:
        with pytest.raises(Fault, match=r"nowhere\.so"):
            devices.refresh()
        assert {token.state().type for token in devices.tokens()} == {"good"}
    finally:
        devices.close()
