"""Distinguished names: compared as X-Road compares them, written as XAdES wants them.

The rule: two names are equal when they hold the same attributes, whatever the order of the relative
names, the case of ASCII letters, runs of blanks, or the string type (globalconf 8, ocsp-tls-certs
12.6). An attribute that is no string is compared by its octets.
"""

from __future__ import annotations

import re

import msgspec

from xgate.trust.der import OID, SEQUENCE, SET, Cursor, DerError, Element, enter, read_oid

__all__ = ["Attribute", "Name", "read_string"]

_ENCODINGS = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
_KEYWORDS = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}
_ESCAPED = re.compile(r'[,=+<>#;"\\]')
_OUTER_BLANKS = re.compile("^ +| +$")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_MOST_ATTRIBUTES = 128


class Attribute(msgspec.Struct, frozen=True):
    """One attribute of a name.

    :param type: dotted object identifier.
    :param text: its value, or None if it is no string (or not one in its own encoding).
    :param der: its value as encoded.
    """

    type: str
    text: str | None
    der: bytes

    @property
    def canonical(self) -> tuple[str, str]:
        """What equality looks at."""
        if self.text is None:
            return self.type, " " + self.der.hex()  # no trimmed text begins with a blank
        return self.type, re.sub(" +", " ", self.text.strip(" ")).translate(_LOWER)

    @property
    def rfc2253(self) -> str:
        """``CN=value``, or ``1.2.3=#hex`` for a type that RFC 2253 gives no keyword."""
        keyword = _KEYWORDS.get(self.type)
        if keyword is None or self.text is None:
            return f"{keyword or self.type}=#{self.der.hex()}"
        text = _ESCAPED.sub(r"\\\g<0>", self.text).replace("\0", "\\00")
        return keyword + "=" + _OUTER_BLANKS.sub(lambda blanks: "\\ " * len(blanks[0]), text)


class Name(msgspec.Struct, frozen=True, eq=False):
    """A distinguished name: its relative names in the order of the encoding."""

    der: bytes
    rdns: tuple[tuple[Attribute, ...], ...]
    _canonical: tuple[tuple[tuple[str, str], ...], ...]

    @classmethod
    def load(cls, der: bytes) -> Name:
        """Read an encoded Name.

        :raises DerError: malformed, or more attributes than any real name has.
        """
        rdns = tuple(_read_rdn(rdn) for rdn in enter(der))
        if sum(map(len, rdns)) > _MOST_ATTRIBUTES:
            raise DerError("the name has too many attributes")
        canonical = tuple(sorted(tuple(sorted(a.canonical for a in rdn)) for rdn in rdns))
        return cls(der, rdns, canonical)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Name):
            return self._canonical == other._canonical
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other  # Struct brings its own, which compares identity

    def __hash__(self) -> int:
        return hash(self._canonical)

    def find(self, attribute_type: str) -> str | None:
        """The value of the last attribute of this type in the encoding's order (the first one in
        RFC 2253's), or None. A value that is no string counts as absent.
        """
        for rdn in reversed(self.rdns):
            for attribute in rdn:
                if attribute.type == attribute_type:
                    return attribute.text
        return None

    @property
    def rfc2253(self) -> str:
        """The text of RFC 2253, as XAdES' X509IssuerName holds it (signature 9.10)."""
        return ",".join("+".join(a.rfc2253 for a in rdn) for rdn in reversed(self.rdns))

    def __str__(self) -> str:
        return self.rfc2253


def _read_rdn(element: Element) -> tuple[Attribute, ...]:
    if element.tag != SET or not element.content:
        raise DerError("a relative name is a set of attributes")
    return tuple(map(_read_attribute, Cursor(element.content)))


def _read_attribute(element: Element) -> Attribute:
    if element.tag != SEQUENCE:
        raise DerError("an attribute is a type and a value")
    fields = Cursor(element.content)
    attribute_type = read_oid(fields.take(OID))
    value = fields.take()
    fields.end()
    return Attribute(attribute_type, read_string(value), value.raw)


def read_string(element: Element) -> str | None:
    """The text of an ASN.1 string of any type, or None if it is none or breaks its encoding."""
    encoding = _ENCODINGS.get(element.tag)
    if encoding is None:
        return None
    try:
        return element.content.decode(encoding)
    except UnicodeDecodeError:
        return None
