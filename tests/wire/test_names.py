"""Identifiers as XML: the reference's examples, what is refused, and the way there and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xgate.errors import Fault
from xgate.ids import ClientId, GlobalGroupId, LocalGroupId, ServerId, ServiceId
from xgate.wire.names import ID_NS, Identifier, add_id, id_parts, object_type, read_id
from xgate.wire.xml import parse


def element(kind: str | None, *parts: tuple[str, str]) -> etree._Element:
    root = etree.Element("x", nsmap={"id": ID_NS})
    if kind is not None:
        root.set(f"{{{ID_NS}}}objectType", kind)
    for name, text in parts:
        etree.SubElement(root, f"{{{ID_NS}}}{name}").text = text
    return root


MEMBER = (("xRoadInstance", "XG"), ("memberClass", "COM"), ("memberCode", "777"))


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "outcome"),
    [
        ("clientid.xml", "MEMBER:EE/COMPANY/FOOBAR"),
        ("clientid-subsystem.xml", "SUBSYSTEM:EE/COMPANY/FOOBAR/SUBSYSTEM"),
        ("invalid-clientid-member.xml", "invalid_client_identifier"),
        ("serviceid.xml", "SERVICE:EE/BUSINESS/JODA/getState"),
        ("globalgroupid.xml", "GLOBALGROUP:EE/perearstid"),
    ],
)
def test_the_references_identifiers(golden: Path, file: str, outcome: str) -> None:
    root = parse((golden / "identifiers" / file).read_bytes())
    try:
        assert str(read_id(root)) == outcome
    except Fault as fault:
        assert fault.code == outcome  # noqa: PT017 - one table for both kinds of outcome


@pytest.mark.parametrize(
    ("given_element", "refusal"),
    [
        (element(None, *MEMBER), "invalid_xml: Missing objectType attribute"),
        (element("CENTRALSERVICE", *MEMBER), "invalid_xml: Unknown objectType: CENTRALSERVICE"),
        (element("member", *MEMBER), "invalid_xml: Unknown objectType: member"),
        (element("MEMBER", *MEMBER, MEMBER[0]), "invalid_xml: 'xRoadInstance' occurs twice"),
        (element("MEMBER", *MEMBER, ("subsystemCode", "s")), "invalid_client_identifier"),
        (element("SUBSYSTEM", *MEMBER), "invalid_client_identifier"),
        (element("MEMBER", *MEMBER[1:]), "internal_error: 'xRoadInstance' must not be blank"),
        (element("MEMBER", *MEMBER[:2], ("memberCode", " \n")), "internal_error: 'memberCode'"),
        (element("SUBSYSTEM", *MEMBER, ("subsystemCode", "")), "internal_error: 'subsystemCode'"),
        (element("SERVICE", *MEMBER), "internal_error: 'serviceCode' must not be blank"),
        (element("SERVER", *MEMBER), "internal_error: 'serverCode' must not be blank"),
        (element("GLOBALGROUP", MEMBER[0]), "internal_error: 'groupCode' must not be blank"),
    ],
)
def test_refused(given_element: etree._Element, refusal: str) -> None:
    with pytest.raises(Fault, match=refusal):
        read_id(given_element)


def test_order_does_not_matter_and_strangers_are_ignored() -> None:
    root = element("MEMBER", *reversed(MEMBER), ("other", "x"))
    etree.SubElement(root, "memberCode").text = "not in the namespace"
    assert read_id(root) == ClientId("XG", "COM", "777")


def test_text_is_neither_trimmed_nor_cut_at_a_comment() -> None:
    root = element("MEMBER", *MEMBER[:2])
    root.append(parse(f"<memberCode xmlns='{ID_NS}'> 7<!-- c -->7<?p?>7 </memberCode>".encode()))
    assert read_id(root) == ClientId("XG", "COM", " 777 ")


def test_a_part_holds_only_text() -> None:
    root = element("MEMBER", *MEMBER[:2])
    root.append(parse(f"<memberCode xmlns='{ID_NS}'>7<b/>7</memberCode>".encode()))
    with pytest.raises(Fault, match="'memberCode' must hold only text"):
        read_id(root)


def test_a_service_is_written_in_the_schemas_order() -> None:
    service = ServiceId(ClientId("XG", "GOV", "12", "reg"), "lookUp", "v2")
    root = add_id(etree.Element("r"), "service", service)
    assert etree.tostring(root) == (
        b'<service xmlns:id="http://x-road.eu/xsd/identifiers" id:objectType="SERVICE">'
        b"<id:xRoadInstance>XG</id:xRoadInstance><id:memberClass>GOV</id:memberClass>"
        b"<id:memberCode>12</id:memberCode><id:subsystemCode>reg</id:subsystemCode>"
        b"<id:serviceCode>lookUp</id:serviceCode><id:serviceVersion>v2</id:serviceVersion>"
        b"</service>"
    )


def test_a_namespace_already_declared_is_not_declared_again() -> None:
    root = etree.Element("r", nsmap={"iden": ID_NS})
    add_id(root, "x", LocalGroupId("g"))
    assert b"<x iden:objectType" in etree.tostring(root)


part = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1
).filter(str.strip)
member = st.builds(ClientId, part, part, part)
client = st.builds(ClientId, part, part, part, st.none() | part)
identifiers: st.SearchStrategy[Identifier] = st.one_of(
    client,
    st.builds(ServiceId, client, part, st.none() | part),
    st.builds(ServerId, member, part),
    st.builds(GlobalGroupId, part, part),
    st.builds(LocalGroupId, part),
)


@given(identifiers)
@settings(max_examples=100, deadline=None)
def test_there_and_back(identifier: Identifier) -> None:
    written = etree.tostring(add_id(etree.Element("r"), "x", identifier))
    assert read_id(parse(written)) == identifier
    assert read_id(element(object_type(identifier), *id_parts(identifier))) == identifier
