"""What another security server may try at the port for servers, with real keys: refused by name.

The order of checks and the codes are those of pipeline 8 and soap-protocol 9; a refusal leaves no
record, and the next good message is served.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from tests.journeys.fault_table import assert_in_table
from tests.journeys.rows import MESSAGES, Row, good

from xgate.ids import ClientId
from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.sandbox.draft import REQUEST_ID, Draft, rest_draft, rest_head, soap_draft
from xgate.sandbox.messages import soap_request
from xgate.sandbox.peer import Peer, Piece, attached, write_pieces
from xgate.wire.transport import REST_BODY, REST_REQUEST, write_request_head
from xgate.wire.transport_parts import HASH_CHAIN, HASH_CHAIN_RESULT, OCSP_RESPONSE, SIGNATURE

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

SIDE = "server.serverproxy."
FAILED = SIDE + "service_failed."
VERIFY = SIDE + "signature_verification."
XML = "text/xml; charset=UTF-8"
TYPE = FAILED + "invalid_content_type"
pytestmark = pytest.mark.usefixtures("nothing_left")
PATH = f"/r1/{PROVIDER.url}/echo/x"
PETS = f"/r1/{PROVIDER.url}/pets/pets"
DAY = timedelta(days=1)


def soap(**changes: str | ClientId) -> bytes:
    values: dict[str, str | ClientId] = {"client": CONSUMER, "provider": PROVIDER, "code": "tell"}
    values |= changes
    return soap_request(query_id="hostile", version="", **values)  # type: ignore[arg-type]


async def test_the_drafts_themselves_are_good(caller: Caller, peer: Peer) -> None:
    rest = rest_draft(peer, rest_head("good-1", "POST", PATH), b"body")
    plain = soap_draft(peer, soap().replace(b">hostile<", b">good-2<"))
    with_parts = soap_draft(peer, soap().replace(b">hostile<", b">good-3<"), [b"one", b"two"])

    assert [await draft.send() for draft in (rest, plain, with_parts)] == [None] * 3
    assert [caller.counts(f"good-{number}") for number in (1, 2, 3)] == [[0, 2]] * 3


# The HTTP head


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Content-Type", None, FAILED + "invalid_content_type"),
        ("Content-Type", "text/xml", FAILED + "invalid_content_type"),
        ("Content-Type", "multipart/related; boundary=b", FAILED + "invalid_content_type"),
        ("Content-Type", "multipart/mixed", FAILED + "invalid_content_type"),
        ("Content-Type", "multipart/mixed; boundary=other", SIDE + "missing_soap"),
        ("x-hash-algorithm", None, SIDE + "internal_error"),
        ("x-hash-algorithm", "SHA-256", SIDE + "internal_error"),
        ("x-original-soapaction", "unquoted", SIDE + "invalid_soap_action"),
        ("x-original-content-type", None, FAILED + "internal_error"),
        ("x-original-content-type", "", FAILED + "internal_error"),
        ("x-original-content-type", "text/xml; charset=x", FAILED + "internal_error"),
    ],
)
async def test_heads(peer: Peer, name: str, value: str | None, code: str) -> None:
    draft = soap_draft(peer, soap())
    draft.header(name, value)

    fault = await draft.send()

    assert fault is not None
    assert fault.code == code, fault.text
    assert_in_table(fault.code, fault.text)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Content-Type", "multipart/mixed; boundary=other", SIDE + "internal_error"),
        ("x-hash-algorithm", None, SIDE + "internal_error"),
        ("x-road-request-id", None, FAILED + "internal_error"),
        ("x-road-message-type", "rest", TYPE),
        ("x-road-message-type", None, TYPE),
    ],
)
async def test_heads_of_rest(peer: Peer, name: str, value: str | None, code: str) -> None:
    draft = rest_draft(peer, rest_head("hostile", "POST", PATH), b"body")
    draft.header(name, value)

    fault = await draft.send()

    assert fault is not None
    assert fault.code == code, fault.text


async def test_only_post_is_served(peer: Peer) -> None:
    for method in ("GET", "PUT", "DELETE"):
        draft = soap_draft(peer, soap())
        draft.method = method
        fault = await draft.send()
        assert fault is not None
        assert fault.code == SIDE + "invalid_http_method"


# Parts: missing, doubled, moved, foreign, too large


def missing(kind: str) -> Callable[[Draft], None]:
    return lambda draft: draft.swap(kind)


def doubled(kind: str) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        piece = draft.pieces[draft.place(kind)]
        draft.swap(kind, piece, piece)

    return change


def moved(kind: str, to: int) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        draft.pieces.insert(to, draft.pieces.pop(draft.place(kind)))

    return change


def instead(kind: str, *pieces: Piece) -> Callable[[Draft], None]:
    return lambda draft: draft.swap(kind, *pieces)


def added(*pieces: Piece) -> Callable[[Draft], None]:
    return lambda draft: draft.pieces.extend(pieces)


def only(count: int) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        del draft.pieces[count:]

    return change


FAULT = Piece(
    "text/xml",
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
    b"<faultcode>x</faultcode></e:Fault></e:Body></e:Envelope>",
)
MESSAGE = FAILED + "invalid_message"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (only(0), SIDE + "missing_soap"),
        (only(1), SIDE + "missing_soap"),
        (only(2), SIDE + "missing_signature"),
        (missing(SIGNATURE), SIDE + "missing_signature"),
        (missing(XML), TYPE),
        (missing(OCSP_RESPONSE), FAILED + "ssl_authentication_failed"),
        (doubled(XML), TYPE),
        (doubled(SIGNATURE), MESSAGE),
        (added(Piece("text/plain", b"more")), MESSAGE),
        (added(FAULT), MESSAGE),
        (moved(SIGNATURE, 0), TYPE),
        (moved(SIGNATURE, 1), TYPE),
        (moved(OCSP_RESPONSE, 1), FAILED + "ssl_authentication_failed"),
        (instead(XML, FAULT), SIDE + "missing_soap"),
        (instead(SIGNATURE, FAULT), SIDE + "missing_signature"),
        (instead(XML, Piece("image/png", b"x")), TYPE),
        (instead(XML, Piece(REST_REQUEST, b"x")), TYPE),
        (instead(SIGNATURE, Piece("image/png", b"x")), TYPE),
        (instead(SIGNATURE, Piece(HASH_CHAIN, b"x")), TYPE),
        (instead(SIGNATURE, Piece(HASH_CHAIN_RESULT, b"x")), SIDE + "missing_signature"),
        (instead(OCSP_RESPONSE, Piece(OCSP_RESPONSE, b"no DER")), FAILED + "io_error"),
        (
            instead(OCSP_RESPONSE, Piece(OCSP_RESPONSE, b"\x30\x03abc")),
            FAILED + "ssl_authentication_failed",
        ),
        (
            instead(OCSP_RESPONSE, *[Piece(OCSP_RESPONSE, b"\x30\x03abc")] * 100),
            MESSAGE,
        ),
        (instead(OCSP_RESPONSE, Piece(OCSP_RESPONSE, b"\x30" * (200 << 10))), MESSAGE),
        (instead(XML, Piece(XML, b" " * ((10 << 20) + 1))), MESSAGE),
        (instead(SIGNATURE, Piece(SIGNATURE, b" " * ((4 << 20) + 1))), MESSAGE),
    ],
)
async def test_parts_of_soap(peer: Peer, change: Callable[[Draft], None], code: str) -> None:
    draft = soap_draft(peer, soap())
    change(draft)

    fault = await draft.send()

    assert fault is not None
    assert fault.code == code, fault.text
    assert_in_table(fault.code, fault.text)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (only(1), SIDE + "internal_error"),
        (missing(REST_REQUEST), TYPE),
        (instead(REST_REQUEST, Piece(XML, soap())), TYPE),
        (doubled(REST_BODY), TYPE),
        (moved(REST_BODY, 1), TYPE),
        (instead(REST_BODY, attached([Piece("text/plain", b"x")])), TYPE),
        (missing(HASH_CHAIN), MESSAGE),
        (missing(HASH_CHAIN_RESULT), TYPE),
        (moved(HASH_CHAIN, 3), TYPE),
        (missing(SIGNATURE), SIDE + "missing_signature"),
    ],
)
async def test_parts_of_rest(peer: Peer, change: Callable[[Draft], None], code: str) -> None:
    draft = rest_draft(peer, rest_head("hostile", "POST", PATH), b"body")
    change(draft)

    fault = await draft.send()

    assert fault is not None
    assert fault.code == code, fault.text
    assert_in_table(fault.code, fault.text)


@pytest.mark.parametrize(
    ("lines", "leaf"),
    [
        (b"X-Long: " + b"x" * 1000, "mime_parsing_failed"),
        (b"X-Folded: " + b"\r\n ".join([b"x" * 900] * 12), "internal_error"),
        (b"\r\n".join([b"X-Many: x"] * 1001), "internal_error"),
    ],
)
async def test_headers_of_parts_that_are_too_much(peer: Peer, lines: bytes, leaf: str) -> None:
    draft = soap_draft(peer, soap())
    draft.swap(XML, Piece(XML, soap(), (("X-Mark", "here"),)))
    body = write_pieces(draft.pieces).replace(b"X-Mark: here", lines)

    heard = await peer.ask(peer.country.provider, draft.headers, body)

    fault = heard.fault("SOAP")
    assert fault is not None
    assert fault.code == SIDE + leaf, fault.text
    assert_in_table(fault.code, fault.text)


async def test_a_peer_that_writes_all_before_it_reads_learns_why(peer: Peer) -> None:
    nobody = ClientId("XG", "GOV", "200", "nobody")
    head = rest_head("hostile", "POST", f"/r1/{nobody.url}/echo")

    fault = await rest_draft(peer, head, bytes(64 << 20)).send()

    assert fault is not None
    assert fault.code == FAILED + "unknown_member"


async def test_a_request_that_stops_in_the_middle(caller: Caller, peer: Peer) -> None:
    draft = soap_draft(peer, soap())
    body = write_pieces(draft.pieces)
    for cut in (len(body) // 2, len(body) - 3000):
        connection = await peer.connect(caller.country.provider)
        seen = len(caller.running.provider)
        headers = [*draft.headers, ("Content-Length", str(len(body)))]
        await connection.start("POST", "/", headers)
        await connection.send(body[:cut])
        await connection.aclose()
        line = await caller.running.provider.wait("exchange", since=seen, side="server")
        assert line["outcome"] == "fault"


async def test_a_body_that_can_be_read_in_two_ways_gets_400_and_the_end(peer: Peer) -> None:
    lines = [f"{name}: {value}" for name, value in soap_draft(peer, soap()).headers]
    whole = ("POST / HTTP/1.1", "Host: x", *lines, "Transfer-Encoding: chunked", "", "")
    connection = await peer.connect(peer.country.provider)
    await connection.stream.send_all("\r\n".join(whole).encode() + b"0x2\r\nhi\r\n0\r\n\r\n")
    answer = b""
    with trio.fail_after(10):
        while data := await connection.stream.receive():
            answer += data
    await connection.aclose()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"a chunk's size is malformed")


async def test_a_body_that_ends_early_counts_as_far_as_it_came(peer: Peer) -> None:
    draft = soap_draft(peer, soap())
    body = write_pieces(draft.pieces)
    signature = body.index(b"SignatureValue")
    for cut, code in (
        (body.index(b"signature/bdoc"), "missing_signature"),
        (signature, "signature_verification.invalid_xml"),
    ):
        heard = await peer.ask(peer.country.provider, draft.headers, body[:cut])
        fault = heard.fault("SOAP")
        assert fault is not None
        assert fault.code == SIDE + code


# What the message says


def changed(old: str, new: str) -> bytes:
    octets = soap()
    assert old.encode() in octets
    return octets.replace(old.encode(), new.encode(), 1)


NOBODY = ClientId("XG", "GOV", "200", "nobody")
FOREIGNER = ClientId("YY", "COM", "100", "portal")
GHOST, SEALED = (ClientId("XG", "COM", "100", name) for name in ("ghost", "sealed"))


def at_server(code: str) -> bytes:
    server = (
        '<xrd:securityServer id:objectType="SERVER"><id:xRoadInstance>XG</id:xRoadInstance>'
        "<id:memberClass>GOV</id:memberClass><id:memberCode>200</id:memberCode>"
        f"<id:serverCode>{code}</id:serverCode></xrd:securityServer><xrd:userId>"
    )
    return changed("<xrd:userId>", server)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"not xml", FAILED + "invalid_soap"),
        (changed("?>", "?><!DOCTYPE e>"), FAILED + "invalid_soap"),
        (changed("</e:Envelope>", ""), FAILED + "invalid_soap"),
        (changed("</xrd:id>", "</xrd:id><xrd:id/>"), FAILED + "duplicate_header_field"),
        (changed(">4.0<", ">5.0<"), FAILED + "invalid_protocol_version"),
        (changed('"SERVICE"', '"MEMBER"'), FAILED + "invalid_xml"),
        (at_server("OTHER"), FAILED + "invalid_security_server"),
        (soap(provider=NOBODY), FAILED + "unknown_member"),
        (soap(provider=CONSUMER), FAILED + "unknown_member"),
        (soap(client=FOREIGNER), FAILED + "internal_error"),
        (soap(client=PROVIDER), FAILED + "ssl_authentication_failed"),
        (soap(client=GHOST), FAILED + "ssl_authentication_failed"),
        (soap(code="nothing"), SIDE + "unknown_service"),
        (soap(code="versioned"), SIDE + "unknown_service"),
        (soap(code="rest"), SIDE + "service_type"),
        (soap(code="hidden"), SIDE + "access_denied"),
        (soap(client=SEALED), SIDE + "access_denied"),
        (soap(code="closed"), SIDE + "service_disabled"),
    ],
)
async def test_signed_messages_that_may_not_pass(peer: Peer, octets: bytes, code: str) -> None:
    fault = await soap_draft(peer, octets).send()

    assert fault is not None
    assert fault.code == code, fault.text
    assert_in_table(fault.code, fault.text)


@pytest.mark.parametrize("row", MESSAGES, ids=str)
async def test_what_is_wrong_with_a_message(peer: Peer, row: Row) -> None:
    fault = await soap_draft(peer, row.change(good("hostile"))).send()

    assert fault is not None
    assert fault.code == FAILED + row.code
    assert re.fullmatch(row.text, fault.text, re.DOTALL), fault.text


async def test_a_message_for_this_very_server_passes(caller: Caller, peer: Peer) -> None:
    octets = at_server("PROVIDER").replace(b">hostile<", b">aimed-1<")

    assert await soap_draft(peer, octets).send() is None
    assert caller.counts("aimed-1") == [0, 2]


def bad_head(*lines: str) -> bytes:
    whole = ("GET", PATH, f"X-Road-Client:{CONSUMER.url}", *lines, "x-road-id:hostile", "")
    return "\r\n".join(whole).encode()


ID = f"x-road-request-id:{REQUEST_ID}"


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", FAILED + "internal_error"),
        (b"GET\r\n", FAILED + "internal_error"),
        (b"\xff\xfe\r\n", FAILED + "internal_error"),
        (bad_head(ID, "Host:elsewhere"), FAILED + "internal_error"),
        (bad_head(ID, "Transfer-Encoding:chunked"), FAILED + "internal_error"),
        (bad_head(ID, "Content_Length:5"), FAILED + "internal_error"),
        (bad_head(ID, "no colon"), FAILED + "internal_error"),
        (bad_head(ID, ""), FAILED + "internal_error"),
        (bad_head(), FAILED + "internal_error"),
        (rest_head("hostile", "BREW", PATH), FAILED + "internal_error"),
        (rest_head("hostile", "GET", "//elsewhere/r1"), FAILED + "internal_error"),
        (rest_head("hostile", "GET", "http://elsewhere" + PATH), FAILED + "internal_error"),
        (rest_head("hostile", "GET", PATH + "/{x}"), FAILED + "internal_error"),
        (rest_head("hostile", "GET", PATH + "/%zz"), FAILED + "internal_error"),
        (rest_head("hostile", "GET", "/r2" + PATH[3:]), FAILED + "internal_error"),
        (rest_head("hostile", "GET", PATH + "/%FF"), SIDE + "internal_error"),
        (rest_head("hostile", "GET", f"/r1/{PROVIDER.url}/no/%FF"), SIDE + "internal_error"),
        (rest_head("hostile", "GET", PATH + "/../.."), SIDE + "access_denied"),
        (rest_head("hostile", "GET", f"/r1/{PROVIDER.url}/no/.."), SIDE + "unknown_service"),
        (
            rest_head("hostile", "GET", f"/r1/{PROVIDER.url}/pets/pets/x%2Fy"),
            SIDE + "access_denied",
        ),
        (rest_head("hostile", "GET", f"/r1/{PROVIDER.url}/wsdl"), SIDE + "service_type"),
        (rest_head("hostile", "GET", f"/r1/{PROVIDER.url}/off"), SIDE + "service_disabled"),
        (rest_head("hostile", "GET", f"/r1/{CONSUMER.url}/echo"), FAILED + "unknown_member"),
        (
            rest_head("hostile", "GET", PATH, ("X-Road-Client", PROVIDER.url)),
            FAILED + "internal_error",
        ),
        (
            rest_head("hostile", "GET", PATH).replace(CONSUMER.url.encode(), PROVIDER.url.encode()),
            FAILED + "ssl_authentication_failed",
        ),
    ],
)
async def test_signed_rest_heads_that_may_not_pass(peer: Peer, octets: bytes, code: str) -> None:
    fault = await rest_draft(peer, octets).send()

    assert fault is not None
    assert fault.code == code, fault.text
    assert_in_table(fault.code, fault.text)


# Again, and from elsewhere


async def test_a_message_sent_twice_is_two_messages(caller: Caller, peer: Peer) -> None:
    """The protocol has no replay protection: both are logged, each with the member's signature."""
    octets = soap().replace(b">hostile<", b">twice-1<")
    draft = soap_draft(peer, octets)

    assert [await draft.send(), await draft.send()] == [None, None]
    assert caller.counts("twice-1") == [0, 4]


@pytest.mark.reference
@pytest.mark.parametrize(
    "name",
    ["normal", "attachment", "extracontent", "fault-signature", "invalid-ocsp", "ocsp"],
)
async def test_messages_of_the_reference_are_refused_by_name(
    peer: Peer, golden: Path, name: str
) -> None:
    """Their members are not of this country: they get as far as that, or less."""
    body = (golden / "messages" / "proxy" / f"{name}.request").read_bytes()
    boundary = body.split(b"--", 1)[1].split(b"\n", 1)[0].strip().decode()
    headers = write_request_head(
        "SOAP", boundary=boundary, original_content_type=XML, soap_action="", request_id=REQUEST_ID
    )

    heard = await peer.ask(peer.country.provider, headers, body)

    fault = heard.fault("SOAP")
    assert fault is not None
    assert fault.code.startswith(FAILED)
