"""A part of a message that is kept beside its octets' digest: where it began, and its spool.

The rule: a body is never joined in memory, not even for the message log, which reads what it may
keep of a large one piece by piece.
"""

from __future__ import annotations

import msgspec

from xgate.errors import Fault
from xgate.messagelog.record import Body
from xgate.net.body import Spool
from xgate.wire.transport import PartBegin

__all__ = ["KeptPart", "octets_for_log"]


class KeptPart(msgspec.Struct, frozen=True):
    """A REST body or a SOAP attachment: its head and its octets."""

    begin: PartBegin
    spool: Spool


def octets_for_log(part: KeptPart, most: int, *, truncate: bool = False) -> bytes | Body:
    """The octets of a part that is going to be logged.

    :param truncate: only the first ``most``, if there are more.
    :raises Fault: ``logging_failed`` when there are more than ``most``.
    """
    if part.spool.size > most and not truncate:
        raise Fault("logging_failed", "Message size exceeds maximum loggable size")
    return part.spool.lend(most)
