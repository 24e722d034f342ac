"""The address by which this machine is seen in its network.

The rule: asked of the routing table, without a packet being sent; a machine without a network has
none.
"""

from __future__ import annotations

import socket

__all__ = ["find_own_address"]

# Addresses for documentation (RFC 5737, RFC 3849): nobody is there, but there is a way out to them.
_FAR = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def find_own_address() -> str:
    """The address, IPv4 if there is one; ``0.0.0.0`` if there is none."""
    for family, far in _FAR:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((far, 9))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return "0.0.0.0"  # noqa: S104  the reference's word for it, no bind
