"""HTTP as information systems speak it: sized and chunked, expecting, waiting, with any Host.

pipeline 3, soap-protocol 3, rest-protocol 1 and 10: both protocols, over both listeners.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import trio
from tests.journeys.rows import good

from xgate.net.client import connect
from xgate.net.context import service_context
from xgate.net.errors import NetError
from xgate.sandbox.country import CONSUMER, PROVIDER

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

pytestmark = pytest.mark.usefixtures("served_on")

ECHO = f"/r1/{PROVIDER.url}/echo"


async def talk(caller: Caller, *said: bytes) -> bytes:
    """What comes back on one connection; each piece is sent once something came for the last."""
    answer = b""
    stream = await trio.open_tcp_stream(*caller.door)
    async with stream:
        for number, piece in enumerate(said):
            if number:
                answer += await stream.receive_some()
            await stream.send_all(piece)
        await stream.send_eof()
        with trio.fail_after(10):
            return answer + b"".join([data async for data in stream])


def head(method: str, target: str, *lines: str, host: str = "any.example") -> bytes:
    whole = (f"{method} {target} HTTP/1.1", f"Host: {host}", *lines, "", "")
    return "\r\n".join(whole).encode()


CLIENT = f"X-Road-Client: {CONSUMER.url}"
CLOSE = "Connection: close"


async def pieces(octets: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(octets), 100):
        yield octets[start : start + 100]


async def test_who_is_refused_at_the_door_finds_the_cause_in_the_log(caller: Caller) -> None:
    answer = await talk(caller, head("GET", ECHO, "Content-Length: 1", "Content-Length: 1"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    line = await caller.running.consumer.wait("request refused")
    assert (line["peer"], line["status"]) == ("127.0.0.1", 400)
    assert line["cause"] == "more than one header says where the message ends"


CHUNKED = "Transfer-Encoding: chunked"
MULTIPART = "Content-Type: multipart/related; boundary=b"
BROKEN = {
    "a size in another base": b"0x2\r\nhi\r\n0\r\n\r\n",
    "more than its size": b"2\r\nhi!!\r\n0\r\n\r\n",
    "a bare line end": b"2;\nhi\r\n0\r\n\r\n",
    "a trailer that frames": b"2\r\nhi\r\n0\r\nContent-Length: 3\r\n\r\n",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("protocol", ["REST", "SOAP"])
async def test_a_body_that_can_be_read_in_two_ways_gets_400_and_the_end(
    caller: Caller, broken: bytes, protocol: str
) -> None:
    request = head("POST", ECHO, CLIENT, CHUNKED)
    if protocol == "SOAP":  # it has begun to stream when the offence shows
        envelope = b"--b\r\nContent-Type: text/xml\r\n\r\n" + good("two-ways") + b"\r\n--b\r\n\r\n"
        request = head("POST", "/", MULTIPART, CHUNKED) + b"%x\r\n%b\r\n" % (
            len(envelope),
            envelope,
        )
    smuggled = head("GET", ECHO, CLIENT)
    answer = await talk(caller, request + broken + smuggled)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert caller.counts("two-ways") == [0, 0]


async def test_whose_handshake_fails_finds_the_cause_in_the_log(caller: Caller) -> None:
    host, ports = caller.country.provider.address, caller.country.ports
    connection = await connect(host, ports.server, tls=service_context(), timeout=5.0)
    with pytest.raises(NetError):  # in TLS 1.3 it shows only here
        await connection.receive_head()
    await connection.aclose()
    line = await caller.running.provider.wait("handshake failed")
    assert (line["door"], line["peer"]) == ("server", "127.0.0.1")
    assert str(line["cause"]).startswith("TLS failed: ")


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_come_sized_or_chunked_over_either_listener(
    caller: Caller, secure: bool, chunked: bool
) -> None:
    octets = good(f"form-{secure}-{chunked}")
    headers = [("Content-Type", "text/xml")]
    soap = await caller.send(
        "POST", "/", headers, pieces(octets) if chunked else octets, secure=secure
    )
    body = bytes(1000)
    rest = await caller.rest("PUT", "/echo", [], pieces(body) if chunked else body, secure=secure)

    assert (soap.code, rest.status, rest.body) == ("", 200, body)
    assert caller.records(f"form-{secure}-{chunked}")[1][0].record.message == octets


@pytest.mark.parametrize("target", ["/", "/some/path?with=query", "/r2/XG", "/asic2"])
async def test_any_path_carries_soap(caller: Caller, target: str) -> None:
    reply = await caller.send("POST", target, [("Content-Type", "text/xml")], good("path-1"))

    assert reply.code == ""


@pytest.mark.parametrize("action", ['""', '"urn:a/b?c#d"', '"relative"', ""])
async def test_actions_that_are_well_formed(caller: Caller, action: str) -> None:
    headers = [("Content-Type", "TEXT/XML; charset=utf-8"), ("SOAPAction", action)]
    reply = await caller.send("POST", "/", headers, good("action-1"))

    assert reply.code == ""


async def test_who_expects_to_be_told_to_go_on_is_told(caller: Caller) -> None:
    expecting = head("POST", ECHO, CLIENT, CLOSE, "Expect: 100-continue", "Content-Length: 4")

    answer = await talk(caller, expecting, b"body")

    first, _, rest = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 100 ")
    assert rest.startswith(b"HTTP/1.1 200 ")
    assert b"body" in rest


async def test_who_expects_and_is_refused_need_not_send(caller: Caller) -> None:
    """A server that knows already says so instead of going on, or after all; never as success."""
    expecting = head("POST", ECHO, CLOSE, "Expect: 100-continue", "Content-Length: 4")

    answer = await talk(caller, expecting)

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"invalid_client_identifier" in answer


async def test_a_head_is_answered_without_a_body(caller: Caller) -> None:
    answer = await talk(caller, head("HEAD", ECHO, CLIENT, CLOSE))

    first, _, body = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert body == b""


async def test_requests_in_a_row_are_answered_in_a_row(caller: Caller) -> None:
    one = head("POST", f"{ECHO}?n=1", CLIENT, "Content-Length: 3") + b"one"
    two = head("POST", f"{ECHO}?n=2", CLIENT, CLOSE, "Content-Length: 3") + b"two"

    answer = await talk(caller, one + two)

    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.index(b"one") < answer.index(b"two")


async def test_a_query_may_be_written_as_it_is_spoken(caller: Caller) -> None:
    answer = await talk(caller, head("GET", f"{ECHO}?name=Tõnu&x[]=1", CLIENT, CLOSE))

    assert b"\r\nX-Target: /rest/echo?name=T%C3%B5nu&x[]=1\r\n" in answer


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1", "[::1]", "localhost:5500"])
async def test_the_host_means_nothing(caller: Caller, host: str) -> None:
    answer = await talk(caller, head("GET", ECHO, CLIENT, CLOSE, host=host))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"evil.example" not in answer


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (f"http://any.example{ECHO}", b"200"),
        (f"HTTP://ANY.EXAMPLE{ECHO}", b"200"),
        (f"http://other.example{ECHO}", b"400"),
        (f"http://any.example:81{ECHO}", b"400"),
        (f"http://user@any.example{ECHO}", b"400"),
        (f"//any.example{ECHO}", b"400"),
        (f"{ECHO}#part", b"400"),
        ("any.example:80", b"400"),
    ],
)
async def test_a_whole_target_must_be_of_the_host_that_is_called(
    caller: Caller, target: str, status: bytes
) -> None:
    answer = await talk(caller, head("GET", target, CLIENT, CLOSE))

    assert answer.split(b" ", 2)[1] == status


@pytest.mark.parametrize("path", ["/%721/XG", "/./r1/XG", "/R1/XG", "/r1", "/r2/XG", "/r11/XG"])
async def test_only_what_begins_with_r1_is_rest(caller: Caller, path: str) -> None:
    reply = await caller.send("GET", path, [("X-Road-Client", CONSUMER.url)])

    assert (reply.status, reply.code) == (200, "client.invalid_http_method")


@pytest.mark.parametrize(
    ("lines", "target", "status"),
    [
        (("X: " + "y" * 9000,), ECHO, b"431"),
        (tuple(f"X{number}: {'y' * 80}" for number in range(100)), ECHO, b"431"),
        ((), ECHO + "?" + "y" * 9000, b"414"),
        ((), ECHO + "/" + "%C3" * 10, b"400"),
    ],
)
async def test_heads_that_are_too_much(
    caller: Caller, lines: tuple[str, ...], target: str, status: bytes
) -> None:
    answer = await talk(caller, head("GET", target, CLIENT, CLOSE, *lines))

    assert answer.split(b" ", 2)[1] == status
    assert b"x-road-error" not in answer.lower()


async def test_no_tunnel_and_no_other_protocol(caller: Caller) -> None:
    tunnel = await talk(caller, head("CONNECT", "any.example:80", CLOSE))
    upgrade = head("GET", ECHO, CLIENT, "Connection: Upgrade, close", "Upgrade: websocket")
    other = await talk(caller, upgrade)

    assert tunnel.startswith(b"HTTP/1.1 400 ")
    assert other.startswith(b"HTTP/1.1 200 ")
    assert b"upgrade" not in other.lower()
