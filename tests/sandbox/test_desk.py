"""The information system that answers as the path asks."""

from __future__ import annotations

import pytest

from xgate.net.errors import NetError
from xgate.net.fetch import Response, fetch
from xgate.sandbox.background import Running
from xgate.sandbox.desk import Desk
from xgate.sandbox.messages import soap_request
from xgate.sandbox.places import CONSUMER, PROVIDER
from xgate.wire.faults import find_soap_fault
from xgate.wire.fields import find_header

AtWork = tuple[Running, Desk]


async def ask(at_work: AtWork, path: str, body: bytes = b"", **headers: str) -> Response:
    url = f"http://127.0.0.1:{at_work[0].country.ports.services}{path}"
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return await fetch(url, method="POST" if body else "GET", headers=named, body=body)


async def test_it_echoes_and_remembers(at_work: AtWork) -> None:
    answer = await ask(at_work, "/rest/a?b=c", b"body", Content_Type="text/plain")
    assert answer.body == b"body"
    assert find_header(answer.headers, "x-target") == "/rest/a?b=c"
    method, target, _, body = at_work[1].seen[-1]
    assert (method, target, body) == ("POST", "/rest/a?b=c", b"body")


async def test_it_answers_with_the_status_that_is_asked_for(at_work: AtWork) -> None:
    answer = await ask(at_work, "/rest", X_Answer_With="302")
    assert (answer.status, answer.body) == (302, b"as asked")


async def test_it_gives_as_many_octets_as_asked_for(at_work: AtWork) -> None:
    assert len((await ask(at_work, "/rest/bytes?n=100001")).body) == 100_001


async def test_it_breaks_off_when_asked_to(at_work: AtWork) -> None:
    with pytest.raises(NetError):
        await ask(at_work, "/rest/cut")


@pytest.mark.parametrize(
    ("name", "status", "kind", "holds"),
    [
        ("well", 200, "text/xml; charset=UTF-8", b"getRandomResponse"),
        ("attached", 200, "multipart/related", b"\x89PNG"),
        ("bom", 200, "text/xml; charset=UTF-8", b"\xef\xbb\xbf"),
        ("teapot", 418, "text/xml; charset=UTF-8", b"getRandomResponse"),
        ("html", 200, "text/html", b"getRandomResponse"),
        ("empty", 200, "multipart/related", b"--b--"),
    ],
)
async def test_soap_answers_are_wrong_in_the_way_that_is_asked_for(
    at_work: AtWork, name: str, status: int, kind: str, holds: bytes
) -> None:
    envelope = soap_request(CONSUMER, PROVIDER, "getRandom", "1")
    answer = await ask(at_work, f"/soap/{name}", envelope, Content_Type="text/xml")
    assert answer.status == status
    assert (find_header(answer.headers, "content-type") or "").startswith(kind)
    assert holds in answer.body


async def test_a_fault_is_a_fault(at_work: AtWork) -> None:
    envelope = soap_request(CONSUMER, PROVIDER, "getRandom", "1")
    answer = await ask(at_work, "/soap/faulty", envelope, Content_Type="text/xml")
    fault = find_soap_fault(answer.body)
    assert fault is not None
    assert fault.text == "no luck today"
