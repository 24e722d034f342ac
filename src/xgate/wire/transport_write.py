"""Writes the body of a message between security servers, piece by piece.

The rule: every delimiter line but the very first is preceded by a line end; SOAP attachments are
wrapped in a multipart of their own that opens and closes by itself; nothing can follow the
signature or a fault. Pieces are returned, never joined. Source: transport 4 (writer).
"""

from __future__ import annotations

from collections.abc import Sequence

from xgate.wire.fields import close_multipart, open_part
from xgate.wire.transport_parts import (
    FAULT_TYPE,
    HASH_CHAIN,
    HASH_CHAIN_RESULT,
    OCSP_RESPONSE,
    REST_BODY,
    REST_REQUEST,
    REST_RESPONSE,
    SIGNATURE,
)

__all__ = ["MessageWriter"]

# What may be written in which state, and the state after it; "part" is inside of one.
_STEPS = {
    ("start", "ocsp"): "start",
    ("start", "head"): "body",
    ("start", "fault"): "closing",
    ("body", "part_begin"): "part",
    ("part", "part_end"): "body",
    ("body", "evidence"): "closing",
    ("body", "fault"): "closing",
    ("part", "fault"): "closing",
    ("start", "close"): "closed",
    ("body", "close"): "closed",
    ("part", "close"): "closed",
    ("closing", "close"): "closed",
}


class MessageWriter:
    """Turns the parts of one message into octets.

    :param token: 30 random ASCII letters.
    :raises RuntimeError: from every method that is called out of order: a mistake of the caller.
    """

    def __init__(self, token: str) -> None:
        self.boundary = f"xtop{token}"
        """For the HTTP head."""
        self._inner = f"xatt{token}"
        self._state = "start"
        self._first = True
        self._rest = False
        self._nested = False

    def ocsp(self, der: bytes) -> bytes:
        """An OCSP response for the sender's authentication certificate or an intermediate."""
        self._step("ocsp")
        return self._open(OCSP_RESPONSE) + der

    def head(self, content_type: str, headers: Sequence[tuple[str, str]], octets: bytes) -> bytes:
        """The SOAP envelope with its MIME headers, or the REST head (``REST_REQUEST``, …)."""
        self._step("head")
        self._rest = content_type in (REST_REQUEST, REST_RESPONSE)
        return self._open(content_type, headers) + octets

    def part_begin(
        self, content_type: str = REST_BODY, headers: Sequence[tuple[str, str]] = ()
    ) -> bytes:
        """Begin an attachment, or the REST body, which has a content type of its own."""
        self._step("part_begin")
        if self._rest:
            if self._nested:
                raise RuntimeError("a REST message has one body")
            self._nested = True
            return self._open(REST_BODY)
        opening = b""
        if not self._nested:
            self._nested = True
            opening = self._open(f"multipart/mixed; charset=UTF-8; boundary={self._inner}")
        return opening + open_part(self._inner, content_type, headers, first=False)

    def part_data(self, data: bytes | memoryview) -> bytes | memoryview:
        """A piece of the content: as it is."""
        if self._state != "part":
            raise RuntimeError("no part has begun")
        return data

    def part_end(self) -> bytes:
        """End an attachment or the REST body: nothing is written, for the next part does it."""
        self._step("part_end")
        return b""

    def evidence(self, signature: bytes, chain_result: bytes | None, chain: bytes | None) -> bytes:
        """The signature, after the hash chain if there is one (a pair: transport 4.1)."""
        if (chain_result is None) != (chain is None):
            raise RuntimeError("a hash chain and its result come as a pair")
        self._step("evidence")
        pieces = [self._close_nested()]
        if chain_result is not None and chain is not None:
            pieces += (self._open(HASH_CHAIN_RESULT), chain_result, self._open(HASH_CHAIN), chain)
        return b"".join((*pieces, self._open(SIGNATURE), signature))

    def fault(self, octets: bytes) -> bytes:
        """A fault document in place of the message or of the signature."""
        self._step("fault")
        return self._close_nested() + self._open(FAULT_TYPE) + octets

    def close(self) -> bytes:
        """The end of the message; without evidence the other side sees that it is missing."""
        self._step("close")
        closing = self._close_nested() + close_multipart(self.boundary)
        return closing[2:] if self._first else closing

    def _open(self, content_type: str, headers: Sequence[tuple[str, str]] = ()) -> bytes:
        opening = open_part(self.boundary, content_type, headers, first=self._first)
        self._first = False
        return opening

    def _close_nested(self) -> bytes:
        closing = close_multipart(self._inner) if self._nested and not self._rest else b""
        self._nested = False
        return closing

    def _step(self, act: str) -> None:
        state = _STEPS.get((self._state, act))
        if state is None:
            raise RuntimeError(f"{act} can not be written in state '{self._state}'")
        self._state = state
