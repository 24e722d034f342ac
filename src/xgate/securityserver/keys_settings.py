"""The settings of keys and tokens: ``[keys]``.

The rule: as in ``settings``; nothing is opened here, and a PIN is never in the file itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from xgate.securityserver.section import Section, SettingsError
from xgate.signer.pins import PinSource
from xgate.signer.token import KeyParameters

__all__ = ["KeysSettings", "PinSettings", "pin_source"]


class PinSettings(Section, frozen=True):
    """Where one token's PIN is read from: one of the three.

    :param pin_file: a file. :param pin_env: an environment variable.
    :param pin_command: a program and its arguments, ``["pass", "show", "xgate"]``.
    """

    pin_file: str = ""
    pin_env: str = ""
    pin_command: tuple[str, ...] = ()


class KeysSettings(Section, frozen=True):
    """The key store and the tokens, and where the software token's PIN is read from.

    :param devices: PKCS#11 modules, as the reference's ``devices.ini`` names them; none if empty.
    :param modules: options of modules that other packages bring, by name.
    :param pin_policy: refuse weak new PINs of the software token.
    :param rsa_bits, curve: of new keys. :param csr_digest: of certificate requests.
    :param auth_on_any_token: take authentication certificates of keys that lie on other tokens.
    :param pins: sources of the PINs of other tokens, by token id.
    :param signer: the Unix socket of ``xgate signer``: a server then opens no keys itself.
    """

    store: str = "keys.xgate"
    pin_file: str = ""
    pin_env: str = ""
    pin_command: tuple[str, ...] = ()
    pins: dict[str, PinSettings] = msgspec.field(default_factory=dict)
    devices: str = ""
    modules: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    pin_policy: bool = False
    rsa_bits: Annotated[int, msgspec.Meta(ge=2048, le=16384)] = 2048
    curve: Literal["secp256r1", "secp384r1", "secp521r1"] = "secp256r1"
    csr_digest: Literal["SHA-256", "SHA-384", "SHA-512"] = "SHA-256"
    auth_on_any_token: bool = False
    signer: str = ""

    @property
    def parameters(self) -> KeyParameters:
        """Of new keys."""
        return KeyParameters(self.rsa_bits, self.curve)


def pin_source(settings: PinSettings | KeysSettings, folder: Path) -> PinSource | None:
    """The source that is set; None when there is none.

    :raises SettingsError: there are several.
    """
    command = settings.pin_command
    said = [bool(settings.pin_file), bool(settings.pin_env), bool(command)]
    if sum(said) > 1:
        raise SettingsError("[keys] has more than one of pin-file, pin-env and pin-command")
    if not any(said):
        return None
    file = folder / settings.pin_file if settings.pin_file else None
    return PinSource(file, settings.pin_env, command)
