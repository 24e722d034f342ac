"""A piece of network that can be bad: a TCP proxy for ``faults.py``.

The rule: it hands on octets and knows nothing of what they mean; while ``harm`` is set, connections
suffer in that way, by a generator of its own.
"""

from __future__ import annotations

import socket
import struct
from random import Random

import trio

__all__ = ["BadWire"]

_CHUNK = 1 << 16
_OFTEN = 0.3  # how many chunks suffer
_DELAY = (0.02, 0.5)
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, and nothing after it


class _CutError(Exception):
    """This connection is over."""


class BadWire:
    """Hands connections on to ``target``; ``run`` it in a nursery."""

    def __init__(self, host: str, target: tuple[str, int], random: Random) -> None:
        self.harm: str | None = None
        """``delay``, ``cut``, ``half_close``, ``garbage`` or ``refuse``; None: it is a good one."""
        self.port = 0
        """Where it listens, once it runs."""
        self._host = host
        self._target = target
        self._random = random

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        (listener,) = await trio.open_tcp_listeners(0, host=self._host, backlog=256)
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._serve, [listener])

    async def _serve(self, near: trio.SocketStream) -> None:
        try:
            if self.harm == "refuse":
                return
            far = await trio.open_tcp_stream(*self._target)
        except OSError:
            return
        finally:
            if self.harm == "refuse":
                _reset(near)
        async with near, far:
            try:
                async with trio.open_nursery() as both:
                    both.start_soon(self._pump, near, far)
                    both.start_soon(self._pump, far, near)
            except* (_CutError, trio.BrokenResourceError, trio.ClosedResourceError):
                _reset(near)
                _reset(far)

    async def _pump(self, source: trio.SocketStream, sink: trio.SocketStream) -> None:
        while data := await source.receive_some(_CHUNK):
            match self.harm if self._random.random() < _OFTEN else None:
                case "delay":
                    await trio.sleep(self._random.uniform(*_DELAY))
                case "cut":
                    await sink.send_all(data[: self._random.randrange(len(data))])
                    raise _CutError
                case "half_close":
                    await sink.send_all(data[: self._random.randrange(len(data))])
                    break
                case "garbage":
                    data = self._spoil(data)
            await sink.send_all(data)
        await sink.send_eof()

    def _spoil(self, data: bytes | bytearray) -> bytes:
        at = self._random.randrange(len(data))
        noise = self._random.randbytes(self._random.randint(1, 64))
        kept = at + self._random.choice((0, len(noise)))  # between octets, or in their place
        return bytes(data[:at] + noise + data[kept:])


def _reset(stream: trio.SocketStream) -> None:
    if stream.socket.fileno() >= 0:
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
