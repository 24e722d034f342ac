"""The rows of fault tables, and the changes to a good SOAP request that make each of them come."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from xgate.ids import ClientId
from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.sandbox.messages import soap_request

if TYPE_CHECKING:
    from tests.journeys.conftest import Reply

Change = Callable[[bytes], bytes]
SOAP_NS = "http://schemas.xmlsoap.org/soap/envelope/"


class Row(msgspec.Struct, frozen=True):
    """A situation, and the code and the text that name it.

    :ivar text: a regular expression for the whole of it. :ivar change: makes the situation from a
        good message. :ivar headers: of the request, None for those of a good one.
    """

    situation: str
    code: str
    text: str
    change: Change = lambda octets: octets
    headers: tuple[tuple[str, str], ...] | None = None
    method: str = "POST"

    def __str__(self) -> str:
        return self.situation


def assert_told(reply: Reply, code: str, text: str, status: int = 200) -> None:
    """This refusal is what the caller was told, word for word."""
    assert (reply.status, reply.code) == (status, code), reply.text
    assert re.fullmatch(text, reply.text, re.DOTALL), reply.text


def good(query: str = "query", code: str = "tell", **more: ClientId | str) -> bytes:
    """A request that would pass."""
    client, provider = more.pop("client", CONSUMER), more.pop("provider", PROVIDER)
    assert isinstance(client, ClientId)
    assert isinstance(provider, ClientId)
    return soap_request(client, provider, code, query, version="", **more)  # type: ignore[arg-type]


def instead(octets: bytes) -> Change:
    """Something else altogether."""
    return lambda _: octets


def swapped(old: str, new: str, count: int = 1) -> Change:
    """Some text in place of another."""

    def change(octets: bytes) -> bytes:
        assert old.encode() in octets
        return octets.replace(old.encode(), new.encode(), count)

    return change


def without(name: str) -> Change:
    """An element left out, with all that is in it."""

    def change(octets: bytes) -> bytes:
        start = octets.index(f"<{name}".encode())
        tail = f"</{name}>".encode()
        return octets[:start] + octets[octets.index(tail) + len(tail) :]

    return change


def added(field: str) -> Change:
    """One more field in the header."""
    return swapped("<xrd:userId>", f"{field}<xrd:userId>")


def for_server(owner: str, code: str) -> Change:
    """A security server named in the header; ``owner`` is CLASS/MEMBER."""
    member_class, member_code = owner.split("/")
    return added(
        '<xrd:securityServer id:objectType="SERVER"><id:xRoadInstance>XG</id:xRoadInstance>'
        f"<id:memberClass>{member_class}</id:memberClass>"
        f"<id:memberCode>{member_code}</id:memberCode>"
        f"<id:serverCode>{code}</id:serverCode></xrd:securityServer>"
    )
