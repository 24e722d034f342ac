"""Limits on the form of messages at their exact border, on both halves.

What just fits goes through, and one more is refused by a text that names the limit; nothing of
what was refused is logged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.journeys.rows import added, good

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.sandbox.background import run_in_background
from xgate.sandbox.country import PROVIDER, Place
from xgate.sandbox.desk import Desk
from xgate.sandbox.draft import Draft, rest_draft, rest_head, soap_draft
from xgate.sandbox.peer import Peer, Piece
from xgate.trust.seal import seal_of
from xgate.wire.transport_parts import HASH_CHAIN, HASH_CHAIN_RESULT, OCSP_RESPONSE, SIGNATURE

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

LIMITS = {
    "rest-head-bytes": 2000,
    "xml-depth": 10,
    "xml-nodes": 1000,
    "xml-header-elements": 100,
    "xml-namespace-chars": 100,
    "attachments": 20,
    "part-head-bytes": 2000,
    "part-heads-bytes": 6000,
    "part-head-fields": 12,
    "part-line-bytes": 300,
    "part-field-bytes": 500,
    "multipart-depth": 3,
    "multiparts": 4,
    "ocsp-parts": 3,
    "ocsp-bytes": 5000,
    "signature-bytes": 20_000,
    "chain-result-bytes": 2000,
    "chain-bytes": 20_000,
}
# Folded lines are one line between servers.
THEIRS = LIMITS | {"part-line-bytes": 700, "part-field-bytes": 900}
XML = "text/xml; charset=UTF-8"
RELATED = "multipart/related; boundary=b"


def limit(place: Place, limits: dict[str, int]) -> None:
    lines = "".join(f"{key} = {value}\n" for key, value in limits.items())
    text = place.settings.read_text()
    place.settings.write_text(text.replace("[globalconf]", f"[limits]\n{lines}\n[globalconf]"))


@pytest.fixture(scope="module")
def strict(founding: Any, calling: Any) -> Iterator[Caller]:
    country = founding("form")
    limit(country.consumer, LIMITS)
    limit(country.provider, THEIRS)
    with (
        run_in_background(country, SystemClock(), services=Desk().serve) as running,
        closing(calling(running)) as caller,
    ):
        yield caller


# A good message with so much of one thing


BARE = good("form", "faulty")  # its answer is small: a fault of its own


def with_content(content: str) -> bytes:
    return BARE.replace(b"></p:faulty>", f">{content}</p:faulty>".encode())


def deep(count: int) -> bytes:
    more = count - 3  # below Envelope, Body and the operation
    return with_content("<a>" * more + "</a>" * more)


def wide(count: int) -> bytes:
    return with_content("<a/>" * (count - BARE.count(b"<") - BARE.count(b"=")))


def many_in_the_header(count: int) -> bytes:
    told = len(re.findall(rb"<\w", BARE))
    return added('<x:y xmlns:x="urn:x"/>' * (count - told))(BARE)


def named(count: int) -> bytes:
    return with_content(f'<a xmlns="{"u" * count}"/>')


class Form(msgspec.Struct, frozen=True):
    """A limit, what is made to meet it, and how one more is refused.

    :ivar beyond: how much the first too much is more than the limit; 0 where as many are too many.
    """

    key: str
    make: Callable[..., Any]
    code: str
    text: str
    beyond: int = 1

    def __str__(self) -> str:
        return self.key

    def border(self, limits: dict[str, int] = LIMITS) -> int:
        """The first that is too much."""
        return limits[self.key] + self.beyond

    def wanted(self, limits: dict[str, int] = LIMITS) -> str:
        """The text of the refusal."""
        return self.text.format(limits[self.key])


SOAP = [
    Form("xml-depth", deep, "invalid_soap", "elements are nested deeper than {}"),
    Form(
        "xml-nodes",
        wide,
        "invalid_soap",
        "the document has more than {} tags, comments and attributes",
    ),
    Form(
        "xml-header-elements",
        many_in_the_header,
        "invalid_soap",
        "there are more than {} elements where few are expected",
    ),
    Form(
        "xml-namespace-chars",
        named,
        "invalid_soap",
        "the name of a namespace is longer than {} characters",
    ),
]


@pytest.mark.parametrize("form", SOAP, ids=str)
async def test_the_form_of_a_message(strict: Caller, form: Form) -> None:
    fits = await strict.post(form.make(form.border() - 1))
    before = strict.counts("form")
    more = await strict.post(form.make(form.border()))

    assert fits.code == "s:Server", fits.text
    assert (more.code, more.text) == (f"client.{form.code}", form.wanted())
    assert strict.counts("form") == before


async def test_the_form_of_an_answer(strict: Caller) -> None:
    """The provider's server takes it from the service; with a hash in it, it is too much."""
    octets = wide(LIMITS["xml-nodes"]).replace(b"faulty", b"tell")
    reply = await strict.post(octets)

    text = SOAP[1].wanted()
    assert (reply.code, reply.text) == ("server.clientproxy.service_failed.invalid_soap", text)


@pytest.mark.parametrize("form", SOAP, ids=str)
async def test_the_form_of_another_servers_message(strict: Caller, form: Form) -> None:
    peer = Peer(strict.country, strict.country.consumer, SystemClock())

    async def send(count: int) -> Fault | None:
        return await soap_draft(peer, form.make(count).replace(b"faulty", b"tell")).send()

    fits = await send(form.border() - 1)
    before = strict.counts("form")
    more = await send(form.border())

    assert fits is None
    assert more is not None
    code = f"server.serverproxy.service_failed.{form.code}"
    assert (more.code, more.text) == (code, form.wanted())
    assert strict.counts("form") == before


# The parts around it


def fields(*lines: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"X-{number}", line) for number, line in enumerate(lines))


def of_octets(count: int, each: int = 200) -> list[str]:
    """Values of header lines that have so many octets, their names and line ends with them."""
    around = len("X-0: \r\n")
    whole, rest = divmod(count, each)
    if rest < around:  # the last two share
        whole, rest = whole - 1, rest + each
    lines = ["v" * (each - around)] * whole + ["v" * (rest - around)]
    assert sum(len(line) + around for line in lines) == count
    return lines


TYPED = len("Content-Type: text/plain\r\n")
HEADERS = [
    Form(
        "part-head-fields",
        lambda count: fields(*["v"] * (count - 1)),
        "mime_parsing_failed",
        "Maximum header limit exceeded: {} fields",
    ),
    Form(
        "part-head-bytes",
        lambda count: fields(*of_octets(count - TYPED)),
        "mime_parsing_failed",
        "Maximum header limit exceeded: {} bytes of one part",
    ),
    Form(
        "part-line-bytes",
        lambda count: fields("v" * (count - len("X-0: \r\n"))),
        "mime_parsing_failed",
        "Maximum line length limit exceeded: {} bytes",
        beyond=0,
    ),
    Form(
        "part-field-bytes",
        lambda count: fields("v" * 200 + "\r\n " + "v" * (count - 200 - len("X-0: \r\n \r\n"))),
        "mime_parsing_failed",
        "Maximum header length limit exceeded: {} bytes",
        beyond=0,
    ),
]


def related(*parts: bytes) -> bytes:
    """A multipart/related that begins with a good message."""
    head = b"--b\r\nContent-Type: text/xml\r\n\r\n" + good(query="parts")
    return b"".join((head, *parts, b"\r\n--b--\r\n"))


def part(*headers: tuple[str, str], kind: str = "text/plain", octets: bytes = b"x") -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"\r\n--b\r\nContent-Type: {kind}\r\n{lines}\r\n".encode() + octets


@pytest.mark.parametrize("form", HEADERS, ids=str)
async def test_the_headers_of_a_part(strict: Caller, form: Form) -> None:
    fits = await strict.post(related(part(*form.make(form.border() - 1))), RELATED)
    before = strict.counts("parts")
    more = await strict.post(related(part(*form.make(form.border()))), RELATED)

    assert fits.code == "", fits.text
    assert (more.code, more.text) == (f"client.{form.code}", form.wanted())
    assert strict.counts("parts") == before


@pytest.mark.parametrize("form", HEADERS, ids=str)
async def test_the_headers_of_another_servers_part(strict: Caller, form: Form) -> None:
    peer = Peer(strict.country, strict.country.consumer, SystemClock())

    def with_part(count: int) -> Draft:
        draft = soap_draft(peer, good(query="there"), [b"x"])
        octets = part(*form.make(count)) + b"\r\n--b--"
        draft.pieces[2] = Piece("multipart/mixed; boundary=b", octets)
        return draft

    fits = await with_part(form.border(THEIRS) - 1).send()
    before = strict.counts("there")
    more = await with_part(form.border(THEIRS)).send()

    assert fits is None
    assert more is not None
    code = "mime_parsing_failed" if form.key == "part-line-bytes" else "internal_error"
    assert (more.code, more.text) == (f"server.serverproxy.{code}", form.wanted(THEIRS))
    assert strict.counts("there") == before


async def test_the_headers_of_all_parts(strict: Caller) -> None:
    most = LIMITS["part-heads-bytes"]

    def parts(count: int) -> bytes:
        left, made = count - len("Content-Type: text/xml\r\n"), []
        while left:
            size = min(left, 1500) if left != 1500 + 1 else 1000
            made.append(part(*fields(*of_octets(size - TYPED))))
            left -= size
        return related(*made)

    fits = await strict.post(parts(most), RELATED)
    more = await strict.post(parts(most + 1), RELATED)

    assert fits.code == "", fits.text
    text = f"Maximum header limit exceeded: {most} bytes of all parts"
    assert (more.code, more.text) == ("client.mime_parsing_failed", text)


def nested(depth: int) -> bytes:
    """Multiparts within each other; the message's own is the first."""
    octets = b"x"
    for level in range(depth, 1, -1):
        kind = "text/plain" if level == depth else f"multipart/mixed; boundary=b{level + 1}"
        octets = f"--b{level}\r\nContent-Type: {kind}\r\n\r\n".encode() + octets
        octets += f"\r\n--b{level}--\r\n".encode()
    return related(part(kind="multipart/mixed; boundary=b2", octets=octets))


def beside(count: int) -> bytes:
    """So many multiparts within one."""
    inner = b"--b2\r\nContent-Type: text/plain\r\n\r\nx\r\n--b2--\r\n"
    return related(*[part(kind="multipart/mixed; boundary=b2", octets=inner)] * count)


def attachments(count: int) -> bytes:
    return related(*[part()] * count)


@pytest.mark.parametrize(
    "form",
    [
        Form(
            "multipart-depth",
            nested,
            "mime_parsing_failed",
            "Multiparts are nested deeper than {}",
        ),
        Form(
            "multiparts",
            beside,
            "mime_parsing_failed",
            "There are more than {} multiparts within one",
        ),
        Form("attachments", attachments, "invalid_message", "There are more than {} attachments"),
    ],
    ids=str,
)
async def test_the_parts_of_a_message(strict: Caller, form: Form) -> None:
    fits = await strict.post(form.make(form.border() - 1), RELATED)
    before = strict.counts("parts")
    more = await strict.post(form.make(form.border()), RELATED)

    assert fits.code == "", fits.text
    assert (more.code, more.text) == (f"client.{form.code}", form.wanted())
    assert strict.counts("parts") == before


# The parts of another server's message


def one_ocsp_beside(draft: Draft, count: int) -> None:
    """As many OCSP responses, all of them the right one."""
    at = draft.place(OCSP_RESPONSE)
    draft.pieces[at:at] = [draft.pieces[at]] * (count - 1)


def ocsp_of(draft: Draft, count: int) -> None:
    """An OCSP response of so many octets, whatever is in it."""
    inside = count - len(b"\x30\x82\x00\x00")
    der = b"\x30\x82" + inside.to_bytes(2, "big") + bytes(inside)
    at = draft.place(OCSP_RESPONSE)
    draft.pieces[at:at] = [Piece(OCSP_RESPONSE, der)]


def padded(kind: str) -> Callable[[Draft, int], None]:
    """A part of so many octets, made up with blanks at its end."""

    def change(draft: Draft, count: int) -> None:
        piece = draft.pieces[draft.place(kind)]
        assert len(piece.octets) < count, f"the {kind} has {len(piece.octets)} octets by itself"
        draft.swap(kind, Piece(kind, piece.octets.ljust(count)))

    return change


def merged(peer: Peer) -> Draft:
    """A message with a hash chain: it is signed together with another one."""
    draft = soap_draft(peer, good(query="there"))
    chained, _ = peer.evidence(seal_of(good(query="there")), seal_of(good(query="other")))
    assert chained.chain is not None
    assert chained.chain_result is not None
    draft.pieces[-1:] = [
        Piece(HASH_CHAIN_RESULT, chained.chain_result),
        Piece(HASH_CHAIN, chained.chain),
        Piece(SIGNATURE, chained.signature),
    ]
    return draft


OF_SERVERS = [
    Form("ocsp-parts", one_ocsp_beside, "", "There are more than {} OCSP responses"),
    Form("ocsp-bytes", ocsp_of, "", "The ocsp part is larger than {} bytes"),
    Form("signature-bytes", padded(SIGNATURE), "", "The signature part is larger than {} bytes"),
    Form(
        "chain-result-bytes",
        padded(HASH_CHAIN_RESULT),
        "",
        "The chain_result part is larger than {} bytes",
    ),
    Form("chain-bytes", padded(HASH_CHAIN), "", "The chain part is larger than {} bytes"),
]


@pytest.mark.parametrize("form", OF_SERVERS, ids=str)
async def test_the_parts_of_another_servers_message(strict: Caller, form: Form) -> None:
    peer = Peer(strict.country, strict.country.consumer, SystemClock())
    draft = merged(peer)
    form.make(draft, form.border() - 1)
    fits = await draft.send()
    before = strict.counts("there")
    draft = merged(peer)
    form.make(draft, form.border())
    more = await draft.send()

    # Whatever its size, one must be an OCSP response, and the other what was signed.
    assert fits is None or form.key in ("ocsp-bytes", "chain-result-bytes"), str(fits)
    assert fits is None or "larger" not in fits.text
    assert more is not None
    code = "server.serverproxy.service_failed.invalid_message"
    assert (more.code, more.text) == (code, form.wanted())
    assert strict.counts("there") == before


async def test_the_head_of_another_servers_rest_message(strict: Caller) -> None:
    peer = Peer(strict.country, strict.country.consumer, SystemClock())
    most = LIMITS["rest-head-bytes"]

    def head(count: int) -> bytes:
        path = f"/r1/{PROVIDER.url}/echo/x"
        bare = rest_head("there", "GET", path, ("X-Long", ""))
        return rest_head("there", "GET", path, ("X-Long", "v" * (count - len(bare))))

    fits = await rest_draft(peer, head(most)).send()
    more = await rest_draft(peer, head(most + 1)).send()

    assert fits is None
    assert more is not None
    code = "server.serverproxy.service_failed.invalid_message"
    assert (more.code, more.text) == (code, f"The head part is larger than {most} bytes")
