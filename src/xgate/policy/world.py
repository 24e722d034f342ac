"""What is known at one moment: the global configuration and this server's own, together.

The rule: a message takes one World at its start and keeps it to its end; keepers replace it whole.
"""

from __future__ import annotations

import msgspec

from xgate.globalconf.conf import GlobalConf
from xgate.ids import ServerId
from xgate.serverconf.model import ServerConf

__all__ = ["World", "address_of"]


class World(msgspec.Struct, frozen=True):
    """One consistent view for the whole journey of one message."""

    globalconf: GlobalConf
    serverconf: ServerConf


def address_of(world: World, server: ServerId | None) -> str | None:
    """The address that a security server has registered, if it is known and has one."""
    found = None if server is None else world.globalconf.find_server(server)
    return None if found is None else found.address
