"""What a certificate request must say, by the CA's certificate profile: the fields of its subject.

The rule: one row per profile and use in one table; the order of the fields is the order of the
name. A field is fixed by who asks, or given by the applicant; each must have a value. A name is
built from fields, never from a joined text, so no value can break out of its own (signer 8).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from xgate.errors import Fault
from xgate.ids import ClientId, ServerId
from xgate.trust.der import SEQUENCE, SET, encode, write_oid
from xgate.trust.profile import short_profile

__all__ = [
    "ALTERNATIVE",
    "Applicant",
    "SubjectField",
    "fill_fields",
    "is_subject_field",
    "subject_fields",
    "write_subject",
]

ALTERNATIVE = "subjectAltName"
"""The field that goes into an extension instead of the name: one DNS name."""

_LONGEST = 255
_PRINTABLE_STRING, _UTF8_STRING = 0x13, 0x0C
_PRINTABLE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?")
# ``SN`` is the surname, as the reference makes it of the field of this name (signer 8).
_TYPES = {
    "C": "2.5.4.6",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "CN": "2.5.4.3",
    "SN": "2.5.4.4",
    "serialNumber": "2.5.4.5",
    "businessCategory": "2.5.4.15",
}
_COUNTRY = re.compile("[A-Za-z]{2}")
_PRINTED = ("C", "serialNumber")


class Applicant(msgspec.Struct, frozen=True):
    """For whom a certificate is asked.

    :param member: the member that signs, or the server's owner. :param name: the member's name.
    """

    server: ServerId
    member: ClientId
    name: str

    @property
    def triple(self) -> str:
        """``INSTANCE/SERVER/CLASS``: the serial number of one profile."""
        return f"{self.member.instance}/{self.server.server_code}/{self.member.member_class}"


class SubjectField(msgspec.Struct, frozen=True):
    """One field of the form.

    :param value: fixed, or what to begin with. :param fixed: the applicant cannot change it.
    """

    name: str
    value: str = ""
    fixed: bool = False


_Value = Callable[[Applicant], str] | str
_Row = Sequence[tuple[str, _Value | None]]


def _instance(who: Applicant) -> str:
    return who.member.instance


def _class(who: Applicant) -> str:
    return who.member.member_class


def _code(who: Applicant) -> str:
    return who.member.member_code


def _name(who: Applicant) -> str:
    return who.name


def _server_code(who: Applicant) -> str:
    return who.server.server_code


def _server(who: Applicant) -> str:
    return who.server.short


def _triple(who: Applicant) -> str:
    return who.triple


_SK: _Row = (("SN", _code), ("CN", _name))
_UNIT: _Row = (("O", _instance), ("OU", _class), ("CN", _code))
_SERIAL = ("serialNumber", _triple)
_CODE = ("serialNumber", _code)
# None: the applicant gives it.
_ROWS: dict[tuple[str, str], _Row] = {
    ("Ejbca", "AUTHENTICATION"): (("C", _instance), ("CN", _server_code)),
    ("Ejbca", "SIGNING"): (("C", _instance), ("O", _class), ("CN", _code)),
    ("FiVRK", "AUTHENTICATION"): (
        *(("C", "FI"), ("O", None), _SERIAL, ("CN", None)),
        (ALTERNATIVE, None),
    ),
    ("FiVRK", "SIGNING"): (
        *(("C", "FI"), ("O", None), _SERIAL, ("CN", _code)),
        (ALTERNATIVE, None),
    ),
    ("Basic", "AUTHENTICATION"): (("CN", None), _CODE, ("C", None), ("O", _name)),
    ("Basic", "SIGNING"): (
        *(("CN", _name), ("O", _name), ("businessCategory", _class), ("C", None)),
        _CODE,
    ),
    ("BasicACME", "AUTHENTICATION"): (
        *(("C", None), ("O", _name), _CODE, ("CN", None)),
        (ALTERNATIVE, None),
    ),
    ("BasicACME", "SIGNING"): (
        *(("C", None), ("O", _name), ("businessCategory", _class), _CODE, ("CN", _name)),
        (ALTERNATIVE, None),
    ),
    ("Is", "AUTHENTICATION"): (("C", "IS"), ("CN", None), ("serialNumber", _server)),
    ("Is", "SIGNING"): (("C", "IS"), *_UNIT, ("serialNumber", _server)),
    ("Fo", "AUTHENTICATION"): (("C", "FO"), ("O", _instance), ("CN", _server)),
    ("Fo", "SIGNING"): (("C", "FO"), *_UNIT, ("serialNumber", _server)),
    ("SkKlass3", "AUTHENTICATION"): _SK,
    ("SkKlass3", "SIGNING"): _SK,
    ("SkEsteId", "AUTHENTICATION"): (),
    ("SkEsteId", "SIGNING"): (),
}
_EDITABLE = {("Fo", "SIGNING", "serialNumber")}


def subject_fields(
    profile: str, usage: Literal["SIGNING", "AUTHENTICATION"], who: Applicant
) -> tuple[SubjectField, ...]:
    """The fields that a CA of this profile wants to see (ocsp-tls-certs 2, signer 8).

    :param profile: Java class name or short name.
    :raises Fault: ``internal_error`` for an unknown profile.
    """
    short = short_profile(profile)
    row = _ROWS.get((short, usage))
    if row is None:
        raise Fault("internal_error", f"Certificate profile '{profile}' is not known")
    return tuple(
        SubjectField(
            name,
            "" if value is None else value if isinstance(value, str) else value(who),
            value is not None and (short, usage, name) not in _EDITABLE,
        )
        for name, value in row
    )


def fill_fields(
    fields: Sequence[SubjectField], given: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Each field with its value, in their order.

    :param given: values by field name; a fixed field may be given as it is.
    :raises Fault: ``invalid_dn_parameter`` naming the field that is missing, unknown, fixed to
        another value, or whose value cannot stand in a name.
    """
    known = [field.name for field in fields]
    for name in given:
        if name not in known:
            raise _wrong(
                f"There is no field '{name}' here; there are: {', '.join(known) or 'none'}"
            )
    return tuple((field.name, _value(field, given)) for field in fields)


def _value(field: SubjectField, given: Mapping[str, str]) -> str:
    value = given.get(field.name, field.value).strip()
    if field.fixed and value != field.value.strip():
        raise _wrong(f"The field '{field.name}' is '{field.value}' and cannot be another")
    if not value:
        raise _wrong(f"The field '{field.name}' needs a value")
    if len(value) > _LONGEST or not value.isprintable():
        raise _wrong(f"The field '{field.name}' is too long or has characters that print nothing")
    if field.name == ALTERNATIVE and not _is_dns_name(value):
        raise _wrong(f"The field '{field.name}' must be a DNS name, not '{value}'")
    if field.name == "C" and not field.fixed and not _COUNTRY.fullmatch(value):
        raise _wrong(f"The field 'C' must be a country code of two letters, not '{value}'")
    return value


def is_subject_field(name: str) -> bool:
    """Whether a field of this name can stand in a subject."""
    return name in _TYPES


def write_subject(values: Sequence[tuple[str, str]]) -> bytes:
    """The DER of the Name that these fields make, each its own relative name, in their order."""
    return encode(
        SEQUENCE,
        *(
            encode(SET, encode(SEQUENCE, write_oid(_TYPES[name]), _write_text(name, value)))
            for name, value in values
            if name != ALTERNATIVE
        ),
    )


def _write_text(name: str, value: str) -> bytes:
    printed = name in _PRINTED and _PRINTABLE.issuperset(value)
    return encode(_PRINTABLE_STRING if printed else _UTF8_STRING, value.encode())


def _is_dns_name(text: str) -> bool:
    labels = text.removeprefix("*.").split(".")
    return len(text) <= 253 and all(
        0 < len(label) <= 63
        and label.isascii()
        and label.replace("-", "").isalnum()
        and label[0] != "-"
        and label[-1] != "-"
        for label in labels
    )


def _wrong(text: str) -> Fault:
    return Fault("invalid_dn_parameter", text)
