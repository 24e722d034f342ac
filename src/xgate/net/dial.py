"""How a TCP connection to a name comes about.

The rule: every address of the name is tried (pipeline 16.9), the next one when the last has failed
or after a quarter of a second; the first that answers counts, and the others are given up.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

import trio

from xgate.net.errors import ConnectError, TimedOutError, UnknownHostError
from xgate.net.stream import SocketStream

__all__ = ["dial"]

_STAGGER = 0.25  # seconds before the next address is tried as well

_Place = tuple[int, tuple[object, ...]]


async def dial(host: str, port: int, *, timeout: float = 30.0) -> SocketStream:
    """A TCP connection to the first address of ``host`` that answers.

    :raises ConnectError: the name has no address, or all refuse. :raises TimedOutError: too slow.
    """
    with trio.move_on_after(timeout):
        try:
            found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise UnknownHostError(f"{host} has no address: {error}") from None
        places = list(dict.fromkeys((entry[0], entry[4]) for entry in found))
        return await _Race(places).run(f"{host} port {port}")
    raise TimedOutError(f"no connection to {host} port {port} in {timeout:g} s")


class _Race:
    """Connection attempts to several addresses, of which the first that succeeds counts."""

    def __init__(self, places: Sequence[_Place]) -> None:
        self._places = places
        self._errors: list[str] = []
        self._winner: socket.socket | None = None

    async def run(self, what: str) -> SocketStream:
        try:
            async with trio.open_nursery() as nursery:
                for family, address in self._places:
                    over = trio.Event()
                    nursery.start_soon(self._attempt, family, address, over, nursery)
                    with trio.move_on_after(_STAGGER):
                        await over.wait()
        except BaseException:
            if self._winner is not None:
                self._winner.close()
            raise
        if self._winner is None:
            causes = "; ".join(dict.fromkeys(self._errors))
            raise ConnectError(f"cannot connect to {what}: {causes or 'no address'}")
        return SocketStream(self._winner)

    async def _attempt(
        self, family: int, address: tuple[object, ...], over: trio.Event, nursery: trio.Nursery
    ) -> None:
        sock = None
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            await _connect(sock, address)
            if self._winner is None:
                self._winner, sock = sock, None
            nursery.cancel_scope.cancel()
        except OSError as error:
            self._errors.append(error.strerror or str(error))
        finally:
            if sock is not None:
                sock.close()
            over.set()


async def _connect(sock: socket.socket, address: tuple[object, ...]) -> None:
    try:
        sock.connect(address)
    except BlockingIOError:
        await trio.lowlevel.wait_writable(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code)) from None
