"""The filter before h11: what two HTTP readers could read differently does not pass."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.net.errors import HttpError
from xgate.net.strict import FIELD_LIMIT, Framing, StrictFilter, check_request, check_response

GET = b"GET /a?b=c HTTP/1.1\r\nHost: example.org\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def request_filter() -> StrictFilter:
    return StrictFilter(check_request)


def outcome(parts: list[bytes]) -> tuple[list[object], int | None]:
    """What h11 makes of all that passes of one message, and the status of a refusal."""
    strict = request_filter()
    passed = b""
    status = None
    try:
        for part in [*parts, b""]:
            passed += strict.feed(part)
    except HttpError as error:
        status = error.status
    return meaning(passed), status


def meaning(passed: bytes) -> list[object]:
    """The kinds of h11's events, and the octets of the body together: its chunks mean nothing."""
    reader = h11.Connection(h11.SERVER)
    if passed:
        reader.receive_data(passed)
    kinds: list[object] = []
    body = b""
    while not kinds or kinds[-1] is not h11.EndOfMessage:
        event = reader.next_event()
        if event is h11.NEED_DATA:
            break
        if isinstance(event, h11.Data):
            body += event.data
        else:
            kinds.append(event if isinstance(event, h11.Request) else type(event))
    return [*kinds, body]


GOOD = [
    GET + b"\r\n",
    b"\r\n" + GET + b"\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://X:80/a HTTP/1.1\r\nHost: x:80\r\n\r\n",
    b"get /lower HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n",
    b"GET /a?b=\xc3\xb5?\xff HTTP/1.1\r\nHost: x\r\nX-Latin: \xe4\r\n\r\n",
    GET + b"X-Empty:\r\nx-tab: a\tb \t\r\nX-Latin: \xe4\xf6\r\n\r\n",
    POST + b"Content-Length: 5\r\n\r\nhello",
    POST + b"Content-Length: 0\r\n\r\n",
    POST + b"Content-Type: text/xml\r\ncontent-type: text/xml\r\n\r\n",
    CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"005;name=value\r\nhello\r\nA;x\r\n0123456789\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n",
    POST + b"Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
]


def test_octets_beyond_ascii_in_a_query_pass_as_escapes() -> None:
    line = b"GET /a?b=T\xc3\xb5nu&\xff HTTP/1.1\r\n"
    rest = b"Host: x\r\nX-Latin: \xe4\r\n\r\n"
    passed = request_filter().feed(line + rest)
    assert passed == b"GET /a?b=T%C3%B5nu&%FF HTTP/1.1\r\n" + rest
    answer = b"HTTP/1.1 200 \xe4\r\nContent-Length: 0\r\n\r\n"
    assert StrictFilter(lambda head: check_response(head, b"GET")).feed(answer) == answer


BAD = {
    "length and coding": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "coding and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "the same length twice": POST + b"Content-Length: 5\r\ncontent-length: 5\r\n\r\n",
    "a list of lengths": POST + b"Content-Length: 5, 5\r\n\r\n",
    "a signed length": POST + b"Content-Length: +5\r\n\r\n",
    "a hexadecimal length": POST + b"Content-Length: 0x5\r\n\r\n",
    "an empty length": POST + b"Content-Length: \r\n\r\n",
    "an endless length": POST + b"Content-Length: 9999999999999999999\r\n\r\n",
    "two types": POST + b"Content-Type: text/xml\r\nContent-TYPE: text/html\r\n\r\n",
    "a length with a leading zero": POST + b"Content-Length: 05\r\n\r\nhello",
    "a length with an underscore": POST + b"Content_Length: 5\r\n\r\n",
    "a coding with an underscore": POST + b"transfer_encoding: chunked\r\n\r\n",
    "a length for one hop": POST + b"Connection: x, Content-Length\r\nContent-Length: 5\r\n\r\n",
    "a coding for one hop": CHUNKED[:-2] + b"Connection: Transfer-Encoding\r\n\r\n0\r\n\r\n",
    "a Host for one hop": GET + b"Connection: close\r\nconnection: host\r\n\r\n",
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "a coding in quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n',
    "a coding with a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n",
    "a coding in 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a blank before the colon": POST + b"Content-Length : 5\r\n\r\n",
    "a folded line": GET + b"X-A: b\r\n c\r\n\r\n",
    "a fold first": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "a line without colon": GET + b"X-A\r\n\r\n",
    "an empty name": GET + b": v\r\n\r\n",
    "a name that is no token": GET + b"X A: v\r\n\r\n",
    "a NUL in a value": GET + b"X-A: a\x00b\r\n\r\n",
    "a control character in a value": GET + b"X-A: a\x1bb\r\n\r\n",
    "a DEL in a value": GET + b"X-A: a\x7fb\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: x\n\n",
    "one bare LF": GET + b"X-A: b\nX-C: d\r\n\r\n",
    "a bare LF at the end": GET + b"\n",
    "bare CR": GET + b"X-A: b\rX-C: d\r\n\r\n",
    "a CR too many": GET + b"X-A: b\r\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: example.org\r\n\r\n",
    "a Host with a path": b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "a Host with a user": b"GET / HTTP/1.1\r\nHost: u@x\r\n\r\n",
    "a Host with a list": b"GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
    "another host in the target": b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
    "a user in the target": b"GET http://u@b/ HTTP/1.1\r\nHost: b\r\n\r\n",
    "no host in the target": b"GET http:///x HTTP/1.1\r\nHost: \r\n\r\n",
    "another scheme": b"GET ftp://b/ HTTP/1.1\r\nHost: b\r\n\r\n",
    "a target without a slash": b"GET a HTTP/1.1\r\nHost: x\r\n\r\n",
    "a star for GET": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
    "octets beyond ASCII in the path": b"GET /\xe4?a HTTP/1.1\r\nHost: x\r\n\r\n",
    "an octet beyond ASCII for a path": b"GET \xe4 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a blank in the query": b"GET /?a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "lower-case http": b"GET / http/1.1\r\nHost: x\r\n\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab for a blank": b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a blank at the end": b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
    "two empty lines first": b"\r\n\r\n" + GET + b"\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "the HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a signed chunk size": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a blank after the size": CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
    "an empty size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "an enormous size": CHUNKED + b"FFFFFFFFFFFFFFFFF\r\n",
    "a bare LF after the size": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "a bare LF in an extension": CHUNKED + b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a long extension": CHUNKED + b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n",
    "a long extension without end": CHUNKED + b"5;" + b"a" * 300,
    "a chunk too long": CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n",
    "a bare LF after a chunk": CHUNKED + b"5\r\nhello\n0\r\n\r\n",
    "a length as trailer": CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n",
    "a coding as trailer": CHUNKED + b"0\r\ntransfer-encoding: chunked\r\n\r\n",
    "a Host as trailer": CHUNKED + b"0\r\nHost: y\r\n\r\n",
    "a trailer without colon": CHUNKED + b"0\r\nGET / HTTP/1.1\r\n\r\n",
    "a folded trailer": CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n",
    "a bare LF in trailers": CHUNKED + b"0\r\nA: b\n\r\n",
}


@pytest.mark.parametrize("data", GOOD)
def test_ordinary_requests_pass_and_h11_reads_them_to_the_end(data: bytes) -> None:
    reader = h11.Connection(h11.SERVER)
    approved = request_filter().feed(data)
    reader.receive_data(approved)
    while type(reader.next_event()) is not h11.EndOfMessage:
        pass
    assert reader.trailing_data == (b"", False)


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_ambiguous_requests_are_refused_with_400(data: bytes) -> None:
    assert outcome([data])[1] == 400


def test_a_head_has_a_limit_and_so_has_its_first_line() -> None:
    fitting = GET + b"X: " + b"a" * (8192 - len(GET) - 3)
    assert request_filter().feed(fitting + b"\r\n\r\n")
    assert outcome([fitting + b"a\r\n\r\n"])[1] == 431
    assert outcome([fitting + b"aa"])[1] == 431
    assert outcome([b"GET /" + b"a" * 8192])[1] == 414
    assert outcome([CHUNKED + b"0\r\n" + b"A: b\r\n" * 2000])[1] == 400


def test_a_head_may_have_only_so_many_headers() -> None:
    line = b"A: b\r\n"
    fitting = GET + line * (FIELD_LIMIT - 1)  # with the Host
    strict = request_filter()
    assert strict.feed(fitting) == b""
    assert strict.feed(b"\r\n")
    assert outcome([fitting + line + b"\r\n"])[1] == 431
    assert outcome([fitting + line + line])[1] == 431  # before all of it has come
    assert StrictFilter(check_request, fields=2).feed(GET + line + b"\r\n")
    with pytest.raises(HttpError, match="more than 2 headers"):
        StrictFilter(check_request, fields=2).feed(GET + line * 2 + b"\r\n")


def test_chunk_extensions_and_trailers_are_gone() -> None:
    passed = request_filter().feed(CHUNKED + b"005;e\r\nhello\r\n0\r\nA: b\r\n\r\n")
    assert passed == CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"


def test_many_small_chunks_pass_as_one() -> None:
    """h11 takes its time over every chunk, and a sender could make one of every octet."""
    strict = request_filter()
    passed = strict.feed(CHUNKED + b"1\r\nx\r\n" * 1000 + b"5\r\nab")
    assert passed == CHUNKED + b"3ea\r\n" + b"x" * 1000 + b"ab\r\n"
    assert strict.feed(b"cde") == b"3\r\ncde\r\n"
    assert strict.feed(b"\r") == strict.feed(b"\n0") == b""
    assert strict.feed(b"\r\n\r\n") == b"0\r\n\r\n"


def test_what_came_before_an_offence_passes() -> None:
    strict = request_filter()
    assert strict.feed(CHUNKED + b"1\r\nx\r\n2\r\nyz!") == CHUNKED + b"3\r\nxyz\r\n"
    with pytest.raises(HttpError, match="longer than it says"):
        strict.feed(b"")


def test_one_message_at_a_time_passes() -> None:
    strict = request_filter()
    assert not strict.begun
    assert strict.feed(GET + b"\r\n" + GET + b"X: y\r\n\r\nGARBAGE\n") == GET + b"\r\n"
    assert strict.feed(b"more") == b""
    assert strict.next_message() == GET + b"X: y\r\n\r\n"
    with pytest.raises(HttpError):
        strict.next_message()


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


@settings(max_examples=100, deadline=None)
@given(data=st.sampled_from([*GOOD, *BAD.values()]), cuts=st.lists(st.integers(0, 9000)))
def test_the_pieces_borders_do_not_matter(data: bytes, cuts: list[int]) -> None:
    assert outcome(pieces(data, cuts)) == outcome([data])
    assert outcome([data[n : n + 1] for n in range(len(data))]) == outcome([data])


@settings(max_examples=100, deadline=None)
@given(
    base=st.sampled_from([*GOOD, *BAD.values()]),
    place=st.integers(0, 10_000),
    junk=st.binary(max_size=4) | st.sampled_from([b"\r", b"\n", b"\r\n", b" ", b":", b"\t"]),
    cuts=st.lists(st.integers(0, 10_000)),
)
def test_what_passes_means_the_same_to_h11(
    base: bytes, place: int, junk: bytes, cuts: list[int]
) -> None:
    """h11 never objects to what the filter let pass, and finds the end where the filter did."""
    place %= len(base) + 1
    data = base[:place] + junk + base[place:]
    assert outcome(pieces(data, cuts)) == outcome([data])
    strict = request_filter()
    reader = h11.Connection(h11.SERVER)
    try:
        passed = strict.feed(data)
        strict.check_standing()
    except HttpError:
        return
    if passed:
        reader.receive_data(passed)
    event = reader.next_event()
    while event is not h11.NEED_DATA and not isinstance(event, h11.EndOfMessage):
        event = reader.next_event()
    assert isinstance(event, h11.EndOfMessage) == (strict._step == strict._finished)
    assert not isinstance(event, h11.EndOfMessage) or reader.trailing_data[0] == b""


@settings(max_examples=100, deadline=None)
@given(pieces=st.lists(st.binary(max_size=80)), start=st.sampled_from([b"", CHUNKED, GET]))
def test_garbage_is_refused_or_waits_for_more_but_never_crashes(
    pieces: list[bytes], start: bytes
) -> None:
    for strict in (request_filter(), StrictFilter(lambda head: check_response(head, b"GET"))):
        with suppress(HttpError):
            for piece in [start, *pieces]:
                strict.feed(piece)


RESPONSE_BAD = {
    "both": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two types": b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Type: a/c\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a switch": b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n",
    "HTTP/2": b"HTTP/2 200\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\n\n",
    "a fold": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "no response": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
}


@pytest.mark.parametrize("data", RESPONSE_BAD.values(), ids=RESPONSE_BAD.keys())
def test_ambiguous_responses_are_refused(data: bytes) -> None:
    with pytest.raises(HttpError):
        StrictFilter(lambda head: check_response(head, b"GET")).feed(data)


def test_a_responses_end_depends_on_method_status_and_headers() -> None:
    sized = b"HTTP/1.1 200 OK\r\nContent-Length: 7"
    assert check_response(sized, b"GET") == (Framing.SIZED, 7)
    assert check_response(sized, b"HEAD") == (Framing.SIZED, 0)
    assert check_response(sized.replace(b"200", b"304"), b"GET") == (Framing.SIZED, 0)
    assert check_response(b"HTTP/1.1 204 ", b"GET") == (Framing.SIZED, 0)
    assert check_response(b"HTTP/1.1 100 Continue", b"POST") == (Framing.INTERIM, 0)
    assert check_response(b"HTTP/1.0 200 OK", b"GET") == (Framing.UNTIL_CLOSE, 0)
    chunked = b"HTTP/1.1 500\r\nTransfer-Encoding: chunked"
    assert check_response(chunked, b"GET") == (Framing.CHUNKED, 0)


def by_octets(head: bytes, limit: int, fields: int) -> set[str]:
    """What a filter says of a head, whole, in single octets, and cut in two at each place."""
    said = set()
    octets = [head[i : i + 1] for i in range(len(head))]
    for parts in ([head], octets, *([head[:i], head[i:]] for i in range(len(head)))):
        strict = StrictFilter(check_request, limit, fields)
        try:
            passed = b"".join(strict.feed(part) for part in [*parts, b""])
            said.add(f"passes {len(passed)}")
        except HttpError as error:
            said.add(f"{error.status} {error}")
    return said


@pytest.mark.parametrize("spare", range(-5, 6))
@pytest.mark.parametrize("octet", [b"x", b"\x00", b"\r", b"\n"])
def test_what_comes_first_refuses_a_head_wherever_packets_end(spare: int, octet: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nA: " + octet + b"\r\nB: c"
    assert len(by_octets(head + b"\r\n\r\n", len(head) + spare, 3)) == 1
    assert len(by_octets(head + b"\r\n\r\n", len(head) + spare, 2)) == 1
    assert len(by_octets(head + b"\r\n\r\n", len(head) - 5, 1)) == 1


def test_a_head_may_be_as_long_as_the_limit_says_to_the_octet() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x"
    whole = f"passes {len(head) + 4}"
    assert by_octets(head + b"\r\n\r\n", len(head), 1) == {whole}
    said = f"431 the head has more than {len(head) - 1} bytes"
    assert by_octets(head + b"\r\n\r\n", len(head) - 1, 1) == {said}


def test_many_headers_are_refused_before_what_follows_them_and_after_what_comes_before() -> None:
    lines = b"A: b\r\n" * 3
    head = b"GET / HTTP/1.1\r\nHost: x\r\n"
    too_many = {"431 the head has more than 2 headers"}
    bad = {"400 a control character or a bare line end"}
    assert by_octets(head + lines + b"\x00: b\r\n\r\n", 8192, 2) == too_many
    assert by_octets(head + b"\x00: b\r\n" + lines + b"\r\n", 8192, 2) == bad
    assert by_octets(head + lines + b"C: " + b"d" * 99 + b"\r\n\r\n", 60, 2) == too_many


@settings(max_examples=300, deadline=None)
@given(
    tokens=st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"A: b", b"\x00", b"x"]), max_size=9),
    limit=st.integers(20, 45),
    fields=st.integers(0, 3),
)
def test_whatever_ails_a_head_borders_of_packets_do_not_matter(
    tokens: list[bytes], limit: int, fields: int
) -> None:
    head = b"GET / HTTP/1.1\r\n" + b"".join(tokens)
    assert len(by_octets(head, limit, fields)) == 1
    assert len(by_octets(head + b"\r\n\r\nrest", limit, fields)) == 1
