"""Ports on loopback that are free on several addresses at once.

The rule: drawn by lot from below what the system gives to connections that go out, so that neither
these nor another search at the same time take them before somebody listens; nobody can hold a port
for another. All are held together while they are looked for, so that none is given twice.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence

__all__ = ["find_free_ports"]

_ATTEMPTS = 100
_RANGE = range(10_000, 32_000)


def find_free_ports(count: int, addresses: Sequence[str]) -> list[int]:
    """``count`` ports, each of them free on all ``addresses``.

    :raises OSError: there are none.
    """
    held: list[socket.socket] = []
    try:
        return [_hold(addresses, held) for _ in range(count)]
    finally:
        for sock in held:
            sock.close()


def _hold(addresses: Sequence[str], held: list[socket.socket]) -> int:
    for _ in range(_ATTEMPTS):
        port = secrets.choice(_RANGE)
        socks = [socket.socket() for _ in addresses]
        held += socks
        try:
            for sock, address in zip(socks, addresses, strict=True):
                sock.bind((address, port))
        except OSError:
            continue  # taken on one of the addresses: draw again
        return port
    raise OSError("no free ports on loopback")
