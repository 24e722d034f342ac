from __future__ import annotations

import json
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.trust import der
from xgate.trust.name import Name
from xgate.trust.profile import PROFILES, member_of_name, short_profile

OIDS = {
    "C": "2.5.4.6",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "CN": "2.5.4.3",
    "SERIALNUMBER": "2.5.4.5",
    "BC": "2.5.4.15",
}


def name(text: str) -> Name:
    """A name from ``C=XX, O=Foo``; a doubled attribute stands as often as it is written."""
    rdns = []
    for part in filter(None, text.split(", ")):
        key, _, value = part.partition("=")
        pair = der.write_oid(OIDS.get(key, key)) + der.encode(0x0C, value.encode())
        rdns.append(der.encode(der.SET, der.encode(der.SEQUENCE, pair)))
    return Name.load(der.encode(der.SEQUENCE, *rdns))


def decode(profile: str, subject: str, instance: str = "CLAIMED") -> str:
    return member_of_name(name(subject), profile, instance).short


@pytest.mark.parametrize(
    ("profile", "subject", "member"),
    [
        ("Ejbca", "C=XX, O=Foo, CN=bar", "XX/Foo/bar"),
        ("Ejbca", "C=XX, O=Foo, CN=no, CN=bar", "XX/Foo/bar"),
        ("FiVRK", "C=FI, O=any, SERIALNUMBER=DEV/SS1/COM, CN=4321", "DEV/COM/4321"),
        ("FiVRK", "C=FI, O=DEV, OU=COM, CN=4321", "DEV/COM/4321"),
        ("FiVRK", "C=DEV, O=COM, CN=4321", "DEV/COM/4321"),
        ("Fo", "C=FO, O=DEV, OU=COM, CN=4321, SERIALNUMBER=x", "DEV/COM/4321"),
        ("Is", "C=IS, O=DEV, OU=COM, CN=4321, SERIALNUMBER=x", "DEV/COM/4321"),
        ("Is", "C=DEV, O=COM, CN=4321", "DEV/COM/4321"),
        ("SkKlass3", "SERIALNUMBER=16543212", "CLAIMED/COM/16543212"),
        ("SkKlass3", "SERIALNUMBER=76543212", "CLAIMED/GOV/76543212"),
        ("SkKlass3", "SERIALNUMBER=96543212", "CLAIMED/NGO/96543212"),
        ("SkKlass3", "2.5.4.97=NP:EE-1, SERIALNUMBER=bad", "CLAIMED/NGO/1"),
        ("SkKlass3", "2.5.4.97=VATEE-1", "CLAIMED/NEE/VATEE-1"),
        ("SkKlass3", "2.5.4.97=, SERIALNUMBER=16543212", "CLAIMED/COM/16543212"),
        ("SkEsteId", "SERIALNUMBER=47101010033", "CLAIMED/PERSON/47101010033"),
        ("Basic", "BC=COM, SERIALNUMBER=4321, CN=any", "CLAIMED/COM/4321"),
        ("BasicACME", "BC=COM, SERIALNUMBER=4321", "CLAIMED/COM/4321"),
        ("Basic", "BC=COM, SERIALNUMBER=a\\b#", "CLAIMED/COM/a\\b#"),
    ],
)
def test_a_name_says_who_the_member_is(profile: str, subject: str, member: str) -> None:
    assert decode(profile, subject) == member
    java = f"ee.ria.xroad.common.certificateprofile.impl.{profile}CertificateProfileInfoProvider"
    assert decode(java, subject) == member
    assert short_profile(java) == profile


LACKS = "Certificate subject name does not contain "


@pytest.mark.parametrize(
    ("profile", "subject", "code", "text"),
    [
        ("Ejbca", "O=Foo, CN=bar", "incorrect_certificate", LACKS + "country code"),
        ("Ejbca", "C=XX, CN=bar", "incorrect_certificate", LACKS + "organization"),
        ("Ejbca", "C=XX, O=Foo", "incorrect_certificate", LACKS + "common name"),
        (
            "FiVRK",
            "C=SE, SERIALNUMBER=a/b/c",
            "incorrect_certificate",
            LACKS + "valid country code",
        ),
        ("FiVRK", "C=FI, SERIALNUMBER=a/b/c", "incorrect_certificate", LACKS + "organization"),
        (
            "FiVRK",
            "C=FI, O=x, SERIALNUMBER=a/b, CN=x",
            "incorrect_certificate",
            "Certificate subject name's attribute serialNumber has invalid value",
        ),
        ("FiVRK", "C=FI, O=x, SERIALNUMBER=/b/c, CN=x", "internal_error", "must not be blank"),
        ("Fo", "C=FO, O=a, OU=b, CN=c", "incorrect_certificate", LACKS + "serial number"),
        ("Fo", "C=FO, O=a, CN=c", "incorrect_certificate", LACKS + "organization unit"),
        ("Is", "C=IS, O=a, OU=b, CN=c", "incorrect_certificate", LACKS + "serial number"),
        ("Is", "C=FO, OU=b", "incorrect_certificate", LACKS + "valid country code"),
        ("Basic", "SERIALNUMBER=1", "incorrect_certificate", LACKS + "business category"),
        ("Basic", "BC=COM", "incorrect_certificate", LACKS + "serial number"),
        ("BasicACME", "SERIALNUMBER=1", "invalid_certificate", LACKS + "business category"),
        (
            "BasicACME",
            "BC=COM",
            "invalid_certificate",
            "Subject name does not contain serial number",
        ),
        ("SkEsteId", "CN=x", "invalid_certificate", "Subject name does not contain serial number"),
        ("SkKlass3", "CN=x", "invalid_certificate", "Subject name does not contain serial number"),
        ("SkKlass3", "SERIALNUMBER=1x345678", "invalid_certificate", "not an integer"),
        ("SkKlass3", "SERIALNUMBER=١٢٣٤٥٦٧٨", "invalid_certificate", "not an integer"),
        ("SkKlass3", "SERIALNUMBER=123", "invalid_certificate", "must be 8 digits long"),
        (
            "SkKlass3",
            "SERIALNUMBER=06543212",
            "internal_error",
            "Malformed serial number: 06543212",
        ),
        ("SkKlass3", "2.5.4.97=NTREE-", "internal_error", "must not be blank"),
        ("Nobody", "CN=x", "internal_error", "'Nobody' is not known"),
        ("", "CN=x", "internal_error", "is not known"),
    ],
)
def test_a_name_that_does_not_fit_its_profile(
    profile: str, subject: str, code: str, text: str
) -> None:
    with pytest.raises(Fault) as refused:
        decode(profile, subject)
    assert refused.value.code == code
    assert text in refused.value.text


def test_every_profile_of_the_field_is_known() -> None:
    assert set(PROFILES) == {
        *("Ejbca", "FiVRK", "Fo", "Is", "SkKlass3", "SkEsteId", "Basic", "BasicACME")
    }


@pytest.mark.reference
def test_the_references_own_cases(golden: Path) -> None:
    vectors = json.loads((golden / "vectors.json").read_text())
    for case in vectors["cert_profile_ejbca_given"]:
        assert decode("Ejbca", case["subject"]) == case["client"]
    for case in vectors["cert_profile_sk_klass3_given"]:
        if case.get("fail"):
            with pytest.raises(Fault):
                decode("SkKlass3", case["subject"])
            continue
        code = case.get("code") or case["subject"].partition("=")[2]
        assert decode("SkKlass3", case["subject"]) == f"CLAIMED/{case['cls']}/{code}"
