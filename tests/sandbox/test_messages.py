"""Requests that an information system would send."""

from __future__ import annotations

import pytest

from xgate.errors import Fault
from xgate.ids import ClientId, ServiceId
from xgate.sandbox.messages import multipart_related, rest_url, soap_request
from xgate.sandbox.places import CONSUMER, PROVIDER
from xgate.wire.attachments import SoapBodyReader
from xgate.wire.parts import Head, PartBegin, PartData
from xgate.wire.soap import read_soap


def test_a_soap_request_says_what_it_was_told() -> None:
    message = read_soap(soap_request(CONSUMER, PROVIDER, "getRandom", "q<1>"), "text/xml")
    assert not isinstance(message, Fault)
    assert (message.client, message.id) == (CONSUMER, "q<1>")
    assert message.service == ServiceId(PROVIDER, "getRandom", "v1")


def test_a_service_without_version_has_none() -> None:
    octets = soap_request(CONSUMER, PROVIDER, "getRandom", "1", version="")
    message = read_soap(octets, "text/xml")
    assert not isinstance(message, Fault)
    assert message.service.service_version is None


@pytest.mark.parametrize("mtom", [False, True])
def test_attachments_follow_the_message_octet_for_octet(mtom: bool) -> None:
    envelope = soap_request(CONSUMER, PROVIDER, "x", "1")
    files = [("application/pdf", b"\r\n--\0" * 9), ("text/plain", b"")]
    kind, body = multipart_related(envelope, files, mtom=mtom)
    reader = SoapBodyReader(kind)
    head, *rest = (*reader.feed(body), *reader.finish())
    assert isinstance(head, Head)
    assert head.octets == envelope
    assert head.content_type.startswith("application/xop+xml" if mtom else "text/xml")
    assert [e.content_type for e in rest if isinstance(e, PartBegin)] == [k for k, _ in files]
    assert b"".join(bytes(e.data) for e in rest if isinstance(e, PartData)) == files[0][1]


def test_a_rest_url_escapes_what_identifiers_may_hold() -> None:
    provider = ClientId("XG", "GOV", "2 0", "s/b")
    url = rest_url("127.0.0.2", 80, provider, "people", "/a?b=c")
    assert url == "http://127.0.0.2:80/r1/XG/GOV/2%200/s%2Fb/people/a?b=c"
