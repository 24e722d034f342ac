"""Certificate profiles: which attributes of a subject name say who the member is.

The rule: one row per profile in one table; a profile is a function from name and instance to
member. Codes and sentences are the reference's (ocsp-tls-certs 2). Of several attributes of one
type the last in the encoding counts; values are taken as they are, without RFC 2253 escapes (12.7).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.trust.name import Name

__all__ = ["PROFILES", "member_of_name", "short_profile"]

_PACKAGE = "ee.ria.xroad.common.certificateprofile.impl."
_SUFFIX = "CertificateProfileInfoProvider"

_C = ("2.5.4.6", "country code")
_O = ("2.5.4.10", "organization")
_OU = ("2.5.4.11", "organization unit")
_CN = ("2.5.4.3", "common name")
_SERIAL = ("2.5.4.5", "serial number")
_CATEGORY = ("2.5.4.15", "business category")
_ORGANIZATION_ID = "2.5.4.97"

Reader = Callable[[Name, str], ClientId]


def short_profile(profile: str) -> str:
    """``Basic`` for ``ee.ria…BasicCertificateProfileInfoProvider``; a short name stays."""
    return profile.removeprefix(_PACKAGE).removesuffix(_SUFFIX)


def member_of_name(subject: Name, profile: str, instance: str) -> ClientId:
    """The member that ``subject`` names by this profile.

    :param profile: Java class name or short name.
    :param instance: of the claimed member; for profiles whose names carry no instance.
    :raises Fault: ``incorrect_certificate`` or ``invalid_certificate`` if the name lacks something,
        ``internal_error`` for an unknown profile, a blank part or a malformed serial number.
    """
    reader = PROFILES.get(short_profile(profile))
    if reader is None:
        raise Fault("internal_error", f"Certificate profile '{profile}' is not known")
    return reader(subject, instance)


def _ejbca(name: Name, _: str) -> ClientId:
    return ClientId(_need(name, _C), _need(name, _O), _need(name, _CN))


def _fi_vrk(name: Name, instance: str) -> ClientId:
    serial = name.find(_SERIAL[0])
    if serial is None and name.find(_OU[0]) is None:
        return _ejbca(name, instance)
    _need_country(name, "FI")
    if serial is None:
        return ClientId(_need(name, _O), _need(name, _OU), _need(name, _CN))
    _need(name, _O)
    parts = serial.split("/")
    if len(parts) != 3:
        raise _incorrect("Certificate subject name's attribute serialNumber has invalid value")
    return ClientId(parts[0], parts[2], _need(name, _CN))


def _fo(name: Name, _: str) -> ClientId:
    return _organisation_unit(name, "FO")


def _is(name: Name, instance: str) -> ClientId:
    if name.find(_SERIAL[0]) is None and name.find(_OU[0]) is None:
        return _ejbca(name, instance)
    return _organisation_unit(name, "IS")


def _organisation_unit(name: Name, country: str) -> ClientId:
    _need_country(name, country)
    member = ClientId(_need(name, _O), _need(name, _OU), _need(name, _CN))
    _need(name, _SERIAL)
    return member


def _basic(name: Name, instance: str) -> ClientId:
    return ClientId(instance, _need(name, _CATEGORY), _need(name, _SERIAL))


def _basic_acme(name: Name, instance: str) -> ClientId:
    category = _need_invalid(name, _CATEGORY)
    return ClientId(instance, category, _need_invalid(name, _SERIAL))


def _sk_este_id(name: Name, instance: str) -> ClientId:
    return ClientId(instance, "PERSON", _need_invalid(name, _SERIAL))


_SK_PREFIXES = {"NTREE-": "COM", "GO:EE-": "GOV", "NP:EE-": "NGO"}
_SK_FIRST_DIGITS = {**dict.fromkeys("123456", "COM"), "7": "GOV", "8": "NGO", "9": "NGO"}


def _sk_klass3(name: Name, instance: str) -> ClientId:
    organization = name.find(_ORGANIZATION_ID)
    if organization:
        for prefix, member_class in _SK_PREFIXES.items():
            if organization.startswith(prefix):
                return ClientId(instance, member_class, organization.removeprefix(prefix))
        return ClientId(instance, "NEE", organization)
    serial = _need_invalid(name, _SERIAL)
    if not re.fullmatch("[0-9]+", serial):
        raise _invalid("Serial number is not an integer")
    if len(serial) != 8:
        raise _invalid("Serial number must be 8 digits long")
    if serial[0] not in _SK_FIRST_DIGITS:
        raise Fault("internal_error", f"Malformed serial number: {serial}")
    return ClientId(instance, _SK_FIRST_DIGITS[serial[0]], serial)


PROFILES: dict[str, Reader] = {
    "Ejbca": _ejbca,
    "FiVRK": _fi_vrk,
    "Fo": _fo,
    "Is": _is,
    "SkKlass3": _sk_klass3,
    "SkEsteId": _sk_este_id,
    "Basic": _basic,
    "BasicACME": _basic_acme,
}
"""Every known profile by its short name."""


def _need(name: Name, attribute: tuple[str, str]) -> str:
    value = name.find(attribute[0])
    if value is None:
        raise _incorrect(f"Certificate subject name does not contain {attribute[1]}")
    return value


def _need_invalid(name: Name, attribute: tuple[str, str]) -> str:
    value = name.find(attribute[0])
    if value is None:
        if attribute is _CATEGORY:
            raise _invalid("Certificate subject name does not contain business category")
        raise _invalid("Subject name does not contain serial number")
    return value


def _need_country(name: Name, country: str) -> None:
    if _need(name, _C) != country:
        raise _incorrect("Certificate subject name does not contain valid country code")


def _incorrect(text: str) -> Fault:
    return Fault("incorrect_certificate", text)


def _invalid(text: str) -> Fault:
    return Fault("invalid_certificate", text)
