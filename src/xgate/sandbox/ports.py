"""Ports on loopback that are free on several addresses at once.

The rule: all are held together while they are looked for, so that none is given twice; whoever
listens later must be quick, for nobody can hold a port for another.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

__all__ = ["find_free_ports"]

_ATTEMPTS = 100


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
        socks = [socket.socket() for _ in addresses]
        held += socks
        try:
            socks[0].bind((addresses[0], 0))
            port: int = socks[0].getsockname()[1]
            for sock, address in zip(socks[1:], addresses[1:], strict=True):
                sock.bind((address, port))
        except OSError:
            continue  # taken on another of the addresses: try a new one
        return port
    raise OSError("no free ports on loopback")
