"""Reads the body of a message between security servers, as it arrives.

The rule: parts come in one order, and what may come next is a table; every part has a size limit,
or streams. What goes wrong inside a part is the other side's failed service (``service_failed``);
broken MIME and missing parts are not. A fault comes after the events before it. Sources: transport
4.1, soap-protocol 9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from xgate.errors import SERVICE_FAILED, Fault, faults_under
from xgate.wire.content_type import ContentType, read_content_type
from xgate.wire.faults import find_soap_fault
from xgate.wire.fields import Headers, find_header, without_content_type
from xgate.wire.mime import MimeEvent, MultipartReader
from xgate.wire.mime import PartBegin as MimePart
from xgate.wire.parts import Head, PartBegin, PartData, PartEnd, Protocol
from xgate.wire.transport_parts import (
    ORDERS,
    Chain,
    ChainResult,
    Event,
    FaultPart,
    Ocsp,
    Sender,
    Signature,
    TransportLimits,
)

__all__ = ["MessageReader"]


class MessageReader:
    """Reads one message.

    A SOAP part that holds a fault is a ``Head`` like any other: ``wire.soap`` tells, and then the
    caller reads no further. A fault of a client proxy is given out, but ``finish`` misses the
    signature all the same.

    :param boundary: of the HTTP head (``TransportHead.boundary``).
    """

    def __init__(
        self,
        boundary: str,
        *,
        sender: Sender,
        protocol: Protocol,
        limits: TransportLimits | None = None,
    ) -> None:
        self._limits = limits or TransportLimits()
        self._sender = sender
        self._protocol = protocol
        self._order = ORDERS[sender, protocol]
        with faults_under(SERVICE_FAILED):
            self._mime = MultipartReader(boundary, self._limits.mime)
        self._inner: MultipartReader | None = None
        self._stage = "start"
        self._kind = ""
        self._type = ContentType("", {})
        self._content_type = ""
        self._headers: Headers = ()
        self._gathered = bytearray()
        self._number = 0
        self._ocsp_count = 0
        self._seen: set[str] = set()
        self._fault: Fault | None = None

    @property
    def complete(self) -> bool:
        """Whether the closing delimiter was seen. The reference does not insist on it."""
        return self._mime.ended

    def feed(self, data: bytes | memoryview) -> list[Event]:
        """The events that the next octets bring. ``data`` may be reused afterwards.

        :raises Fault: with the codes of transport 4.1, never before the events that came first.
        """
        return self._run(lambda: self._mime.feed(data))

    def finish(self) -> list[Event]:
        """The events that the end of the octets brings; always to be called, unless a fault came.

        :raises Fault: what ``feed`` found after its last event; ``missing_soap``, ``missing_rest``
            (``internal_error`` at the server proxy), ``missing_signature``.
        """
        events = self._run(self._mime.finish)
        if self._fault is not None:
            raise self._fault
        self._check_complete(events)
        return events

    def _run(self, read: Callable[[], list[MimeEvent]]) -> list[Event]:
        if self._fault is not None:
            raise self._fault
        events: list[Event] = []
        try:
            for event in read():
                self._take(event, events)
        except Fault as fault:
            self._fault = fault
            if not events:
                raise
        return events

    def _check_complete(self, last: list[Event]) -> None:
        if self._sender == "server" and ("fault" in self._seen or self._ends_in_fault(last)):
            return
        whole = "Request" if self._sender == "client" else "Response"
        if "head" not in self._seen:
            code = "missing_soap"
            if self._protocol == "REST":
                code = "internal_error" if self._sender == "client" else "missing_rest"
            raise Fault(code, f"{whole} does not have {self._protocol} message")
        if "signature" not in self._seen:
            raise Fault("missing_signature", f"{whole} does not have signature")

    def _ends_in_fault(self, last: list[Event]) -> bool:
        """Whether a message broke off in a SOAP part that is a fault: that is a regular end."""
        head = last[-1] if last and self._protocol == "SOAP" else None
        with faults_under(SERVICE_FAILED):
            return isinstance(head, Head) and self._find_fault(head.octets) is not None

    def _find_fault(self, octets: bytes) -> Fault | None:
        return find_soap_fault(octets, limit=len(octets), bounds=self._limits.xml)

    def _take(self, event: MimeEvent, events: list[Event]) -> None:
        if isinstance(event, MimePart):
            with faults_under(SERVICE_FAILED):
                self._begin(event.headers, events)
        elif isinstance(event, PartData):
            self._data(event, events)
        elif isinstance(event, PartEnd):
            self._end(events)

    def _begin(self, headers: Headers, events: list[Event]) -> None:
        self._content_type = find_header(headers, "content-type") or ""
        self._headers = without_content_type(headers)
        # A part that does not say is text/plain (RFC 2045 5.2): nothing that is expected here.
        self._type = read_content_type(self._content_type or "text/plain")
        step = self._order.get((self._stage, self._type.base))
        if step is None:
            self._refuse_part()
        self._kind, self._stage = step
        if self._kind == "ocsp":
            self._ocsp_count += 1
            if self._ocsp_count > self._limits.ocsp_count:
                text = f"There are more than {self._limits.ocsp_count} OCSP responses"
                raise Fault("invalid_message", text)
        elif self._kind == "attachments":
            if self._type.boundary is None:
                text = "Multipart content type is missing required boundary"
                raise Fault("invalid_content_type", text)
            self._inner = MultipartReader(self._type.boundary, self._limits.mime)
        elif self._kind == "body":
            self._number = 1
            events.append(PartBegin(1, self._content_type, self._headers))

    def _refuse_part(self) -> NoReturn:
        base = self._type.base
        if self._stage == "end":
            raise Fault("invalid_message", f"Extra content ({base}) after signature")
        if self._stage == "start":
            text = f"Invalid content type for {self._protocol} message: {base}"
            raise Fault("invalid_content_type", text)
        if self._stage == "chain":
            raise Fault("invalid_message", f"Received {base} instead of hash chain")
        text = f"Received invalid content type instead of signature: {base}"
        raise Fault("invalid_content_type", text)

    def _data(self, event: PartData, events: list[Event]) -> None:
        if self._kind == "body":
            events.append(event)
        elif self._inner is not None:
            self._take_inner(self._inner.feed(event.data), events)
        else:
            rest_head = self._kind == "head" and self._protocol == "REST"
            limit: int = getattr(self._limits, "rest_head" if rest_head else self._kind)
            if len(self._gathered) + len(event.data) > limit:
                text = f"The {self._kind} part is larger than {limit} bytes"
                raise Fault("service_failed.invalid_message", text)
            if self._limits.claim is not None:
                self._limits.claim(len(event.data))
            self._gathered += event.data

    def _end(self, events: list[Event]) -> None:
        octets = bytes(self._gathered)
        self._gathered.clear()
        self._seen.add(self._kind)
        if self._kind == "body":
            events.append(PartEnd())
        elif self._inner is not None:
            inner, self._inner = self._inner, None
            self._take_inner(inner.finish(), events)
        elif self._kind == "head":
            events.append(Head(self._content_type, self._headers, octets))
        elif self._kind == "ocsp":
            _check_der(octets)
            events.append(Ocsp(octets))
        elif self._kind == "fault":
            events.append(self._read_fault(octets))
        else:
            events.append(_EVIDENCE[self._kind](octets))

    def _read_fault(self, octets: bytes) -> FaultPart:
        with faults_under(SERVICE_FAILED):
            fault = self._find_fault(octets)
            if fault is None:
                text = f"Received invalid content type instead of signature: {self._type.base}"
                raise Fault("invalid_content_type", text)
        return FaultPart(octets, fault)

    def _take_inner(self, inner: list[MimeEvent], events: list[Event]) -> None:
        for event in inner:
            if isinstance(event, MimePart):
                with faults_under(SERVICE_FAILED):
                    events.append(self._begin_attachment(event.headers))
            elif isinstance(event, PartData | PartEnd):
                events.append(event)

    def _begin_attachment(self, headers: Headers) -> PartBegin:
        self._number += 1
        if self._number > self._limits.attachments:
            text = f"There are more than {self._limits.attachments} attachments"
            raise Fault("invalid_message", text)
        content_type = find_header(headers, "content-type")
        if content_type is None:
            raise Fault("invalid_content_type", "Could not get content type for part")
        return PartBegin(self._number, content_type, without_content_type(headers))


_EVIDENCE: dict[str, type[ChainResult | Chain | Signature]] = {
    "chain_result": ChainResult,
    "chain": Chain,
    "signature": Signature,
}


def _check_der(octets: bytes) -> None:
    """An OCSP response is one SEQUENCE that fills its part; the rest is for ``trust.ocsp``.

    :raises Fault: ``service_failed.io_error``, as the reference's decoder has it.
    """
    size, start = (octets[1], 2) if len(octets) > 1 else (-1, 0)
    if size > 0x80:
        start = 2 + size - 0x80
        size = int.from_bytes(octets[2:start], "big")
    if octets[:1] != b"0" or start + size != len(octets):
        raise Fault("service_failed.io_error", "Malformed OCSP response")
