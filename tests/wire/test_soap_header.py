"""The header fields of SOAP, one at a time."""

from __future__ import annotations

import pytest

from xgate.errors import Fault
from xgate.ids import ClientId, RepresentedParty, ServerId, ServiceId
from xgate.wire.soap_header import Facts, HeaderScope
from xgate.wire.soap_message import RequestHash
from xgate.wire.soap_scope import Scope, ScopeReader
from xgate.wire.xml import scan

MEMBER = "<i:xRoadInstance>XG</i:xRoadInstance><i:memberClass>COM</i:memberClass>"
MEMBER += "<i:memberCode>777</i:memberCode>"


class Outside(Scope):
    def __init__(self, header: HeaderScope) -> None:
        self.header = header

    def child(self, name: str, attributes: dict[str, str], offset: int) -> Scope:
        return self.header


def read(fields: str) -> Facts:
    header = HeaderScope(Facts())
    document = (
        f'<h xmlns:x="http://x-road.eu/xsd/xroad.xsd" xmlns:i="http://x-road.eu/xsd/identifiers" '
        f'xmlns:r="http://x-road.eu/xsd/representation.xsd">{fields}</h>'
    )
    scan(document.encode(), ScopeReader(Outside(header)))
    assert header.finished
    return header.facts


def refusal(fields: str) -> str:
    with pytest.raises(Fault) as found:
        read(fields)
    return str(found.value)


def test_texts_are_not_trimmed_and_empty_is_not_absent() -> None:
    facts = read("<x:id> 1 </x:id><x:userId/><x:issue>a<!-- c --><![CDATA[<b]]>&amp;</x:issue>")
    assert (facts.id, facts.user_id, facts.issue) == (" 1 ", "", "a<b&")
    assert (facts.client, facts.service, facts.protocol_version) == (None, None, None)


@pytest.mark.parametrize("kind", ["MEMBER", "SUBSYSTEM"])
def test_a_client_is_what_its_parts_make_it_whatever_its_type_says(kind: str) -> None:
    member = read(f'<x:client i:objectType="{kind}">{MEMBER}</x:client>').client
    assert member == ClientId("XG", "COM", "777")
    sub = f"<i:subsystemCode>app</i:subsystemCode><x:ignored/>{MEMBER}"
    subsystem = read(f'<x:client i:objectType="{kind}">{sub}</x:client>').client
    assert subsystem == ClientId("XG", "COM", "777", "app")


def test_a_service_and_a_server() -> None:
    facts = read(
        f'<x:service i:objectType="SERVICE">{MEMBER}<i:serviceVersion/>'
        "<i:serviceCode>lookUp</i:serviceCode></x:service>"
        f'<x:securityServer i:objectType="SERVER">{MEMBER}<i:serverCode>ss</i:serverCode>'
        "</x:securityServer>"
    )
    owner = ClientId("XG", "COM", "777")
    assert facts.service == ServiceId(owner, "lookUp", "")
    assert facts.security_server == ServerId(owner, "ss")


def test_a_represented_party_may_lack_parts() -> None:
    party = "<r:representedParty><r:partyCode>5</r:partyCode>{}</r:representedParty>"
    assert read(party.format("")).represented_party == RepresentedParty(None, "5")
    both = read(party.format("<r:partyClass>COM</r:partyClass>")).represented_party
    assert both == RepresentedParty("COM", "5")
    assert read("<r:representedParty/>").represented_party == RepresentedParty(None, None)
    assert read("<x:representedParty/>").represented_party is None


def test_a_request_hash_keeps_its_algorithm_and_its_place() -> None:
    facts = read('<x:requestHash algorithmId="urn:a">aGFzaA==</x:requestHash><x:id/>')
    assert facts.request_hash == RequestHash("urn:a", "aGFzaA==")
    assert facts.request_hash_place is not None
    assert facts.id_place is not None
    assert facts.id_place.closed - facts.id_place.start == len("<x:id/>")
    assert read('<x:requestHash x:algorithmId="a"/>').request_hash == RequestHash(None, "")


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ("", "Missing objectType attribute"),
        ('objectType="MEMBER"', "Missing objectType attribute"),
        ('i:objectType="member"', "Unknown objectType: member"),
        ('i:objectType="CENTRALSERVICE"', "Unknown objectType: CENTRALSERVICE"),
        ('i:objectType="SERVICE"', "Unexpected objectType: SERVICE"),
        ('i:objectType="LOCALGROUP"', "Unexpected objectType: LOCALGROUP"),
    ],
)
def test_the_object_type_is_checked_when_the_field_opens(attribute: str, text: str) -> None:
    assert refusal(f"<x:client {attribute}><x:broken></x:client>") == f"invalid_xml: {text}"


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ('<x:client i:objectType="MEMBER"/>', "xRoadInstance"),
        (f'<x:client i:objectType="MEMBER">{MEMBER.replace("COM", " ")}</x:client>', "memberClass"),
        (f'<x:client i:objectType="MEMBER">{MEMBER.replace("777", "")}</x:client>', "memberCode"),
        (
            f'<x:client i:objectType="MEMBER">{MEMBER}<i:subsystemCode/></x:client>',
            "subsystemCode",
        ),
        (f'<x:service i:objectType="SERVICE">{MEMBER}</x:service>', "serviceCode"),
        (f'<x:securityServer i:objectType="SERVER">{MEMBER}</x:securityServer>', "serverCode"),
    ],
)
def test_parts_must_not_be_blank_or_missing(field: str, name: str) -> None:
    assert refusal(field) == f"internal_error: '{name}' must not be blank"


@pytest.mark.parametrize(
    "field",
    [
        "<x:id>{}</x:id>",
        "<x:issue>{}</x:issue>",
        "<x:protocolVersion>4.{}</x:protocolVersion>",
        "<x:requestHash>{}</x:requestHash>",
        "<r:representedParty><r:partyCode>{}</r:partyCode></r:representedParty>",
    ],
)
def test_texts_are_bounded(field: str) -> None:
    assert read(field.format("a" * 9998))
    assert refusal(field.format("a" * 10_001)).startswith("invalid_soap")


@pytest.mark.parametrize("version", ["4.", "4.0", "4.x", "4.0 "])
def test_versions_that_pass(version: str) -> None:
    assert read(f"<x:protocolVersion>{version}</x:protocolVersion>").protocol_version == version


@pytest.mark.parametrize("version", ["", "4", "3.5", " 4.0", "44.0"])
def test_versions_that_do_not(version: str) -> None:
    assert refusal(f"<x:protocolVersion>{version}</x:protocolVersion>") == (
        f"invalid_protocol_version: Invalid protocol version (supported: 4.x, provided: {version})"
    )


@pytest.mark.parametrize(
    ("twice", "name"),
    [
        ("<x:id/><x:id>1</x:id>", "{http://x-road.eu/xsd/xroad.xsd}id"),
        ("<x:issue/><x:issue/>", "{http://x-road.eu/xsd/xroad.xsd}issue"),
        ("<x:userId/><x:userId/>", "{http://x-road.eu/xsd/xroad.xsd}userId"),
        ("<x:requestHash/><x:requestHash/>", "{http://x-road.eu/xsd/xroad.xsd}requestHash"),
        (
            "<r:representedParty/><r:representedParty/>",
            "{http://x-road.eu/xsd/representation.xsd}representedParty",
        ),
        (
            "<r:representedParty><r:partyCode/><r:partyCode/></r:representedParty>",
            "{http://x-road.eu/xsd/representation.xsd}partyCode",
        ),
        (
            f'<x:client i:objectType="MEMBER">{MEMBER}{MEMBER}</x:client>',
            "{http://x-road.eu/xsd/identifiers}xRoadInstance",
        ),
    ],
)
def test_what_comes_twice_is_refused_when_the_second_opens(twice: str, name: str) -> None:
    expected = f"duplicate_header_field: SOAP header contains duplicate field '{name}'"
    assert refusal(twice) == expected


def test_parts_that_a_field_does_not_have_may_come_twice() -> None:
    code = "<i:serviceCode/>"
    assert read(f'<x:client i:objectType="MEMBER">{MEMBER}{code}{code}</x:client>').client
