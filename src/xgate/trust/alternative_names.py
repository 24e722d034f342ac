"""The names besides its subject that a certificate is for, as people read them.

The rule: for the eye only, in the order of the certificate; a name of a kind that has no text is
named by its kind. Nothing decides by these texts. Source: RFC 5280 4.2.1.6.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from xgate.trust.certificate import Certificate
from xgate.trust.der import DerError, Element, context, enter, read_oid
from xgate.trust.name import Name

__all__ = ["alternative_names"]

_SUBJECT_ALT_NAME = "2.5.29.17"


def alternative_names(certificate: Certificate) -> tuple[str, ...]:
    """``DNS:a.example``, ``IP Address:192.0.2.1``... ; none if they cannot be read."""
    extension = certificate.find_extension(_SUBJECT_ALT_NAME)
    if extension is None:
        return ()
    try:
        return tuple(map(_text, enter(extension.value)))
    except (DerError, UnicodeDecodeError, ValueError):
        return ()


def _text(name: Element) -> str:
    for tag, write in _KINDS.items():
        if name.tag == tag:
            return write(name)
    return "unknown:<unsupported>"


def _ascii(word: str) -> Callable[[Element], str]:
    return lambda name: f"{word}:{name.content.decode('ascii')}"


def _directory_name(name: Element) -> str:
    return f"DirName:{Name.load(name.content)}"


def _address(name: Element) -> str:
    return f"IP Address:{ipaddress.ip_address(name.content)}"


_KINDS: dict[int, Callable[[Element], str]] = {
    context(0): lambda _: "othername:<unsupported>",
    context(1, constructed=False): _ascii("email"),
    context(2, constructed=False): _ascii("DNS"),
    context(3): lambda _: "X400Name:<unsupported>",
    context(4): _directory_name,
    context(5): lambda _: "EdiPartyName:<unsupported>",
    context(6, constructed=False): _ascii("URI"),
    context(7, constructed=False): _address,
    context(8, constructed=False): lambda name: f"Registered ID:{read_oid(name)}",
}
