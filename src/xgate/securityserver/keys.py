"""Opens the tokens that the settings name, and logs in to those whose PIN is at hand.

The rule: the software token's PIN must be right, or nothing starts. Any other token that is not
there or refuses is reported and left alone: a server that was started again and again would lock a
card that counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from xgate.errors import Fault
from xgate.securityserver.keys_settings import KeysSettings, pin_source
from xgate.securityserver.section import SettingsError
from xgate.signer.contained import open_contained
from xgate.signer.entries import SOFTWARE
from xgate.signer.pins import PinSource, read_pins, take_variable
from xgate.signer.tokens import Refused, TokenModule, Tokens, find_module, known_modules

__all__ = ["open_tokens", "prepare_tokens"]


def open_tokens(
    settings: KeysSettings, folder: Path, refused: Refused, *, locked: bool = False
) -> Tokens:
    """All tokens, logged in where a PIN is set.

    :param folder: where relative paths of the settings count from.
    :param refused: told of every token or key that cannot be used, now and later.
    :param locked: without a PIN the software token may stay closed, until somebody logs in.
    :raises SettingsError: a setting cannot be used.
    :raises Fault: the key store cannot be read, or the software token does not open.
    """
    tokens = prepare_tokens(settings, folder, refused)
    try:
        _open_software(tokens, settings, locked=locked)
        tokens.refresh()
    except BaseException:
        tokens.close()
        raise
    return tokens


def _open_software(tokens: Tokens, settings: KeysSettings, *, locked: bool) -> None:
    try:
        if tokens.login(tokens.software):
            return
    except Fault as fault:
        if fault.code == "login_failed":
            raise SettingsError(f"[keys] {fault.text}") from None
        raise
    sealed = tokens.read().software
    if sealed is not None and not (locked or settings.devices or settings.modules):
        raise SettingsError("[keys] needs pin-file, pin-env or pin-command")


def prepare_tokens(settings: KeysSettings, folder: Path, refused: Refused) -> Tokens:
    """All tokens, none of them logged in. Errors as ``open_tokens``."""
    pins = _Pins(settings, folder)
    with ExitStack() as opened:
        modules = _open_modules(settings, folder, refused, opened)
        opened.pop_all()
    return Tokens(folder / settings.store, settings.parameters, modules, pins.find, refused)


def _open_modules(
    settings: KeysSettings, folder: Path, refused: Refused, opened: ExitStack
) -> list[TokenModule]:
    found: list[TokenModule] = []
    for name, options in settings.modules.items():
        open_module = find_module(name)
        if open_module is None:
            known = ", ".join(known_modules()) or "none is installed"
            raise SettingsError(f"[keys.modules.{name}]: no such module; there are: {known}")
        opening = (name, open_module, options, folder, settings.parameters)
        found.append(open_contained(*opening))
        opened.callback(found[-1].close)
    if settings.devices:
        found.append(_open_devices(settings, folder, refused))
        opened.callback(found[-1].close)
    return found


def _open_devices(settings: KeysSettings, folder: Path, refused: Refused) -> TokenModule:
    # Imported here: who has no hardware token needs no time for what talks to it.
    from xgate.signer.pkcs11 import Pkcs11Devices

    def note(text: str) -> None:
        refused("module", Fault("token_not_available", text))

    try:
        return Pkcs11Devices(folder / settings.devices, settings.parameters, note)
    except Fault as fault:
        raise SettingsError(f"[keys] devices: {fault.text}") from None


class _Pins:
    """The PINs as the settings say; files and commands are read when they are needed, and variables
    at once: no command for another PIN inherits them.
    """

    def __init__(self, settings: KeysSettings, folder: Path) -> None:
        self._main = pin_source(settings, folder)
        self._others: Mapping[str, PinSource | None] = {
            token_id: pin_source(said, folder) for token_id, said in settings.pins.items()
        }
        for source in (self._main, *self._others.values()):
            if source is not None and source.env:
                take_variable(source.env)

    def find(self, token_id: str) -> str | None:
        """The PIN of this token, or None. :raises Fault: ``login_failed``."""
        own = self._others.get(token_id)
        if own is not None:
            return read_pins(own, token_id).get(token_id)
        return None if self._main is None else read_pins(self._main, SOFTWARE).get(token_id)
