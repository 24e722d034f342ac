from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.trust import der
from xgate.trust.der import DerError
from xgate.trust.name import Name

CN, O, C, EMAIL = "2.5.4.3", "2.5.4.10", "2.5.4.6", "1.2.840.113549.1.9.1"  # noqa: E741 - the attribute's own name


def attribute(oid: str, text: str, tag: int = 0x0C, encoding: str = "utf-8") -> bytes:
    value = der.encode(tag, text.encode(encoding))
    return der.encode(der.SEQUENCE, der.write_oid(oid), value)


def name(*rdns: bytes | list[bytes]) -> Name:
    encoded = [der.write_set_of(r if isinstance(r, list) else [r]) for r in rdns]
    return Name.load(der.encode(der.SEQUENCE, *encoded))


@pytest.mark.parametrize(
    "other",
    [
        name(attribute(CN, "TEST  ca"), attribute(O, "xgate")),
        name(attribute(CN, " Test CA "), attribute(O, "xgate")),
        name(attribute(O, "xgate"), attribute(CN, "Test CA")),
        name(attribute(CN, "Test CA", 0x13), attribute(O, "xgate", 0x16)),
        name(attribute(CN, "Test CA", 0x1E, "utf-16-be"), attribute(O, "xgate", 0x14, "latin-1")),
        name(attribute(CN, "Test CA", 0x1C, "utf-32-be"), attribute(O, "XGATE")),
    ],
)
def test_case_blanks_string_types_and_order_do_not_matter(other: Name) -> None:
    ours = name(attribute(CN, "Test CA"), attribute(O, "xgate"))
    assert ours == other
    assert not ours != other  # noqa: SIM202 - inequality has its own method and must agree
    assert hash(ours) == hash(other)


@pytest.mark.parametrize(
    "other",
    [
        name(attribute(CN, "Test CA")),
        name(attribute(CN, "TestCA"), attribute(O, "xgate")),
        name(attribute(O, "Test CA"), attribute(CN, "xgate")),
        name([attribute(CN, "Test CA"), attribute(O, "xgate")]),
        name(attribute(CN, "Test CA"), attribute(O, "xgate"), attribute(O, "xgate")),
    ],
)
def test_anything_else_does(other: Name) -> None:
    ours = name(attribute(CN, "Test CA"), attribute(O, "xgate"))
    assert ours != other
    assert not ours == other  # noqa: SIM201 - likewise


def test_a_value_that_is_no_string_is_compared_by_octets() -> None:
    odd = name(attribute(CN, "\x01", 0x02))
    assert odd == name(attribute(CN, "\x01", 0x02))
    assert odd != name(attribute(CN, "#020101"))
    assert odd.find(CN) is None
    assert odd.rfc2253 == "CN=#020101"


def test_the_last_attribute_in_the_encoding_counts() -> None:
    several = name(attribute(CN, "first"), attribute(CN, "last"), attribute(O, "xgate"))
    assert several.find(CN) == "last"
    assert several.find(C) is None


def test_in_a_relative_name_of_several_the_asked_type_is_found() -> None:
    several = name([attribute(CN, "code"), attribute("2.5.4.5", "serial")])
    assert (several.find(CN), several.find("2.5.4.5")) == ("code", "serial")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "CN=plain"),
        ('a,b+c"d\\e<f>g;h=i#j', r"CN=a\,b\+c\"d\\e\<f\>g\;h\=i\#j"),
        ("  two  ", "CN=\\ \\ two\\ \\ "),
        ("Õun", "CN=Õun"),
        ("a\0b", "CN=a\\00b"),
    ],
)
def test_rfc_2253_escapes(value: str, text: str) -> None:
    assert name(attribute(CN, value)).rfc2253 == text


def test_rfc_2253_turns_the_order_and_spells_unknown_types_in_hex() -> None:
    text = name(attribute(C, "EE"), attribute(CN, "x"), attribute(EMAIL, "a@b", 0x16)).rfc2253
    assert text == "1.2.840.113549.1.9.1=#1603614062,CN=x,C=EE"


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(st.lists(texts, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_what_another_library_writes_we_read(values: list[str]) -> None:
    made = (
        x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, v, _ASN1Type.UTF8String) for v in values]
        )
        if all(len(v.encode()) <= 64 for v in values)
        else None
    )
    if made is None:
        return
    read = Name.load(made.public_bytes())
    assert [rdn[0].text for rdn in read.rdns] == values
    assert read == Name.load(read.der)


@given(st.binary(max_size=100))
@settings(max_examples=100, deadline=None)
def test_garbage_is_only_refused(data: bytes) -> None:
    for octets in (data, der.encode(der.SEQUENCE, data)):
        try:
            Name.load(octets)
        except DerError:
            continue


def test_no_name_has_hundreds_of_attributes() -> None:
    with pytest.raises(DerError, match="too many"):
        name(*[attribute(CN, "x")] * 129)
