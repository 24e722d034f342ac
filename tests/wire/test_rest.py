"""REST messages: from a caller's HTTP request to signed parts, and back."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.ids import ClientId, RepresentedParty, ServerId, ServiceId
from xgate.wire.rest import (
    BadTarget,
    RestRequest,
    RestResponse,
    check_rest_consistent,
    read_rest_call,
    read_rest_request,
    read_rest_response,
    request_hash,
    write_rest_response,
)
from xgate.wire.rest_head import HEAD_LIMIT

quickly = settings(max_examples=100, deadline=None)
PATH = "/r1/DEV/COM/1234/TestService/mock1"
CLIENT = ("X-Road-Client", "DEV/COM/4321/TestClient")
UUID = "00000000-0000-0000-0000-000000000001"


def call(
    *headers: tuple[str, str], method: str = "GET", target: str = PATH, fresh_id: str = "DEV-1"
) -> RestRequest:
    return read_rest_call(method, target, headers, request_id=UUID, fresh_id=fresh_id)


def sha512(octets: bytes) -> bytes:
    return hashlib.sha512(octets).digest()


def code_of(octets: bytes) -> str:
    with pytest.raises(Fault) as refusal:
        read_rest_request(octets)
    return f"{refusal.value.code}: {refusal.value.text}"


# The worked example of the specification (transport 5.1)

EXAMPLE = (
    b"POST\r\n/r1/DEV/COM/1234/TestService/mock1?a=1\r\n"
    b"X-Road-Client:DEV/COM/4321/TestClient\r\nContent-Type:application/json\r\n"
    b"x-road-request-id:00000000-0000-0000-0000-000000000001\r\nx-road-id:DEV-1\r\n"
)


def test_the_worked_example_octet_for_octet() -> None:
    request = call(
        ("Host", "ss.example"),
        CLIENT,
        ("Content-Type", "application/json"),
        ("Content-Length", "13"),
        method="POST",
        target=PATH + "?a=1",
    )
    assert request.octets == EXAMPLE
    head, body = sha512(request.octets), sha512(b'{"test":true}')
    assert base64.b64encode(head).startswith(b"Qojn+ElQQvXMUkkMzksR3EEFHd15NTBDTURhsAam/Il+29yt")
    assert base64.b64encode(body).startswith(b"a/ACZyGtDpyAluZzPgOQK52GqPcZ8ychXX7vHKsWZSf+NUL6")
    assert request_hash(head, body) == (
        "ZTgNiC9P9TZVNA1IZTBE4CCEzoQFoifSQ7uX0sAdxldQ0FQQfMgMC91Fi/314l5iuZu4lg+TK6Ynbg7jV2hJfg=="
    )
    assert request_hash(head, None) == (
        "Qojn+ElQQvXMUkkMzksR3EEFHd15NTBDTURhsAam/Il+29yt/CVz6EpRbIYikDvYQUzz9lvA0ndyRgUAlI8V8Q=="
    )


def test_an_empty_body_part_is_not_the_same_as_none() -> None:
    head = sha512(EXAMPLE)
    assert request_hash(head, sha512(b"")) != request_hash(head, None)


# From the information system


def test_every_x_road_header_becomes_a_field() -> None:
    request = call(
        CLIENT,
        ("X-Road-Id", "q-1"),
        ("X-Road-UserId", "EE1"),
        ("X-Road-Issue", "7"),
        ("X-Road-Represented-Party", "COM/5"),
        ("X-Road-Security-Server", "DEV/COM/1234/ss1"),
        target=PATH + "/people/a%20b?",
    )
    assert request == RestRequest(
        octets=request.octets,
        verb="GET",
        target=request.target,
        service=ServiceId(ClientId("DEV", "COM", "1234", "TestService"), "mock1"),
        service_path="/people/a%20b",
        headers=request.headers,
        client=ClientId("DEV", "COM", "4321", "TestClient"),
        id="q-1",
        request_id=UUID,
        security_server=ServerId(ClientId("DEV", "COM", "1234"), "ss1"),
        represented_party=RepresentedParty("COM", "5"),
        user_id="EE1",
        issue="7",
    )
    assert request.query == ""
    assert request.octets.endswith(b"x-road-request-id:" + UUID.encode() + b"\r\n")
    assert request.protocol == "REST"


def test_order_duplicates_and_spelling_are_kept_and_values_are_trimmed() -> None:
    request = call(
        ("b", "2"), ("A", " 1\t"), CLIENT, ("b", ""), ("X-Road-Id", "2"), ("x-road-id", "2")
    )
    assert request.octets.split(b"\r\n")[2:] == [
        b"b:2",
        b"A:1",
        b"X-Road-Client:DEV/COM/4321/TestClient",
        b"b:",
        b"X-Road-Id:2",
        b"x-road-id:2",
        b"x-road-request-id:" + UUID.encode(),
        b"",
    ]
    assert request.id == "2"


def test_octets_of_header_values_become_characters_one_to_one() -> None:
    raw = "ö".encode().decode("latin-1")  # as an HTTP server hands it on
    request = call(CLIENT, ("X-Name", raw))
    assert b"X-Name:\xc3\x83\xc2\xb6\r\n" in request.octets
    assert (
        dict(read_rest_request(request.octets).headers)["X-Name"].encode("latin-1") == b"\xc3\xb6"
    )


@pytest.mark.parametrize(
    "name",
    [
        "Transfer-Encoding",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Upgrade",
        "Connection",
        "User-Agent",
        "Host",
        "Content-Length",
        "Server",
        "Expect",
        "X-Road-Request-Id",
        "x-road-request-id",
        "X-Road-Request-Hash",
    ],
)
def test_what_never_enters_the_signed_part(name: str) -> None:
    request = call((name, "mine"), CLIENT)
    assert b"mine" not in request.octets
    assert request.request_id == UUID


def test_refusals_and_their_order() -> None:
    def refusal(*headers: tuple[str, str], method: str = "GET", target: str = PATH) -> str:
        with pytest.raises(Fault) as found:
            call(*headers, method=method, target=target)
        return found.value.code

    assert refusal(method="get", target="/a//b") == "bad_request"
    assert refusal(method="CONNECT", target="h:1") == "bad_request"
    assert refusal(method="get") == "internal_error"
    assert refusal(target="/r1/invalid") == "internal_error"
    assert refusal(("X-Road-Security-Server", "x")) == "internal_error"
    assert refusal() == "invalid_client_identifier"
    assert refusal(("X-Road-Client", "")) == "internal_error"
    assert refusal(CLIENT, ("X-Road-Id", "")) == "internal_error"
    assert refusal(CLIENT, ("A", "x\r\nB: y")) == "internal_error"
    assert refusal(CLIENT, ("A", "x" * HEAD_LIMIT)) == "internal_error"


def test_an_absolute_target_leaves_only_its_path() -> None:
    request = call(CLIENT, ("Host", "ss:8080"), target="http://ss:8080" + PATH + "?x")
    assert request.octets.split(b"\r\n")[1] == PATH.encode() + b"?x"
    with pytest.raises(BadTarget):
        call(CLIENT, ("Host", "other"), target="http://ss:8080" + PATH)


# At the provider


def test_a_sent_request_is_received_as_the_same_value() -> None:
    request = call(CLIENT, ("A", "\xe4"), method="PUT", target=PATH + "/x?y")
    received = read_rest_request(request.octets)
    assert received == request
    assert received.canonical


def test_a_query_that_only_java_refuses_may_be_sent_and_is_refused_at_the_provider() -> None:
    request = call(CLIENT, target=PATH + "?{|}")
    assert code_of(request.octets) == "internal_error: Invalid request URI"


@quickly
@given(
    st.sampled_from(["GET", "POST", "TRACE"]),
    st.text("ab/._~", max_size=8).filter(lambda rest: "//" not in rest and ".." not in rest),
    st.none() | st.text("xy=&?/", max_size=8),
    st.lists(
        st.tuples(
            st.sampled_from(["A", "b", "X-Road-Custom", "Cookie"]),
            st.text(
                st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")
            ),
        )
    ),
)
def test_any_call_survives_the_way(
    verb: str, rest: str, query: str | None, headers: list[tuple[str, str]]
) -> None:
    target = f"{PATH}/{rest.lstrip('/')}" + ("" if query is None else "?" + query)
    request = call(*headers, CLIENT, method=verb, target=target)
    received = read_rest_request(request.octets)
    assert received == request
    assert received.canonical
    assert str(received.target) == target


GOOD = EXAMPLE.decode()


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        ("POST", "post", "internal_error: Unsupported method post"),
        ("POST", "CONNECT", "internal_error: Unsupported method CONNECT"),
        ("POST", " POST", "internal_error: Unsupported method  POST"),
        ("/r1/DEV", "//r1/DEV", "internal_error: Invalid request URI"),
        ("/r1/DEV", "http://h/r1/DEV", "internal_error: Invalid request URI"),
        ("?a=1", "?{}", "internal_error: Invalid request URI"),
        ("Content-Type:", "Content-Length:", "internal_error: Invalid header: Content-Length"),
        ("Content-Type:", "Content-Type", "internal_error: Invalid header"),
        ("Content-Type:", "\r\nContent-Type:", "internal_error: Invalid header"),
        ("x-road-id", "x-id", "internal_error: REST request has no x-road-id header"),
        (
            "x-road-request-id",
            "X-Road-Request-Id",
            "internal_error: REST request has no x-road-request-id header",
        ),
        ("X-Road-Client", "X", "internal_error: REST request has no X-Road-Client header"),
        ("Client:DEV", "Client: DEV", "internal_error: Invalid character in path segment"),
    ],
)
def test_the_receiver_is_strict(old: str, new: str, refusal: str) -> None:
    assert code_of(GOOD.replace(old, new).encode()) == refusal


@pytest.mark.parametrize(
    ("old", "new"), [("\r\n", "\n"), ("DEV-1\r\n", "DEV-1"), ("?a=1", "?a=1#f")]
)
def test_other_forms_are_readable_but_not_canonical(old: str, new: str) -> None:
    request = read_rest_request(GOOD.replace(old, new).encode())
    assert not request.canonical
    assert str(request.target) == PATH + "?a=1"


@quickly
@given(st.binary(max_size=60), st.integers(0, len(EXAMPLE)))
def test_garbage_is_only_ever_refused(garbage: bytes, place: int) -> None:
    octets = EXAMPLE[:place] + garbage + EXAMPLE[place + len(garbage) :]
    for read in (read_rest_request, read_rest_response):
        code = "internal_error"
        try:
            read(octets)
        except Fault as fault:
            code = fault.code
        assert code == "internal_error"


# The answer


def test_five_lines_are_appended_in_order_and_the_service_s_own_removed() -> None:
    answer = write_rest_response(
        call(CLIENT),
        200,
        "OK",
        [
            ("Content-Type", "application/json"),
            ("X-Road-Id", "x"),
            ("X-Road-Request-Hash", "x"),
            ("X-Road-Client", "x"),
            ("X-Road-Request-Id", "x"),
            ("X-Road-Service", "a/b/c/d/e"),
            ("X-Road-Error", "passes"),
            ("Server", "nginx"),
            ("Transfer-Encoding", "chunked"),
            ("Set-Cookie", "a"),
            ("Set-Cookie", "b"),
        ],
        "aGFzaA==",
    )
    assert answer.octets.decode().split("\r\n") == [
        "200",
        "OK",
        "Content-Type:application/json",
        "X-Road-Service:a/b/c/d/e",
        "X-Road-Error:passes",
        "Set-Cookie:a",
        "Set-Cookie:b",
        "x-road-id:DEV-1",
        "x-road-client:DEV/COM/4321/TestClient",
        "x-road-service:DEV/COM/1234/TestService/mock1",
        f"x-road-request-id:{UUID}",
        "x-road-request-hash:aGFzaA==",
        "",
    ]
    assert read_rest_response(answer.octets) == answer


def test_identifiers_are_escaped_in_the_answer() -> None:
    request = call(
        ("X-Road-Client", "EE/BUSINESS/consumer/sub%2Fsystem"),
        target="/r1/EE/BUSINESS/producer/s%2fub/%C3%B6+%20/",
    )
    answer = write_rest_response(request, 204, "", [], "h")
    assert b"x-road-client:EE/BUSINESS/consumer/sub%2Fsystem\r\n" in answer.octets
    assert b"x-road-service:EE/BUSINESS/producer/s%2Fub/%C3%B6+%20\r\n" in answer.octets
    assert answer.octets.startswith(b"204\r\n\r\nx-road-id")
    assert read_rest_response(answer.octets) == answer


def test_an_answer_that_can_not_be_written_is_refused() -> None:
    for status, reason, headers in (
        (101, "", []),
        (200, "a\r\nb", []),
        (200, "", [("A", "\n")]),
        (200, "", [("A b", "")]),
    ):
        with pytest.raises(Fault):
            write_rest_response(call(CLIENT), status, reason, headers, "h")


ANSWER = write_rest_response(call(CLIENT), 200, "OK", [("A", "1")], "aGFzaA==")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("200", "20", "REST response has no valid status"),
        ("200", "+200", "REST response has no valid status"),
        ("200", "101", "REST response has no valid status"),
        ("200", "٢٠٠", "REST response has no valid status"),
        ("OK", "O\x00K", "Invalid header: reason"),
        ("x-road-id:DEV-1", "x-road-id:", "Invalid REST Response message"),
        ("x-road-id:DEV-1\r\n", "", "Invalid REST Response message"),
        ("x-road-request-hash:aGFzaA==", "x-road-request-hash:", "Invalid REST Response message"),
        ("x-road-request-hash", "x", "Invalid REST Response message"),
        ("/mock1", "", "Invalid Service Id"),
        ("/TestClient", "/a/b", "Invalid Client Id"),
        ("A:1", "Connection:close", "Invalid header: Connection"),
    ],
)
def test_the_reader_of_answers_is_strict(old: str, new: str, text: str) -> None:
    with pytest.raises(Fault) as refusal:
        read_rest_response(ANSWER.octets.decode().replace(old, new).encode())
    assert (refusal.value.code, refusal.value.text) == ("internal_error", text)


def test_the_answer_must_belong_to_the_request() -> None:
    request = call(CLIENT)
    check_rest_consistent(request, ANSWER, "aGFzaA==")

    def complaint(**changed: object) -> str:
        answer = msgspec.structs.replace(ANSWER, **changed)
        with pytest.raises(Fault) as refusal:
            check_rest_consistent(request, answer, "aGFzaA==")
        assert refusal.value.code == "inconsistent_response"
        return refusal.value.text

    other = {"client": None, "id": "x", "service": None, "request_id": "x", "request_hash": "x"}
    texts = []
    while other:
        texts.append(complaint(**other))
        other.pop(next(iter(other)))
    assert texts == [
        "Response client id does not match request message",
        "Response message id does not match request message",
        "Response service id does not match request message",
        "Response message request id does not match request message",
        "Response message hash does not match request message",
    ]


def test_the_last_service_header_is_the_one_that_counts() -> None:
    octets = ANSWER.octets.replace(b"A:1", b"X-Road-Service:a/b/c/d/e")
    check_rest_consistent(call(CLIENT), read_rest_response(octets), "aGFzaA==")


# What the reference made


@pytest.mark.reference
def test_parts_of_the_reference(golden: Path) -> None:
    folder = golden / "messages" / "rest"
    request = read_rest_request((folder / "request-message.bin").read_bytes())
    assert (request.verb, str(request.target), request.service_path) == ("POST", PATH, "")
    assert request.client.short == "DEV/COM/4321/TestClient"
    assert request.id == "DEV-7012d0aa-a51d-4200-94ed-1e68f43bccfc"
    assert request.request_id == "9bb842bb-9256-429b-8e9d-278c7b94f8f1"
    assert request.canonical

    response = read_rest_response((folder / "response-message.bin").read_bytes())
    assert (response.status, response.reason) == (200, "OK")
    assert response.service == request.service
    assert response.id == "DEV-232d19d1-9153-453b-b71a-f1f3cd195612"
    again = write_rest_response(
        msgspec.structs.replace(request, id=response.id, request_id=response.request_id or ""),
        response.status,
        response.reason,
        response.headers[:3],
        response.request_hash,
    )
    assert again == response


@pytest.mark.reference
def test_calls_of_the_reference_s_suite(golden: Path) -> None:
    cases = json.loads((golden / "rest-cases.json").read_text())["cases"]
    outcomes: dict[str, RestRequest | str] = {}
    for case in cases:
        try:
            outcomes[case["name"]] = call(
                *case["headers"].items(), method=case["method"], target=case["path"]
            )
        except Fault as fault:
            outcomes[case["name"]] = fault.under("server.clientproxy").code
    refused = {name: code for name, code in outcomes.items() if isinstance(code, str)}
    assert refused == {
        case["name"]: case["x_road_error"]
        for case in cases
        if case["name"] in ("client header missing", "bad path")
    }
    for case in cases:
        request = outcomes[case["name"]]
        if "service_path" in case:
            assert isinstance(request, RestRequest)
            assert request.service_path == case["service_path"]
    encoded = outcomes["percent-encoded identifiers"]
    assert isinstance(encoded, RestRequest)
    assert encoded.service.parts[3:] == ("s/ub", "öäå")
    assert encoded.client.subsystem_code == "sub/system"
    kept = outcomes["query id kept"]
    assert isinstance(kept, RestRequest)
    assert kept.id == "any"


def test_no_repr_shows_headers_or_queries() -> None:
    request = call(CLIENT, ("Authorization", "secret"), target=PATH + "/secret?secret")
    answer = write_rest_response(request, 200, "", [("Set-Cookie", "secret")], "h")
    for value in (request, answer):
        assert "secret" not in repr(value)
        assert "secret" not in repr(value.__rich_repr__())
        assert value.id in repr(value)
    assert isinstance(answer, RestResponse)
