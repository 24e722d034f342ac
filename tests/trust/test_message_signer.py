"""Who must have signed: the client of a request, the provider of an answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.trust.message_signer import Parties, parties_of

CLIENT = ClientId("DEV", "COM", "4321", "TestClient")
PROVIDER = ClientId("DEV", "COM", "1234", "TestService")
PARTS = """<id:xRoadInstance>DEV</id:xRoadInstance><id:memberClass>COM</id:memberClass>
<id:memberCode>{}</id:memberCode><id:subsystemCode>{}</id:subsystemCode>"""
SOAP = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:x="http://x-road.eu/xsd/xroad.xsd" xmlns:id="http://x-road.eu/xsd/identifiers"><e:Header>
<x:client id:objectType="SUBSYSTEM">{PARTS.format("4321", "TestClient")}</x:client>
<x:service id:objectType="SERVICE">{PARTS.format("1234", "TestService")}
<id:serviceCode>look</id:serviceCode></x:service>
</e:Header><e:Body><look/></e:Body></e:Envelope>"""


def refused(message: str) -> str:
    with pytest.raises(Fault) as caught:
        parties_of(message.encode())
    return caught.value.code


def test_a_soap_request_is_signed_by_its_client() -> None:
    assert parties_of(SOAP.encode()).signer == CLIENT


def test_a_soap_answer_is_signed_by_the_provider() -> None:
    assert parties_of(SOAP.replace("<look/>", "<lookResponse/>").encode()).signer == PROVIDER


def test_a_rest_request_is_signed_by_its_client() -> None:
    part = (
        "GET\r\n/r1/DEV/COM/1234/TestService/look\r\nX-Road-Client:DEV/COM/4321/TestClient\r\n"
        "X-Road-Id:1\r\nx-road-request-id:2\r\n"
    )
    assert parties_of(part.encode()).signer == CLIENT


def test_a_rest_answer_is_signed_by_the_provider() -> None:
    part = (
        "200\r\nOK\r\nx-road-client:DEV/COM/4321/TestClient\r\n"
        "x-road-service:DEV/COM/1234/TestService/look\r\n"
        "x-road-id:1\r\nx-road-request-id:2\r\nx-road-request-hash:h\r\n"
    )
    assert parties_of(part.encode()).signer == PROVIDER
    unnamed = part.replace("x-road-service:DEV/COM/1234/TestService/look\r\n", "")
    assert refused(unnamed) == "internal_error"


@pytest.mark.parametrize("message", ["", "text", "<other/>", "0", "GET"])
def test_what_is_neither_has_no_signer(message: str) -> None:
    assert refused(message) == "internal_error"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<e:Body>", "<e:Body><x/>"),
        ("<look/>", ""),
        ("</e:Header>", "</e:Header><e:Header/>"),
        ("</e:Body>", "</e:Body><e:Body/>"),
        ("<x:client", "<x:client/><x:client"),
        ("x:client", "y"),
        ('<x:client id:objectType="SUBSYSTEM">', '<x:client id:objectType="SERVER">'),
    ],
)
def test_a_signer_is_named_once(old: str, new: str) -> None:
    assert old in SOAP
    assert refused(SOAP.replace(old, new)) in (
        "invalid_soap",
        "invalid_client_identifier",
        "internal_error",
    )


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_garbage_is_a_fault(data: bytes) -> None:
    with pytest.raises(Fault):
        parties_of(data)


def test_a_message_tells_whose_instances_it_went_between() -> None:
    foreign = SOAP.replace("<id:xRoadInstance>DEV<", "<id:xRoadInstance>EE<", 1)
    assert parties_of(foreign.encode()) == Parties(
        ClientId("EE", "COM", "4321", "TestClient"), frozenset({"DEV", "EE"})
    )
    answer = foreign.replace("<look/>", "<lookResponse/>")
    assert parties_of(answer.encode()) == Parties(PROVIDER, frozenset({"DEV", "EE"}))
    rest = (
        "GET\r\n/r1/EE/COM/1/S/x\r\nX-Road-Client:DEV/COM/2/T\r\n"
        "X-Road-Id:1\r\nx-road-request-id:2\r\n"
    )
    assert parties_of(rest.encode()).instances == {"DEV", "EE"}
    said = (
        "200\r\nOK\r\nx-road-client:DEV/COM/2/T\r\nx-road-service:EE/COM/1/S/x\r\n"
        "x-road-id:1\r\nx-road-request-id:2\r\nx-road-request-hash:h\r\n"
    )
    assert parties_of(said.encode()).instances == {"DEV", "EE"}


@pytest.mark.parametrize("other", ["", "<x:service/>", "<x:service>{0}</x:service>" * 2])
def test_who_is_not_named_has_no_instance(other: str) -> None:
    start, end = SOAP.index("<x:service"), SOAP.index("</e:Header>")
    message = SOAP[:start] + other.format(PARTS.format("1", "2")) + SOAP[end:]
    assert parties_of(message.encode()) == Parties(CLIENT, frozenset({"DEV"}))


@pytest.mark.parametrize(
    "content",
    ["x" * 11_000_000, "<a/>" * 1_100_000, "<a>" * 247 + "</a>" * 247],
    ids=["a-long-text", "many-elements", "deep"],
)
def test_a_message_that_a_server_could_be_set_to_take_has_its_signer(content: str) -> None:
    message = SOAP.replace("<look/>", f"<lookResponse>{content}</lookResponse>").encode()
    assert parties_of(message).signer == PROVIDER


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (">4321<", f">{'1' * 10_001}<"),
        ("<e:Header>", "<e:Header>" + "<y/>" * 100_000),
        ("<e:Header>", f"<e:Header><y xmlns='{'u' * 2049}'/>"),
    ],
)
def test_what_no_server_takes_has_none(old: str, new: str) -> None:
    assert refused(SOAP.replace(old, new, 1)) == "internal_error"


def test_what_stands_beside_header_and_body_is_passed_over() -> None:
    assert (
        parties_of(SOAP.replace("<e:Header>", "<y><x:client/></y><e:Header>").encode()).signer
        == CLIENT
    )
