"""Reads the reference's ``devices.ini``: which PKCS#11 modules there are, and how to use each.

The rule: one section is one module, its name the module's type; a comma splits every value, and of
a value that is no list the first piece counts. A section that cannot be used is left out and noted
and hurts no other; a key that nobody knows is noted by its name. Source: signer 3.
"""

from __future__ import annotations

import configparser
import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from xgate.errors import Fault

__all__ = ["SOFT_TOKEN", "Devices", "ModuleSettings", "read_devices"]

SOFT_TOKEN = "softToken"  # noqa: S105  the reference's name of the section, no secret
_SOFTWARE_STAYS = (
    f"[{SOFT_TOKEN}] enabled = false has no effect: the software token is in use as far as the key "
    "store has keys of it"
)
_MAX_BYTES = 1 << 20
_TRUE, _FALSE = {"true", "yes", "on", "y", "t"}, {"false", "no", "off", "n", "f"}
_RSA = ("CKM_RSA_PKCS", "CKM_RSA_PKCS_PSS")
_EC = ("CKM_ECDSA",)
_ALLOWED = frozenset(
    (
        *_RSA,
        *(f"CKM_SHA{bits}_RSA_PKCS{pss}" for bits in (256, 384, 512) for pss in ("", "_PSS")),
        *_EC,
        *(f"CKM_ECDSA_SHA{bits}" for bits in (256, 384, 512)),
    )
)


class ModuleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One PKCS#11 module; the fields are the keys of its section, with the reference's defaults.

    None leaves an attribute out of a new key, so that the module decides.

    :param type: the section's name. :param library: path of the shared object.
    :param slot_ids: use these slots only; all when empty.
    :param token_id_format: ``{moduleType}``, ``{slotIndex}``, ``{serialNumber}``, ``{label}``.
    :param sign_verify_pin: log in before and out after every signature.
    """

    type: str
    library: str
    enabled: bool = True
    library_cant_create_os_threads: bool | None = None
    os_locking_ok: bool | None = None
    sign_verify_pin: bool = False
    batch_signing_enabled: bool = True
    read_only: bool = False
    token_id_format: str = "{moduleType}{slotIndex}{serialNumber}{label}"  # noqa: S105
    slot_ids: tuple[int, ...] = ()
    sign_mechanism: str = _RSA[0]
    rsa_sign_mechanism: str = ""
    ec_sign_mechanism: str = _EC[0]
    pub_key_attribute_encrypt: bool | None = True
    pub_key_attribute_verify: bool | None = True
    pub_key_attribute_verify_recover: bool | None = None
    pub_key_attribute_wrap: bool | None = None
    pub_key_attribute_trusted: bool | None = None
    pub_key_attribute_allowed_mechanisms: tuple[str, ...] = ()
    priv_key_attribute_sensitive: bool | None = True
    priv_key_attribute_decrypt: bool | None = True
    priv_key_attribute_sign: bool | None = True
    priv_key_attribute_sign_recover: bool | None = None
    priv_key_attribute_unwrap: bool | None = None
    priv_key_attribute_extractable: bool | None = None
    priv_key_attribute_always_sensitive: bool | None = None
    priv_key_attribute_never_extractable: bool | None = None
    priv_key_attribute_wrap_with_trusted: bool | None = None
    priv_key_attribute_allowed_mechanisms: tuple[str, ...] = ()

    @property
    def rsa_kind(self) -> str:
        """The signature kind that RSA keys of this module make: ``rsa`` or ``pss``."""
        named = self.rsa_sign_mechanism or self.sign_mechanism
        return "rsa" if named == _RSA[0] else "pss"


class Devices(msgspec.Struct, frozen=True):
    """What the file says.

    :param modules: those that are enabled, in the file's order.
    :param software: the software token is in use. :param notes: what was wrong, for people.
    """

    modules: tuple[ModuleSettings, ...] = ()
    software: bool = True
    notes: tuple[str, ...] = ()


def read_devices(path: Path) -> Devices:
    """Read ``devices.ini``.

    :raises Fault: ``token_not_available``: there is no such file, or it is none of this kind.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(_MAX_BYTES + 1)
        if len(octets) > _MAX_BYTES:
            raise ValueError("larger than any such file")
        ini = _Ini()
        ini.read_string(octets.decode("utf-8-sig"), str(path))
    except OSError as error:
        raise Fault("token_not_available", f"Cannot read {path}: {error.strerror}") from None
    except (ValueError, configparser.Error) as error:
        cause = str(error).replace("\n", " ")
        raise Fault("token_not_available", f"{path} is no devices.ini: {cause}") from None
    return _read_sections(ini)


class _Ini(configparser.RawConfigParser):
    """As the reference's reader takes it: case counts, ``#`` and ``;`` begin comments."""

    def __init__(self) -> None:
        super().__init__(
            strict=False,
            delimiters=("=", ":"),
            inline_comment_prefixes=("#", ";"),
            default_section="\0",
        )

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def _read_sections(ini: _Ini) -> Devices:
    modules: list[ModuleSettings] = []
    notes: list[str] = []
    software = True
    for name in ini.sections():
        values = {key: _split(value) for key, value in ini.items(name)}
        try:
            if name == SOFT_TOKEN:
                software = _boolean("enabled", values.get("enabled", ["true"]))
                if not software:
                    notes.append(_SOFTWARE_STAYS)
                continue
            module = _read_module(name, values, notes)
        except ValueError as error:
            notes.append(f"[{name}] is left out: {error}")
            continue
        if module.enabled:
            modules.append(module)
    return Devices(tuple(modules), software, tuple(notes))


def _read_module(name: str, values: dict[str, list[str]], notes: list[str]) -> ModuleSettings:
    read: dict[str, Any] = {"type": name}
    for key, pieces in values.items():
        if key not in _READERS:
            near = difflib.get_close_matches(key, _READERS, 1)
            meant = f"; did you mean '{near[0]}'?" if near else ""
            notes.append(f"[{name}] has no key '{key}'{meant}")
        elif any(pieces):
            read[key] = _READERS[key](key, pieces)
    if not read.get("library"):
        raise ValueError("it names no library")
    return ModuleSettings(**read)


def _split(value: str) -> list[str]:
    r"""The pieces between commas; ``\,`` is a comma of the value."""
    return [piece.strip().replace("\\,", ",") for piece in re.split(r"(?<!\\),", value.strip('"'))]


def _text(_: str, pieces: list[str]) -> str:
    return pieces[0]


def _boolean(key: str, pieces: list[str]) -> bool:
    word = pieces[0].lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"{key} is true or false, not '{pieces[0]}'")
    return word in _TRUE


def _slots(key: str, pieces: list[str]) -> tuple[int, ...]:
    for piece in pieces:
        if piece and not re.fullmatch(r"[0-9]{1,20}", piece):
            raise ValueError(f"{key} are numbers of slots, not '{piece}'")
    return tuple(int(piece) for piece in pieces if piece)


def _rsa(key: str, pieces: list[str]) -> str:
    return _one_of(key, pieces[0], _RSA)


def _ec(key: str, pieces: list[str]) -> str:
    return _one_of(key, pieces[0], _EC)


def _mechanisms(key: str, pieces: list[str]) -> tuple[str, ...]:
    return tuple(_one_of(key, piece, sorted(_ALLOWED)) for piece in pieces if piece)


def _one_of(key: str, name: str, known: Any) -> str:
    if name not in known:
        raise ValueError(f"{key} may be {', '.join(known)}, not '{name}'")
    return name


_READERS: dict[str, Callable[[str, list[str]], object]] = {
    "library": _text,
    "token_id_format": _text,
    "slot_ids": _slots,
    "sign_mechanism": _rsa,
    "rsa_sign_mechanism": _rsa,
    "ec_sign_mechanism": _ec,
    "pub_key_attribute_allowed_mechanisms": _mechanisms,
    "priv_key_attribute_allowed_mechanisms": _mechanisms,
}
_READERS |= {
    name: _boolean
    for name in ModuleSettings.__struct_fields__
    if name not in _READERS and name != "type"
}
