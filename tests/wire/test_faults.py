"""Faults as documents: the bytes we write, what we understand of others', errors for REST."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xgate.errors import Fault
from xgate.wire.faults import (
    escape,
    find_soap_fault,
    read_soap_fault,
    rest_status,
    spelled_as_before,
    write_rest_error,
    write_soap_fault,
)

DENIED = Fault(
    "server.serverproxy.access_denied",
    "Request is not allowed: SERVICE:a/b/c & <'\"d\"'>\x00\x7f",
    detail="5c7e0000-0000-4000-8000-000000000000",
)


def test_our_document_to_the_octet() -> None:
    assert write_soap_fault(DENIED) == (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/">'
        b"<SOAP-ENV:Body><SOAP-ENV:Fault><faultcode>server.serverproxy.access_denied</faultcode>"
        b"<faultstring>Request is not allowed: SERVICE:a/b/c &amp; "
        b"&lt;&apos;&quot;d&quot;&apos;&gt;&#127;</faultstring><faultactor></faultactor>"
        b'<detail><faultDetail xmlns="">5c7e0000-0000-4000-8000-000000000000</faultDetail>'
        b"</detail></SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("fault.query", ("CODE", "STRING", "ACTOR", "DETAIL")),
        ("faulty-fault.answer", ("soap:Server", "", "", "")),
    ],
)
def test_the_references_faults(golden: Path, file: str, expected: tuple[str, ...]) -> None:
    data = (golden / "messages/soap/valid" / file).read_bytes()
    fault = read_soap_fault(data)
    assert (fault.code, fault.actor, fault.detail) == (expected[0], *expected[2:])
    assert fault.text or expected[1] == ""
    assert write_soap_fault(fault) == data


@pytest.mark.reference
def test_a_message_is_no_fault(golden: Path) -> None:
    data = (golden / "messages/soap/valid/simple.query").read_bytes()
    assert find_soap_fault(data) is None
    with pytest.raises(Fault, match="invalid_message: Expected fault message"):
        read_soap_fault(data)


@pytest.mark.parametrize("data", [b"", b"<a", b"<!DOCTYPE a><a/>", b"\xff\xfe\xfd"])
def test_what_is_no_xml(data: bytes) -> None:
    with pytest.raises(Fault, match="invalid_soap"):
        read_soap_fault(data)


def envelope(inner: str, prolog: str = "") -> str:
    return (
        f'{prolog}<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<e:Header><faultcode>no</faultcode></e:Header><e:Body>{inner}</e:Body></e:Envelope>"
    )


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("<e:Fault><faultcode> a.b </faultcode></e:Fault>", ("a.b", "", "")),
        ("<e:Fault><x:faultcode xmlns:x='u'>a</x:faultcode></e:Fault>", ("a", "", "")),
        ("<e:Fault><faultcode>a<!-- -->b</faultcode></e:Fault>", ("ab", "", "")),
        ("<e:Fault><faultcode>a\r\nX-Evil: b</faultcode></e:Fault>", ("a?X-Evil:?b", "", "")),
        ("<e:Fault><faultcode>a</faultcode><faultcode>b</faultcode></e:Fault>", ("a", "", "")),
        ("<e:Fault/>", ("unknown", "", "")),
        (f"<e:Fault><faultcode>{'a' * 9999}</faultcode></e:Fault>", ("a" * 500, "", "")),
        (
            "<e:Fault><faultcode>a</faultcode><faultstring>b</faultstring>"
            "<detail>plain</detail></e:Fault>",
            ("a", "b", "plain"),
        ),
        (
            "<e:Fault><faultcode>a</faultcode><faultstring>b</faultstring>"
            "<detail> <faultDetail>d</faultDetail> </detail></e:Fault>",
            ("a", "b", "d"),
        ),
    ],
)
def test_others_faults(inner: str, expected: tuple[str, ...]) -> None:
    fault = read_soap_fault(envelope(inner).encode())
    assert (fault.code, fault.text, fault.detail) == expected


@pytest.mark.parametrize(
    "inner", ["<Fault><faultcode>a</faultcode></Fault>", "<x><e:Fault/></x>", "<e:Fault2/>"]
)
def test_fault_is_a_name_at_a_place(inner: str) -> None:
    assert find_soap_fault(envelope(inner).encode()) is None


@pytest.mark.parametrize("name", ["ISO-8859-15", "windows-1257", "UTF-16"])
def test_what_is_handed_on_is_utf_8_and_says_so(name: str) -> None:
    text = envelope(
        "<e:Fault><faultcode>a</faultcode><faultstring>žš</faultstring></e:Fault>",
        f'<?xml version="1.0" encoding="{name}"?>',
    )
    fault = read_soap_fault(text.encode(name))
    assert fault.text == "žš"
    assert fault.raw is not None
    assert etree.fromstring(fault.raw).findtext(".//faultstring") == "žš"
    assert fault.raw.decode() == text.replace(name, "UTF-8")


@pytest.mark.reference
def test_the_references_table_of_accept(golden: Path) -> None:
    cases = json.loads((golden / "rest-cases.json").read_text())["cases"]
    (case,) = [case for case in cases if "accept_to_content_type" in case]
    fault = Fault(case["x_road_error"], "text", detail="id")
    assert rest_status(fault) == case["status"]
    assert len(case["accept_to_content_type"]) > 10
    for accept, content_type in case["accept_to_content_type"]:
        assert write_rest_error(fault, accept)[0] == content_type


def test_a_rest_error_in_json() -> None:
    content_type, body = write_rest_error(Fault("client.x", 'a "b" \xf5\ud800', detail="d"), "*/*")
    assert content_type == "application/json"
    assert body == '{"type":"client.x","message":"a \\"b\\" õ","detail":"d"}'.encode()


def test_a_rest_error_in_xml() -> None:
    content_type, body = write_rest_error(Fault("client.x", "<õ>", detail="d"), "TEXT/*;q=0")
    assert content_type == "text/xml;charset=utf-8"
    assert (
        body
        == (
            '<?xml version="1.0" encoding="UTF-8"?><error><type>client.x</type>'
            "<message>&lt;õ&gt;</message><detail>d</detail></error>"
        ).encode()
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("server.clientproxy.io_error", 500),
        ("Server.ServerProxy.AccessDenied", 500),
        ("client.invalid_soap", 400),
        ("soap:Server", 400),
        ("server", 400),
    ],
)
def test_statuses(code: str, status: int) -> None:
    assert rest_status(Fault(code, "")) == status


@given(st.text(), st.text(), st.text())
@settings(max_examples=100, deadline=None)
def test_what_was_written_is_read(text: str, detail: str, actor: str) -> None:
    written = write_soap_fault(Fault("client.x", text, detail=detail, actor=actor))
    fault = read_soap_fault(written)
    assert escape(fault.text) == escape(_lines(text))
    assert escape(fault.detail) == escape(_lines(detail))
    assert escape(fault.actor) == escape(_lines(actor))
    assert write_soap_fault(fault) == written


def _lines(text: str) -> str:
    """XML reads every line end as LF."""
    kept = "".join(c for c in text if c >= " " or c in "\t\r\n")
    return kept.replace("\r\n", "\n").replace("\r", "\n")


@given(
    st.lists(
        st.sampled_from(
            [
                "<e:Fault>",
                "</e:Fault>",
                "<faultcode>",
                "</faultcode>",
                "<detail>",
                "a",
                "&amp;",
                "<",
            ]
        ),
        max_size=10,
    )
)
@settings(max_examples=100, deadline=None)
def test_garbage_meets_only_faults(pieces: list[str]) -> None:
    try:
        find_soap_fault(envelope("".join(pieces)).encode())
    except Fault as fault:
        assert fault.code == "invalid_soap"  # noqa: PT017 - garbage may also be a fault


def test_our_own_codes_can_be_spelled_as_before() -> None:
    ours = Fault("server.clientproxy.service_failed.io_error", "text", detail="id")
    before = spelled_as_before(ours)
    assert before.code == "Server.ClientProxy.ServiceFailed.IOError"
    assert (before.text, before.detail) == ("text", "id")
    relayed = read_soap_fault(write_soap_fault(ours))
    assert spelled_as_before(relayed) is relayed
