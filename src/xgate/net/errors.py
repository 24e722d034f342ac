"""What can go wrong on the network side, by whose act.

The rule: these are not refusals of the protocol (``Fault``); whoever carries a message decides
which fault a lost connection is. Texts are fit for a log: no key material, no message content.
"""

from __future__ import annotations

__all__ = [
    "ClosedError",
    "ConnectError",
    "HttpError",
    "NetError",
    "RefusedError",
    "ResetError",
    "TimedOutError",
    "TlsError",
    "TooBigError",
    "UnknownHostError",
]


class NetError(Exception):
    """Something failed between us and a peer; the text names the cause."""


class ClosedError(NetError):
    """The connection is gone: cut by the peer, by the network or by ourselves."""


class ResetError(ClosedError):
    """The connection broke: not closed in order, but reset or given up by the network."""


class TimedOutError(NetError):
    """The peer did not do its part in time."""


class ConnectError(NetError):
    """No connection could be made: the name has no address, or no address answers."""


class UnknownHostError(ConnectError):
    """The name has no address."""


class TlsError(NetError):
    """TLS failed: no common parameters, a certificate refused, a broken record."""


class RefusedError(TlsError):
    """The peer does not accept our certificate, or nothing that we offer."""


class TooBigError(NetError):
    """More octets than the receiver allows."""


class HttpError(NetError):
    """The peer broke the rules of HTTP.

    :param status: the status a server answers it with; means nothing at a client.
    """

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status
