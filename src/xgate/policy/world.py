"""What is known at one moment: the global configuration and this server's own, together.

The rule: a message takes one World at its start and keeps it to its end; keepers replace it whole.
"""

from __future__ import annotations

import msgspec

from xgate.globalconf.conf import GlobalConf
from xgate.serverconf.model import ServerConf

__all__ = ["World"]


class World(msgspec.Struct, frozen=True):
    """One consistent view for the whole journey of one message."""

    globalconf: GlobalConf
    serverconf: ServerConf
