"""Messages from an information system to a service and back, and the evidence of each."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from xgate.ids import ClientId
from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.sandbox.messages import soap_request
from xgate.wire.attachments import Head, PartBegin, PartData, SoapBodyReader

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply

Attachments = list[tuple[str, bytes]]
FILES: Attachments = [("application/pdf", bytes(range(256)) * 300), ("text/plain; x=y", b"")]


def soap_parts(reply: Reply) -> tuple[bytes, list[bytes]]:
    """The message and the attachments of a SOAP answer."""
    reader = SoapBodyReader(reply.header("content-type"))
    message, parts = b"", []
    for event in (*reader.feed(reply.body), *reader.finish()):
        if isinstance(event, Head):
            message = event.octets
        elif isinstance(event, PartBegin):
            parts.append(b"")
        elif isinstance(event, PartData):
            parts[-1] += bytes(event.data)
    return message, parts


def hash_in(message: bytes) -> str:
    (value,) = re.findall(rb"requestHash algorithmId=[^>]*#sha512\">([^<]*)<", message)
    return str(value.decode())


def sha512(octets: bytes) -> str:
    return base64.b64encode(hashlib.sha512(octets).digest()).decode()


# REST


@pytest.mark.parametrize(
    "verb", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]
)
async def test_every_verb_reaches_the_service_and_its_answer_the_caller(
    caller: Caller, verb: str
) -> None:
    reply = await caller.rest(verb, "/echo?q=1&q=%20", [("X-Answer-With", "201")])

    assert reply.status == 201
    assert reply.header("x-mark") == "here"
    assert reply.body == (b"" if verb == "HEAD" else b"as asked")
    proofs = await caller.prove(reply.id)
    head, _ = caller.records(reply.id)
    assert head[0].record.message.startswith(f"{verb}\r\n/r1/".encode())
    assert b"/rest/echo?q=1&q=%20\r\n" in head[0].record.message
    answer_parts = 1 if verb == "HEAD" else 2
    assert [len(proof.parts) for proof in proofs] == [1, answer_parts] * 2


@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH"])
async def test_a_body_arrives_as_it_was_sent_and_is_part_of_the_evidence(
    caller: Caller, verb: str
) -> None:
    body = bytes(range(256)) * 1000

    reply = await caller.rest(verb, "/echo", [("Content-Type", "x/y")], body)

    assert (reply.status, reply.body, reply.header("content-type")) == (200, body, "x/y")
    for proof in await caller.prove(reply.id):
        assert [part.name for part in proof.parts] == ["/message.xml", "/attachment1"]
        assert [part.verified for part in proof.parts] == [True, True]


async def test_a_chunked_body_and_an_empty_one(caller: Caller) -> None:
    async def pieces(*octets: bytes) -> AsyncIterator[bytes]:
        for piece in octets:
            yield piece

    chunked = await caller.rest("POST", "/echo", body=pieces(b"one ", b"two ", b"three"))
    nothing = await caller.rest("POST", "/echo", body=pieces())
    empty = await caller.rest("POST", "/echo")

    assert chunked.body == b"one two three"
    assert (nothing.body, empty.body) == (b"", b"")
    for reply, parts in ((chunked, 2), (nothing, 1), (empty, 1)):
        request, _, _, _ = await caller.prove(reply.id)
        assert len(request.parts) == parts  # no octet, no body part (transport 4.3)


async def test_the_body_of_a_get_is_evidence_but_does_not_reach_the_service(
    caller: Caller,
) -> None:
    reply = await caller.rest("GET", "/echo", body=b"not for you")

    assert (reply.status, reply.body) == (200, b"")
    request, _, _, _ = await caller.prove(reply.id)
    assert len(request.parts) == 2


@pytest.mark.parametrize(("status", "parts"), [(200, 2), (204, 1), (304, 1), (404, 2), (503, 2)])
async def test_the_status_of_the_service_is_handed_on(
    caller: Caller, status: int, parts: int
) -> None:
    reply = await caller.rest("GET", "/any", [("X-Answer-With", str(status))])

    assert reply.status == status
    assert reply.all("x-road-error") == []
    assert reply.body == (b"" if parts == 1 or status == 200 else b"as asked")
    answer = (await caller.prove(reply.id))[1]
    assert len(answer.parts) == parts  # a 200 without octets has a body all the same


async def test_the_request_hash_is_that_of_what_was_logged(caller: Caller) -> None:
    reply = await caller.rest("POST", "/echo", body=b"{}")

    mine, theirs = caller.records(reply.id)
    head = hashlib.sha512(mine[0].record.message).digest()
    assert reply.header("x-road-request-hash") == sha512(head + hashlib.sha512(b"{}").digest())
    assert [r.record.message for r in mine] == [r.record.message for r in theirs]
    assert [r.record.request_id for r in (*mine, *theirs)] == [
        reply.header("x-road-request-id")
    ] * 4


async def test_a_large_answer_arrives_whole(caller: Caller) -> None:
    reply = await caller.rest("GET", "?13736217", service="test")

    assert (reply.status, len(reply.body)) == (200, 13736217)
    assert not any(reply.body)
    assert len(await caller.prove(reply.id)) == 4


async def test_headers_of_the_connection_stay_behind_and_the_others_keep_order_and_case(
    caller: Caller,
) -> None:
    headers = [
        ("X-oDd", "1"),
        ("Accept", "a/b"),
        ("TE", "trailers"),
        ("x-odd", "2"),
        ("Keep-Alive", "timeout=1"),
        ("X-Road-Request-Id", "forged"),
        ("X-Road-Request-Hash", "forged"),
    ]

    reply = await caller.rest("GET", "/echo", headers)

    request = caller.records(reply.id)[0][0].record.message.decode()
    lines = request.split("\r\n")
    assert lines[2:6] == [
        f"X-Road-Client:{CONSUMER.url}",
        "X-oDd:1",
        "Accept:a/b",
        "x-odd:2",
    ]
    assert [line.partition(":")[0] for line in lines[6:]] == ["x-road-request-id", "x-road-id", ""]
    assert "forged" not in request


def golden_cases(golden: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((golden / "rest-cases.json").read_text())["cases"]
    return cases


_NAMES = {
    "EE/BUSINESS/producer/sub": PROVIDER.url,
    "EE/BUSINESS/producer/s%2Fub": "XG/GOV/200/s%2Fub",
    "EE/BUSINESS/consumer/subsystem": CONSUMER.url,
    "EE/BUSINESS/consumer/sub%2Fsystem": "XG/COM/100/sub%2Fsystem",
    "EE/BUSINESS/consumer/sub": CONSUMER.url,
}


def translated(text: str) -> str:
    for theirs, ours in _NAMES.items():
        text = text.replace(theirs, ours) if text.endswith(theirs) or theirs + "/" in text else text
    return text


@pytest.mark.reference
@pytest.mark.parametrize("number", range(13))
async def test_the_reference_cases_of_rest(caller: Caller, golden: Path, number: int) -> None:
    cases = golden_cases(golden)
    # The last one has a country of its own: test_unusable_addresses_are_passed_over.
    assert ["provider_addresses" in case for case in cases] == [*[False] * 13, True]
    case = cases[number]
    headers = [(name, translated(value)) for name, value in case["headers"].items()]
    if "service_status" in case:
        headers.append(("X-Answer-With", str(case["service_status"])))
    accepts = case.get("accept_to_content_type", [[None, None]])
    replies = []
    for accept, content_type in accepts * case.get("repeat", 1):
        whole = [*headers, ("Accept", accept)] if accept else headers
        reply = await caller.send(
            case["method"], translated(case["path"]), whole, case.get("body", "").encode()
        )
        assert reply.status == case.get("status", 200)
        assert (reply.code if reply.all("x-road-error") else None) == case.get("x_road_error")
        if content_type is not None:
            assert reply.header("content-type") == content_type
        replies.append(reply)
    (first, *others) = replies
    assert case.get("body_has", "") in first.body.decode("latin-1")
    assert len(first.all("date")) == case.get("response_dates", 1)
    assert len(first.body) == case.get("response_bytes", len(first.body))
    if "service_path" in case:
        (target,) = first.all("x-target")
        assert target.endswith(case["service_path"])
    if case["name"] == "redirect of the service is handed on":
        assert first.header("location") == "http://elsewhere.example/a?b=c"
    if case["name"] == "query id kept":
        assert first.id == "any"
    if case["name"].startswith("request hash differs"):
        assert first.header("x-road-request-hash") != others[0].header("x-road-request-hash")


# SOAP


@pytest.mark.parametrize("code", ["tell", "versioned", "rude"])
async def test_a_plain_message_and_its_request_hash(caller: Caller, code: str) -> None:
    query, version = f"plain-{code}", "v1" if code == "versioned" else ""

    reply = await caller.soap(code, query, version=version, content="<a>&lt;</a>")

    assert (reply.status, reply.header("content-type")) == (200, "text/xml; charset=UTF-8")
    sent = soap_request(CONSUMER, PROVIDER, code, query, version=version, content="<a>&lt;</a>")
    assert hash_in(reply.body) == sha512(sent)
    assert f"<p:{code}Response".encode() in reply.body
    mine, theirs = caller.records(query)
    assert mine[0].record.message == theirs[0].record.message == sent
    assert mine[1].record.message == theirs[1].record.message == reply.body
    assert [proof.kind for proof in await caller.prove(query)] == ["plain"] * 4


@pytest.mark.parametrize("mtom", [False, True])
async def test_attachments_reach_the_service_and_come_back(caller: Caller, mtom: bool) -> None:
    query = f"attached-{mtom}"

    reply = await caller.soap("attached", query, FILES, mtom=mtom)

    assert reply.header("content-type").startswith("multipart/related; boundary=")
    message, parts = soap_parts(reply)
    assert parts == [b"\x89PNG\r\n\x1a\n", b"", *(octets for _, octets in FILES)]
    assert len(hash_in(message)) == 88
    proofs = await caller.prove(query)
    assert [proof.kind for proof in proofs] == ["batch"] * 4
    # The digests are in the hash chain; the octets are not in the log (messagelog 1).
    assert [len(proof.parts) for proof in proofs] == [1, 1] * 2
    assert [len(proof.missing) for proof in proofs] == [2, 4] * 2


async def test_a_multipart_with_only_the_message_keeps_its_form(caller: Caller) -> None:
    reply = await caller.soap("lone", "lone-1", [])

    assert reply.header("content-type").startswith("multipart/related; boundary=")
    assert reply.body.count(b"--sandbox-boundary") == 2
    message, parts = soap_parts(reply)
    assert parts == []
    assert b"<p:loneResponse" in message
    assert [proof.kind for proof in await caller.prove("lone-1")] == ["plain"] * 4


async def test_a_fault_of_the_service_comes_home_octet_for_octet(caller: Caller) -> None:
    reply = await caller.soap("faulty", "fault-1")

    assert (reply.status, reply.header("content-type")) == (200, "text/xml;charset=utf-8")
    assert b"<faultcode>s:Server</faultcode>" in reply.body
    assert b"<why>moon</why>" in reply.body
    assert reply.body.startswith(b'<?xml version="1.0"?><s:Envelope')
    assert caller.counts("fault-1") == [1, 1]  # a fault is no evidence (transport trap 8)


async def test_a_byte_order_mark_is_part_of_the_request_and_none_of_the_answer(
    caller: Caller,
) -> None:
    sent = b"\xef\xbb\xbf" + soap_request(CONSUMER, PROVIDER, "bom", "bom-1", version="")

    reply = await caller.post(sent, "text/xml")

    assert reply.body.startswith(b"<?xml")
    assert hash_in(reply.body) == sha512(sent)
    assert caller.records("bom-1")[1][0].record.message == sent
    await caller.prove("bom-1")


async def test_an_answer_in_another_charset_can_be_read_by_its_declaration(
    caller: Caller,
) -> None:
    reply = await caller.soap("latin", "latin-1")

    from lxml import etree

    root = etree.fromstring(reply.body)
    assert "smörgåsbord" in str(root.xpath("string()"))
    await caller.prove("latin-1")


async def test_a_request_in_another_charset_is_carried_as_it_is(caller: Caller) -> None:
    text = soap_request(
        CONSUMER, PROVIDER, "tell", "latin-2", version="", content="õunapuu"
    ).decode()
    sent = text.replace("UTF-8", "ISO-8859-1").encode("iso-8859-1")

    reply = await caller.post(sent, "text/xml; charset=ISO-8859-1")

    assert reply.code == ""
    assert caller.records("latin-2")[1][0].record.message == sent
    await caller.prove("latin-2")


async def test_a_large_message_is_carried_too(caller: Caller) -> None:
    content = "<i>x</i>" * 100_000

    reply = await caller.soap("tell", "large-1", content=content)

    assert reply.code == ""
    assert reply.body.count(b"<i>x</i>") == 100_000
    await caller.prove("large-1")


async def test_a_client_with_a_slash_in_its_name_is_logged_under_it(caller: Caller) -> None:
    client = ClientId("XG", "COM", "100", "sub/system")

    reply = await caller.soap("tell", "slash-1", client=client)

    assert reply.code == ""
    assert caller.records("slash-1")[0][0].record.owner == client
    await caller.prove("slash-1")


# Together


async def test_messages_that_wait_together_share_signatures(caller: Caller) -> None:
    ids: list[str] = []

    async def one(number: int) -> None:
        if number % 4:
            reply = await caller.rest("POST", "/echo", body=b"x" * number)
            assert (reply.status, reply.body) == (200, b"x" * number)
            ids.append(reply.id)
        else:
            reply = await caller.soap("tell", f"many-{number}")
            assert reply.code == ""
            ids.append(f"many-{number}")

    async with trio.open_nursery() as nursery:
        for number in range(1, 21):
            nursery.start_soon(one, number)

    for side in (0, 1):
        logged = [record for id_ in ids for record in caller.records(id_)[side]]
        assert len(logged) == 40
        chained = [r.record.evidence for r in logged if r.record.evidence.chain_result]
        results = {evidence.chain_result for evidence in chained}
        assert len(results) < len(chained)
    for id_ in ids:
        await caller.prove(id_)
