"""What becomes known of one exchange while it runs.

The rule: a place to write down facts at the points where they happen, and nothing else; when the
exchange has ended, the journal's line and the operational record are made from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from xgate.clock import Clock
from xgate.serverconf.model import Service
from xgate.wire.message import Answer, Request

__all__ = ["Note"]


class Note:
    """The facts of one exchange; what is None, or empty, is not known.

    :ivar protocol: ``SOAP`` or ``REST`` for a message, as soon as that can be told; another name
        for what is none. :ivar called: the service, whether or not it may be called.
    :ivar request_in: when its first octets came. :ivar request_out: when it began to be handed on.
    :ivar response_in: when the answer's head had come.
    :ivar request_sizes: octets of the message, then of each attachment or the body, as far as they
        have passed. :ivar response_sizes: likewise.
    :ivar client_address: of the client's security server, as registered. :ivar service_address:
        of the provider's. :ivar certificate: what the information system showed, for people.
    """

    def __init__(self, side: Literal["client", "server"], clock: Clock) -> None:
        """:param side: ours: the client proxy or the server proxy."""
        self.side = side
        self.began = clock.monotonic()
        self.request_in = clock.now()
        self.request_out: datetime | None = None
        self.response_in: datetime | None = None
        self.protocol: str | None = None
        self.client: str | None = None
        self.service: str | None = None
        self.id: str | None = None
        self.request_id: str | None = None
        self.peer: str | None = None
        self.certificate: str | None = None
        self.request: Request | None = None
        self.answer: Answer | None = None
        self.called: Service | None = None
        self.request_sizes: Sequence[int] = ()
        self.response_sizes: Sequence[int] = ()
        self.client_address: str | None = None
        self.service_address: str | None = None
        self._clock = clock

    def describe(self, request: Request, request_id: str) -> None:
        """What the request says of itself."""
        self.request = request
        self.protocol = request.protocol
        self.client = request.client.short
        self.service = request.service.short
        self.id = request.id
        self.request_id = request_id

    def sent(self) -> None:
        """The request is being handed on now."""
        self.request_out = self._clock.now()

    def heard(self) -> None:
        """The answer has begun to come now."""
        self.response_in = self._clock.now()
