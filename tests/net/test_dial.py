"""Connecting to a name: every address counts, none holds the others up."""

from __future__ import annotations

import socket

import pytest
import trio
from trio.testing import MockClock

from xgate.net.dial import dial
from xgate.net.errors import ConnectError, TimedOutError


async def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        dead = [(socket.AF_INET, 1, 6, "", ("127.0.0.1", unused_port())) for _ in range(2)]
        good = (socket.AF_INET, 1, 6, "", ("127.0.0.1", port))

        async def resolve(*_: object, **__: object) -> object:
            return [*dead, good]

        monkeypatch.setattr(trio.socket, "getaddrinfo", resolve)
        stream = await dial("several.example", port)
        assert stream.peer_port == port
        stream.close()


async def test_an_address_that_does_not_answer_delays_the_next_only_a_little(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    with socket.socket() as full, socket.socket() as filler:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        filler.connect(full.getsockname())  # its queue is full: further SYNs are dropped
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            silent = (socket.AF_INET, 1, 6, "", full.getsockname())
            good = (socket.AF_INET, 1, 6, "", ("127.0.0.1", port))

            async def resolve(*_: object, **__: object) -> object:
                return [silent, good]

            monkeypatch.setattr(trio.socket, "getaddrinfo", resolve)
            stream = await dial("several.example", port)
            assert stream.peer_port == port
            assert trio.current_time() <= 1
            stream.close()


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_the_cause_of_a_failure_is_told() -> None:
    with pytest.raises(ConnectError, match="refused"):
        await dial("127.0.0.1", unused_port())
    with pytest.raises(ConnectError, match="has no address"):
        await dial("no such name", 80)


async def test_when_no_address_answers_in_time_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async def resolve(*_: object, **__: object) -> object:
        await trio.sleep_forever()

    monkeypatch.setattr(trio.socket, "getaddrinfo", resolve)
    with pytest.raises(TimedOutError, match="12 s"):
        await dial("slow.example", 80, timeout=12)
    assert trio.current_time() == pytest.approx(12)
