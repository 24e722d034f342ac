"""The fields of a request, by profile and use; the name that they make is read back as that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.ids import ClientId, ServerId
from xgate.trust.certificate import Certificate
from xgate.trust.name import Name
from xgate.trust.profile import PROFILES, member_of_name
from xgate.trust.profile_fields import (
    ALTERNATIVE,
    Applicant,
    SubjectField,
    fill_fields,
    subject_fields,
    write_subject,
)

OWNER = ClientId("XR", "GOV", "1")
MEMBER = ClientId("XR", "COM", "12345678")
WHO = Applicant(ServerId(OWNER, "SS1"), MEMBER, "Member, Inc.")
GIVEN = {"C": "FI", "O": "Member, Inc.", "CN": "ss1.example.com", ALTERNATIVE: "ss1.example.com"}


def filled(profile: str, usage: Any, **more: str) -> tuple[tuple[str, str], ...]:
    form = subject_fields(profile, usage, WHO)
    given = {f.name: GIVEN[f.name] for f in form if not f.fixed and f.name in GIVEN}
    return fill_fields(form, {**given, **more})


@pytest.mark.parametrize(
    ("profile", "usage", "said"),
    [
        ("Ejbca", "AUTHENTICATION", "C=XR CN=SS1"),
        ("Ejbca", "SIGNING", "C=XR O=COM CN=12345678"),
        (
            "FiVRK",
            "AUTHENTICATION",
            "C=FI O=Member,_Inc. serialNumber=XR/SS1/COM CN=ss1.example.com "
            "subjectAltName=ss1.example.com",
        ),
        (
            "FiVRK",
            "SIGNING",
            "C=FI O=Member,_Inc. serialNumber=XR/SS1/COM CN=12345678 "
            "subjectAltName=ss1.example.com",
        ),
        ("Basic", "AUTHENTICATION", "CN=ss1.example.com serialNumber=12345678 C=FI O=Member,_Inc."),
        (
            "Basic",
            "SIGNING",
            "CN=Member,_Inc. O=Member,_Inc. businessCategory=COM C=FI serialNumber=12345678",
        ),
        (
            "BasicACME",
            "AUTHENTICATION",
            "C=FI O=Member,_Inc. serialNumber=12345678 CN=ss1.example.com "
            "subjectAltName=ss1.example.com",
        ),
        (
            "BasicACME",
            "SIGNING",
            "C=FI O=Member,_Inc. businessCategory=COM serialNumber=12345678 CN=Member,_Inc. "
            "subjectAltName=ss1.example.com",
        ),
        ("Is", "AUTHENTICATION", "C=IS CN=ss1.example.com serialNumber=XR/GOV/1/SS1"),
        ("Is", "SIGNING", "C=IS O=XR OU=COM CN=12345678 serialNumber=XR/GOV/1/SS1"),
        ("Fo", "AUTHENTICATION", "C=FO O=XR CN=XR/GOV/1/SS1"),
        ("Fo", "SIGNING", "C=FO O=XR OU=COM CN=12345678 serialNumber=XR/GOV/1/SS1"),
        ("SkKlass3", "AUTHENTICATION", "SN=12345678 CN=Member,_Inc."),
        ("SkKlass3", "SIGNING", "SN=12345678 CN=Member,_Inc."),
        ("SkEsteId", "SIGNING", ""),
    ],
)
def test_every_profile_has_its_fields_in_its_order(profile: str, usage: str, said: str) -> None:
    values = filled(profile, usage)
    assert " ".join(f"{n}={v.replace(' ', '_')}" for n, v in values) == said
    assert len(Name.load(write_subject(values)).rdns) == sum(n != ALTERNATIVE for n, _ in values)


def test_every_known_profile_can_be_asked() -> None:
    for profile in PROFILES:
        for usage in ("SIGNING", "AUTHENTICATION"):
            subject_fields(profile, usage, WHO)
    long = "ee.ria.xroad.common.certificateprofile.impl.FoCertificateProfileInfoProvider"
    assert subject_fields(long, "SIGNING", WHO) == subject_fields("Fo", "SIGNING", WHO)
    with pytest.raises(Fault, match="'Unknown' is not known"):
        subject_fields("Unknown", "SIGNING", WHO)


@pytest.mark.parametrize("profile", sorted(set(PROFILES) - {"SkKlass3", "SkEsteId"}))
def test_the_member_is_read_back_out_of_what_a_signing_request_says(profile: str) -> None:
    """SkKlass3 asks for the code as surname, which its reader does not look at: the CA knows."""
    subject = Name.load(write_subject(filled(profile, "SIGNING")))
    assert member_of_name(subject, profile, MEMBER.instance) == MEMBER


def test_the_surname_of_one_profile_is_no_slip() -> None:
    subject = Name.load(write_subject(filled("SkKlass3", "SIGNING")))
    assert [a.type for rdn in subject.rdns for a in rdn] == ["2.5.4.4", "2.5.4.3"]


def test_one_fixed_looking_field_can_be_edited() -> None:
    assert ("serialNumber", "own") in filled("Fo", "SIGNING", serialNumber="own")
    with pytest.raises(Fault, match="cannot be another"):
        filled("Is", "SIGNING", serialNumber="own")
    assert filled("Is", "SIGNING", C="IS") == filled("Is", "SIGNING")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CN", " ", "needs a value"),
        ("CN", "a\nb", "print nothing"),
        ("CN", "a" * 256, "too long"),
        ("C", "Finland", "two letters"),
        ("C", "ÄÖ", "two letters"),
        ("X", "1", "There is no field 'X' here; there are: C, O"),
        (ALTERNATIVE, "not a name", "must be a DNS name"),
        (ALTERNATIVE, "-a.example", "must be a DNS name"),
        (ALTERNATIVE, "a..example", "must be a DNS name"),
    ],
)
def test_what_cannot_stand_in_a_name(name: str, value: str, said: str) -> None:
    form = subject_fields("BasicACME", "AUTHENTICATION", WHO)
    with pytest.raises(Fault, match=said) as caught:
        fill_fields(form, {**GIVEN, "O": WHO.name, name: value})
    assert caught.value.code == "invalid_dn_parameter"


@given(st.text(min_size=1, max_size=100).filter(lambda t: t.strip() and t.isprintable()))
def test_no_value_breaks_out_of_its_field(value: str) -> None:
    values = fill_fields([SubjectField("O"), SubjectField("CN")], {"O": value, "CN": "x"})
    (first,), (second,) = Name.load(write_subject(values)).rdns
    assert (first.text, second.text) == (value.strip(), "x")


@pytest.mark.reference
@pytest.mark.parametrize("number", ["03", "04", "05"])
def test_the_references_names_are_written_octet_by_octet(golden: Path, number: str) -> None:
    request = x509.load_pem_x509_csr((golden / "csr" / f"{number}.csr").read_bytes())
    values = [(_NAMES[a.oid.dotted_string], str(a.value)) for a in request.subject]
    assert [name for name, _ in values] == ["C", "O", "serialNumber", "CN"]
    assert write_subject(values) == request.subject.public_bytes()
    made = Certificate.load((golden / "csr" / f"{number}.pem").read_bytes())
    assert Name.load(write_subject(values)) == made.subject


_NAMES = {"2.5.4.6": "C", "2.5.4.10": "O", "2.5.4.5": "serialNumber", "2.5.4.3": "CN"}
