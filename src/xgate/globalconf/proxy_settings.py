"""The settings of one configuration proxy instance: the reference's ``conf.ini``.

The rule: keys stand outside any section, and below one they count as well; without a validity what
is published has expired when it is born, so that is refused (confproxy 2).
"""

from __future__ import annotations

import re

import msgspec

from xgate.errors import Fault
from xgate.globalconf.ini import read_ini

__all__ = ["ProxySettings", "read_proxy_settings", "write_proxy_settings"]

_CODE = "malformed_global_conf"
_VALIDITY = "validity-interval-seconds"
_ACTIVE = "active-signing-key-id"
_KEY = re.compile(r"signing-key-id-([1-9][0-9]{0,5})")
_DIGITS = re.compile("[1-9][0-9]{0,8}")


class ProxySettings(msgspec.Struct, frozen=True):
    """How a proxy instance signs.

    :param validity_seconds: for how long what it publishes holds.
    :param active_key: the identifier of the key that signs; None: there is none yet.
    :param keys: all whose certificates clients are told of, by number.
    """

    validity_seconds: int
    active_key: str | None = None
    keys: dict[int, str] = {}


def read_proxy_settings(octets: bytes) -> ProxySettings:
    """Read a ``conf.ini``; of several active keys the first counts.

    :raises Fault: ``malformed_global_conf``: no validity, or a file that cannot be read.
    """
    values = read_ini(octets, _CODE)
    validity = values.get(_VALIDITY, [""])[0]
    if not _DIGITS.fullmatch(validity):
        raise Fault(_CODE, f"{_VALIDITY} must be a number of seconds, not '{validity}'")
    numbered = {
        int(match[1]): values[match[0]][0] for match in map(_KEY.fullmatch, values) if match
    }
    active = values.get(_ACTIVE, [""])[0]
    return ProxySettings(int(validity), active or None, dict(sorted(numbered.items())))


def write_proxy_settings(settings: ProxySettings) -> bytes:
    """As the reference's commands write it: no section, ``key = value``."""
    lines = [f"{_VALIDITY} = {settings.validity_seconds}"]
    if settings.active_key is not None:
        lines.append(f"{_ACTIVE} = {settings.active_key}")
    lines += [f"signing-key-id-{number} = {key}" for number, key in settings.keys.items()]
    return "".join(f"{line}\n" for line in lines).encode()
