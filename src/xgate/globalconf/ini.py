"""The reference's small ``.ini`` files that need no section.

The rule: lines of ``key = value``; a line that opens a section is passed over, as are blank lines
and those that begin with ``;``, ``#`` or ``!``. A key may have several values, in their order.
Source: confproxy 2.
"""

from __future__ import annotations

from xgate.errors import Fault

__all__ = ["read_ini"]

_LIMIT = 64 * 1024
_COMMENTS = (";", "#", "!", "[")


def read_ini(octets: bytes, code: str) -> dict[str, list[str]]:
    """The keys with their values.

    :raises Fault: ``code`` if it is no UTF-8, or larger than 64 KiB.
    """
    if len(octets) > _LIMIT:
        raise Fault(code, f"the file is larger than {_LIMIT} octets")
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Fault(code, "the file is not UTF-8") from None
    found: dict[str, list[str]] = {}
    for line in map(str.strip, text.split("\n")):
        key, mark, value = line.partition("=")
        if mark and not line.startswith(_COMMENTS):
            found.setdefault(key.strip(), []).append(value.strip())
    return found
