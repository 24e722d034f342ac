"""A load generator for a consumer's security server: ``python load.py --help``.

The rule: one thread, one poll, raw sockets, so that it takes little from the servers on the same
machine. Closed loop: each connection sends its next request when the answer to the last is whole.
Open loop (``--rate``): requests fall due at a steady pace whatever the answers do, and latency
counts from when one fell due. Every answer is checked; it is bounded in time and in memory.

It prints ``measuring`` and ``measured`` when its window opens and closes, then one JSON object.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import time
from array import array
from collections import Counter, deque

from http1 import Message, take_message
from provider import BODY

__all__ = ["Load", "fraction"]

_READY_SECONDS = 20.0
_LAST_SECONDS = 10.0
_MOST_LATENCIES = 5_000_000
_MOST_DUE = 100_000
_MOST_FAILED = 1000


class _Line:
    """One connection, and the request that is under way on it."""

    __slots__ = ("blocked", "buffer", "due", "left", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = bytearray()
        self.left = memoryview(b"")
        self.due = 0.0
        self.blocked = False


class Load:
    """Exchanges over some connections; what they did is in its attributes."""

    def __init__(self, address: tuple[str, int], request: bytes, rate: float) -> None:
        """:param rate: requests per second of the open loop; 0: closed loop."""
        self.latencies = array("d")
        self.failures: Counter[str] = Counter()
        self.exchanges = 0
        self._address = address
        self._request = memoryview(request)
        self._gap = 1 / rate if rate else 0.0
        self._poll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._idle: list[_Line] = []
        self._due: deque[float] = deque()
        self._next = 0.0
        self._counting = False
        self._ending = False

    @property
    def failed(self) -> int:
        """How many requests had no good answer."""
        return self.failures.total()

    def open(self, connections: int) -> None:
        """Connect; with a closed loop the first requests leave at once."""
        self._next = time.perf_counter()
        for _ in range(connections):
            self._free(self._connect(), self._next)

    def run(self, seconds: float, *, counting: bool) -> float:
        """Exchange for some time; the seconds it really took. Only ``counting`` is recorded."""
        began = now = time.perf_counter()
        self._counting = counting
        while now - began < seconds and self._lines and self.failed < _MOST_FAILED:
            self._turn(began + seconds - now)
            now = time.perf_counter()
        self._counting = False
        return now - began

    def finish(self) -> int:
        """Wait for the last answers and hang up; how many requests fell due and were not sent."""
        behind = len(self._due)
        self._due.clear()
        self._ending = True
        until = time.perf_counter() + _LAST_SECONDS
        while len(self._idle) < len(self._lines) and time.perf_counter() < until:
            self._turn(0.1)
        self.failures["no answer at the end"] += len(self._lines) - len(self._idle)
        for line in self._lines.values():
            line.sock.close()
        self._poll.close()
        return behind

    def _turn(self, wait: float) -> None:
        if self._gap and not self._ending:
            self._fall_due(time.perf_counter())
            wait = min(wait, max(self._next - time.perf_counter(), 0.0))
        for number, _ in self._poll.poll(wait):
            self._serve(self._lines[number])

    def _fall_due(self, now: float) -> None:
        while self._next <= now:
            if len(self._due) >= _MOST_DUE:
                self.failures["fell due and too many were waiting"] += 1
            else:
                self._due.append(self._next)
            self._next += self._gap
        while self._due and self._idle:
            self._send(self._idle.pop(), self._due.popleft())

    def _connect(self) -> _Line:
        sock = socket.create_connection(self._address, timeout=_LAST_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        line = self._lines[sock.fileno()] = _Line(sock)
        self._poll.register(sock, select.EPOLLIN)
        return line

    def _free(self, line: _Line, now: float) -> None:
        """The connection has nothing to do: give it the next request, or let it wait for one."""
        if self._due:
            self._send(line, self._due.popleft())
        elif self._gap or self._ending:
            self._idle.append(line)
        else:
            self._send(line, now)

    def _send(self, line: _Line, due: float) -> None:
        line.due, line.left = due, self._request
        self._go_on(line)

    def _go_on(self, line: _Line) -> None:
        blocked = False
        try:
            while line.left:
                line.left = line.left[line.sock.send(line.left) :]
        except BlockingIOError:
            blocked = True
        except OSError:  # it shows when the connection is read
            line.left = memoryview(b"")
        if blocked != line.blocked:
            line.blocked = blocked
            self._poll.modify(line.sock, select.EPOLLIN | (select.EPOLLOUT if blocked else 0))

    def _serve(self, line: _Line) -> None:
        if line.left:
            self._go_on(line)
        try:
            data = line.sock.recv(1 << 18)
            line.buffer += data
            message = take_message(line.buffer)
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            self._replace(line, f"{type(error).__name__}: {error}")
            return
        if message is not None:
            del line.buffer[: message.size]
            self._record(line, message)
        elif not data:
            self._replace(line, "closed")

    def _record(self, line: _Line, message: Message) -> None:
        now = time.perf_counter()
        if message.status != 200 or message.body != BODY:
            first = message.head.partition(b"\r\n")[0].decode("latin-1")
            self.failures[f"{first}: {message.body[:200].decode('latin-1')}"] += 1
        elif self._counting:
            self.exchanges += 1
            if len(self.latencies) < _MOST_LATENCIES:
                self.latencies.append(now - line.due)
        self._free(line, now)

    def _replace(self, line: _Line, why: str) -> None:
        """A connection broke: its request has failed, and another takes its place."""
        self.failures[why] += 1
        self._poll.unregister(line.sock)
        del self._lines[line.sock.fileno()]
        line.sock.close()
        if self._ending:
            return
        try:
            self._free(self._connect(), time.perf_counter())
        except OSError as error:
            self.failures[f"{type(error).__name__}: {error}"] += 1


def fraction(ordered: array[float], part: float) -> float:
    """The value below which ``part`` of some ordered values lie; 0 without values."""
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else 0.0


def _request(options: argparse.Namespace) -> bytes:
    body: bytes = b"x" * options.body
    head = (
        f"POST {options.target} HTTP/1.1\r\nHost: {options.host}:{options.port}\r\n"
        f"X-Road-Client: {options.client}\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _wait_ready(address: tuple[str, int], request: bytes) -> None:
    """One exchange at a time until one is good: servers that have just started lack OCSP.

    :raises SystemExit: none was good in time; with what was said last.
    """
    until, said = time.monotonic() + _READY_SECONDS, "nothing"
    while time.monotonic() < until:
        load = Load(address, request, 0.0)
        load.open(1)
        load.run(0.05, counting=True)
        load.finish()
        if load.exchanges and not load.failed:
            return
        said = next(iter(load.failures), said)
    raise SystemExit(f"no exchange was good in {_READY_SECONDS:.0f} s; the last answer: {said}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Exchanges through a security server.")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True, help="/r1/ and the service")
    parser.add_argument("--client", required=True, help="X-Road-Client")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=2.0)
    parser.add_argument("--body", type=int, default=1024, help="octets of a request's body")
    parser.add_argument(
        "--rate", type=float, default=0.0, help="requests per second; 0: all it can"
    )
    options = parser.parse_args()
    address, request = (options.host, options.port), _request(options)
    _wait_ready(address, request)
    load = Load(address, request, options.rate)
    load.open(options.connections)
    warm = load.run(options.warm_up, counting=False)
    print("measuring", flush=True)
    took = load.run(options.seconds, counting=True)
    print("measured", flush=True)
    behind = load.finish()
    ordered = array("d", sorted(load.latencies))
    result = {
        "exchanges": load.exchanges,
        "seconds": took,
        "warm_up_seconds": warm,
        "failed": load.failed,
        "failures": {text: n for text, n in load.failures.most_common(5) if n},
        "behind": behind,
        "p50_ms": fraction(ordered, 0.5) * 1000,
        "p99_ms": fraction(ordered, 0.99) * 1000,
        "max_ms": fraction(ordered, 1.0) * 1000,
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
