"""How a TCP connection to a name comes about.

The rule: every address of the name is tried (pipeline 16.9), the next one when the last has failed
or after a quarter of a second; the first that answers counts, and the others are given up. Of
several hosts all are dialled at once, each for itself, and the same holds (pipeline 5).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

import trio

from xgate.net.errors import ConnectError, NetError, TimedOutError, UnknownHostError
from xgate.net.resolve import Place, resolve
from xgate.net.stream import SocketStream

__all__ = ["dial", "dial_first"]

_STAGGER = 0.25  # seconds before the next address is tried as well


async def dial(host: str, port: int, *, timeout: float = 30.0) -> SocketStream:
    """A TCP connection to the first address of ``host`` that answers.

    :raises ConnectError: the name has no address, or all refuse. :raises TimedOutError: too slow.
    """
    with trio.move_on_after(timeout):
        try:
            places = await resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise UnknownHostError(f"{host} has no address: {error}") from None
        return await _Race(places).run(f"{host} port {port}")
    raise TimedOutError(f"no connection to {host} port {port} in {timeout:g} s")


async def dial_first(
    hosts: Sequence[str], port: int, *, timeout: float = 30.0
) -> tuple[int, SocketStream]:
    """A TCP connection to the first of ``hosts`` that answers, and its number among them.

    :raises NetError: none does; what the last of them said.
    """
    winners: list[tuple[int, SocketStream]] = []
    errors: list[NetError] = [ConnectError("no host to connect to")]

    async def attempt(number: int, scope: trio.CancelScope) -> None:
        try:
            stream = await dial(hosts[number], port, timeout=timeout)
        except NetError as error:
            errors.append(error)
        else:
            winners.append((number, stream))
            scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            for number in range(len(hosts)):
                nursery.start_soon(attempt, number, nursery.cancel_scope)
    except BaseException:
        _close(winners)
        raise
    if not winners:
        raise errors[-1]
    _close(winners[1:])
    return winners[0]


def _close(winners: Sequence[tuple[int, SocketStream]]) -> None:
    for _, stream in winners:
        stream.close()


class _Race:
    """Connection attempts to several addresses, of which the first that succeeds counts."""

    def __init__(self, places: Sequence[Place]) -> None:
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
