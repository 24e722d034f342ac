"""A service that costs next to nothing: ``python provider.py PORT``.

The rule: it answers every request on 127.0.0.1 with the same kilobyte of JSON and keeps the
connection, so that what a benchmark measures is the security servers. It prints the port it has
(PORT may be 0) and runs until it is ended.
"""

from __future__ import annotations

import select
import socket
import sys

from http1 import take_message

__all__ = ["BODY", "serve"]

BODY = b'{"answer":"%b"}' % (b"x" * (1024 - 13))
"""What it answers: 1024 octets."""

_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    + BODY
)


def serve(listener: socket.socket) -> None:
    """Answer for ever. What cannot be read ends its connection."""
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    held: dict[int, tuple[socket.socket, bytearray]] = {}
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                poll.register(sock, select.EPOLLIN)
                held[sock.fileno()] = sock, bytearray()
            elif not _answer(*held[number]):
                poll.unregister(number)
                held.pop(number)[0].close()


def _answer(sock: socket.socket, buffer: bytearray) -> bool:
    """Take what has come and answer what is whole; False when the connection is over."""
    try:
        data = sock.recv(1 << 18)
        buffer += data
        while (message := take_message(buffer)) is not None:
            del buffer[: message.size]
            sock.sendall(_ANSWER)
    except (OSError, ValueError):
        return False
    return bool(data)


def main(port: int) -> None:
    """Listen, say where, serve."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    serve(listener)


if __name__ == "__main__":
    main(int(sys.argv[1]))
