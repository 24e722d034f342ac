"""The reference's own messages through real servers, with the outcomes that it states for them.

Identifiers are changed to those of the country at work; every other octet stays. What only has to
be read is sent as it is: its client is unknown here, which is said after the whole was read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.conftest import Caller, new_country
from tests.journeys.spoken import http, saying

from xgate.clock import SystemClock
from xgate.net.server import Exchange
from xgate.sandbox.background import run_in_background
from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.sandbox.desk import Desk
from xgate.sandbox.ports import find_free_ports
from xgate.sandbox.script import stand_in
from xgate.wire.attachments import Head, SoapBodyReader
from xgate.wire.transport import write_response_head

pytestmark = pytest.mark.reference

Unserved = tuple[Caller, int]
SERVICES = (("getState", ""), ("test", ""), ("testQuery", ""), ("xroadGetRandom", "v1"))
XML = "text/xml; charset=UTF-8"


@pytest.fixture(scope="module")
def unserved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unserved]:
    """A country that has the services of these messages; they are left to the tests."""
    country = new_country(tmp_path_factory.mktemp("suite"))
    (port,) = find_free_ports(1, ["127.0.0.1"])
    settings = country.provider.settings
    text = settings.read_text().replace('code = "test"', 'code = "bytes"')
    place = text.index("\n[[client.service]]")
    more = "".join(
        f'\n[[client.service]]\ncode = "{code}"\ntype = "SOAP"\nurl = "http://127.0.0.1:{port}/"\n'
        f'allow = ["{CONSUMER.short}"]\n' + (f'version = "{version}"\n' if version else "")
        for code, version in SERVICES
    )
    settings.write_text(text[:place] + more + text[place:])
    with (
        run_in_background(country, SystemClock(), services=Desk().serve) as running,
        closing(Caller(running)) as caller,
    ):
        yield caller, port


@pytest.fixture(scope="module")
def items(golden: Path) -> dict[str, dict[str, Any]]:
    listed = json.loads((golden / "expected.json").read_text())["items"]
    return {item["file"]: item for item in listed if item["file"].startswith("messages/")}


_MEMBER = re.compile(
    rb"(?P<a>xRoadInstance>)EE(?P<b></\w+:xRoadInstance>\s*<(?P<p>\w+):memberClass>)BUSINESS"
    rb"(?P<c></\w+:memberClass>\s*<\w+:memberCode>)(?P<who>consumer|producer|attachment)(?P<d></\w+:memberCode>)"
    rb"(\s*<\w+:subsystemCode>[^<]*</\w+:subsystemCode>)?"
)


def at_home(octets: bytes) -> bytes:
    """The same message between members of the country at work."""

    def move(match: re.Match[bytes]) -> bytes:
        client = CONSUMER if match["who"] == b"consumer" else PROVIDER
        instance, kind, code, subsystem = (part.encode() for part in client.parts)
        tag = match["p"] + b":subsystemCode>"
        return b"".join(
            (
                *(match["a"], instance, match["b"], kind, match["c"], code, match["d"]),
                *(b"<", tag, subsystem, b"</", tag),
            )
        )

    return _MEMBER.sub(move, octets)


def message_in(octets: bytes, kind: str) -> bytes:
    """The message itself, of a body of this type."""
    reader = SoapBodyReader(kind)
    (head,) = (e for e in (*reader.feed(octets), *reader.finish()) if isinstance(e, Head))
    return head.octets


def kind_of(item: dict[str, Any], octets: bytes) -> str:
    """The type that a file is sent with; some multiparts are listed as XML."""
    kind = str(item.get("content_type", XML))
    if octets.startswith(b"--") and not kind.lower().startswith("multipart"):
        return f"multipart/related; boundary={octets[2:].split(None, 1)[0].decode()}"
    return kind


async def test_refused_requests_have_the_code_that_the_reference_gives(
    unserved: Unserved, golden: Path, items: dict[str, dict[str, Any]]
) -> None:
    caller, _ = unserved
    refused = {file: item for file, item in items.items() if "/soap/invalid/" in file}
    assert len(refused) == 11
    for file, item in refused.items():
        octets = at_home((golden / file).read_bytes())
        reply = await caller.post(octets, kind_of(item, octets))
        leaf = reply.code.removeprefix("client.")
        assert reply.status == 200
        assert reply.code == f"client.{leaf}"
        assert re.search(rf"(FAIL|client\.|FAIL client\.) ?{leaf}\b", item["expect"]), file
    reply = await caller.post(b"", "multipart/related; boundary=b")
    assert reply.code == "client.missing_soap"


@pytest.mark.parametrize(
    ("file", "kind", "leaf"),
    [
        ("empty.query", "text/xml", "invalid_soap"),
        ("empty.query", "multipart/related; boundary=b", "invalid_message"),
        ("attachm-error.query", None, "invalid_content_type"),
    ],
)
async def test_the_same_as_answers_of_a_service(
    unserved: Unserved,
    golden: Path,
    items: dict[str, dict[str, Any]],
    file: str,
    kind: str | None,
    leaf: str,
) -> None:
    caller, port = unserved
    name = f"messages/soap/invalid/{file}"
    octets = (golden / name).read_bytes()
    request = at_home((golden / "messages/soap/valid/xml.query").read_bytes())
    async with saying(port, http(octets, kind or kind_of(items[name], octets))):
        reply = await caller.post(request)

    assert reply.code == f"server.serverproxy.service_failed.{leaf}"
    assert leaf in items[name]["expect"]


ANSWERED = {
    "getstate": "getstate",
    "getstate-subsystem": "getstate-subsystem",
    "cdata": "cdata",
    "attachm": "attachm",
    "attachm2": "attachm2",
    "attachments": "attachm",
    "attachm-mtom": "attachm",
    "simple": "simple",
    "simple-rpc": "simple",
    "request-suffix": "simple",
    "missing-userId": "missing-userId",
    "smallAttachment": "attachm",
    "xml": "getstate",
}
NOT_ITS_OWN = {"xml"}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
async def test_accepted_messages_go_there_as_they_are_and_their_answers_come_home(
    unserved: Unserved, golden: Path, items: dict[str, dict[str, Any]], mark: bytes
) -> None:
    caller, port = unserved
    other: set[str] = set()
    for query, answer in ANSWERED.items():
        files = f"messages/soap/valid/{query}.query", f"messages/soap/valid/{answer}.answer"
        request, given = (at_home((golden / file).read_bytes()) for file in files)
        kinds = kind_of(items[files[0]], request), kind_of(items[files[1]], given)
        if not kinds[0].lower().startswith("multipart"):
            request = mark + request
        async with saying(port, http(given, kinds[1])) as heard:
            reply = await caller.post(request, kinds[0])
        assert len(heard) == 1, (query, reply.code, reply.text)
        assert message_in(request, kinds[0]) in _unchunked(heard[0])
        if reply.code:
            assert reply.code == "server.clientproxy.service_failed.inconsistent_response", query
            other.add(query)
        else:
            _, _, content = message_in(given, kinds[1]).partition(b"Body>")
            assert content in reply.body
    assert other == NOT_ITS_OWN


def _unchunked(request: bytes) -> bytes:
    _, _, rest = request.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


async def test_faults_are_told_on(unserved: Unserved, golden: Path) -> None:
    caller, port = unserved
    folder = golden / "messages/soap/valid"
    fault, poor = (folder / name for name in ("fault.query", "faulty-fault.answer"))
    request = at_home((folder / "xml.query").read_bytes())
    sent = await caller.post(fault.read_bytes())
    assert (sent.code, sent.text) == ("client.code", "STRING")
    for file, code in ((fault, "CODE"), (poor, "soap:Server")):
        async with saying(port, http(file.read_bytes(), XML, "500 Internal Server Error")):
            reply = await caller.post(request)
        assert (reply.code, reply.body) == (code, file.read_bytes())


async def test_who_may_not_and_who_is_not(unserved: Unserved, golden: Path) -> None:
    caller, _ = unserved
    folder = golden / "messages/soap/valid"
    denied = at_home((folder / "notAllowed.query").read_bytes())
    denied = re.sub(rb"([:>])test\b", rb"\1hidden", denied)
    nobody = at_home((folder / "missing-org.query").read_bytes())
    assert (await caller.post(denied)).code == "server.serverproxy.access_denied"
    assert (await caller.post(nobody)).code == "server.clientproxy.unknown_member"


async def test_questions_about_services_are_answered_by_the_server(
    unserved: Unserved, golden: Path
) -> None:
    caller, _ = unserved
    folder = golden / "messages/metaservice"
    methods = await caller.post(at_home((folder / "listMethods.query").read_bytes()))
    wsdl = await caller.post(at_home((folder / "getWsdl.query").read_bytes()))
    assert (methods.code, b"getState" in methods.body) == ("", True)
    assert wsdl.code == "server.serverproxy.unknown_service"


READ = ("monitoring/", "metaservice/", "opmon/", "real-7.4/", "soap/template/", "soap/valid/")


async def test_all_requests_are_read_to_their_end(
    unserved: Unserved, golden: Path, items: dict[str, dict[str, Any]]
) -> None:
    caller, _ = unserved
    codes: dict[str, str] = {}
    for file, item in items.items():
        if not file.startswith(tuple(f"messages/{folder}" for folder in READ)):
            continue
        octets = (golden / file).read_bytes()
        reply = await caller.post(octets, kind_of(item, octets))
        codes[file] = reply.code
    odd = {file: code for file, code in codes.items() if not code.endswith(".unknown_member")}
    assert odd == {
        "messages/soap/valid/fault.query": "client.code",
        "messages/soap/valid/faulty-fault.answer": "client.soap:server",
    }
    # With those of the proxies, and of REST, no message of the reference is left out.
    others = ("messages/soap/invalid/", "messages/proxy/", "messages/rest/")
    assert {file for file in items if not file.startswith(others)} == set(codes)


async def test_the_bodies_of_the_rest_tests_pass(unserved: Unserved, golden: Path) -> None:
    caller, _ = unserved
    folder = golden / "messages/rest"
    kinds = [("Content-Type", "application/json")]
    for file in ("rest-test-1.json", "provider-mock-1.json", "request-body.bin"):
        octets = (folder / file).read_bytes()
        reply = await caller.rest("POST", "/echo", kinds, octets)
        assert (reply.status, reply.body) == (200, octets)


_PARTY = re.compile(
    rb"<(?P<p>\w+):(?P<name>client|service)\b[^>]*>.*?</(?P=p):(?P=name)>", re.DOTALL
)
_PART = re.compile(rb"(<\w+:(?:xRoadInstance|memberClass|memberCode|subsystemCode)>)[^<]*(</)")


def moved(octets: bytes) -> bytes:
    """The same message from the consumer to the provider, whoever they were."""

    def move(match: re.Match[bytes]) -> bytes:
        parts = iter((CONSUMER if match["name"] == b"client" else PROVIDER).parts)
        return _PART.sub(lambda part: part[1] + next(parts).encode() + part[2], match[0])

    return _PARTY.sub(move, octets)


async def test_queries_of_the_monitoring_tests_reach_the_provider(
    unserved: Unserved, golden: Path
) -> None:
    caller, port = unserved
    folder = golden / "messages/opmon/systemtest"
    methods = await caller.post(moved((folder / "list_methods.query").read_bytes()))
    unknown = await caller.post(moved((folder / "unknown_service.query").read_bytes()))
    faulty = moved((folder / "soap_fault.query").read_bytes())
    told = (golden / "messages/soap/valid/faulty-fault.answer").read_bytes()
    async with saying(port, http(told, XML, "500 Internal Server Error")):
        fault = await caller.post(faulty)

    assert methods.code == ""
    assert unknown.code == "server.serverproxy.unknown_service"
    assert (fault.code, fault.body) == ("soap:Server", told)


async def test_a_message_without_a_signature_as_an_answer(golden: Path, lonely: Caller) -> None:
    body = (golden / "messages/proxy/no-signature.query").read_bytes()
    boundary = body[2:].split(None, 1)[0].decode()

    async def act(exchange: Exchange) -> None:
        while await exchange.receive():
            pass
        head = write_response_head("SOAP", boundary=boundary, original_content_type=XML)
        await exchange.respond(200, head, body)

    async with stand_in(lonely.country) as script:
        script.act = act
        reply = await lonely.soap("tell", "unsigned-1")

    assert reply.code == "server.clientproxy.missing_signature"
    assert lonely.counts("unsigned-1") == [1, 0]
