"""Connecting to a name: every address counts, none holds the others up."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
from trio.testing import MockClock

from xgate.net.dial import dial, dial_first
from xgate.net.errors import ConnectError, TimedOutError


async def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        dead = [(socket.AF_INET, ("127.0.0.1", unused_port())) for _ in range(2)]
        good = (socket.AF_INET, ("127.0.0.1", port))

        async def resolve(*_: object, **__: object) -> object:
            return [*dead, good]

        monkeypatch.setattr("xgate.net.dial.resolve", resolve)
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
            silent = (socket.AF_INET, full.getsockname())
            good = (socket.AF_INET, ("127.0.0.1", port))

            async def resolve(*_: object, **__: object) -> object:
                return [silent, good]

            monkeypatch.setattr("xgate.net.dial.resolve", resolve)
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

    monkeypatch.setattr("xgate.net.dial.resolve", resolve)
    with pytest.raises(TimedOutError, match="12 s"):
        await dial("slow.example", 80, timeout=12)
    assert trio.current_time() == pytest.approx(12)


@contextmanager
def silent_port() -> Iterator[int]:
    """On 127.0.0.9, where nobody is told no and nobody gets in."""
    with socket.socket() as full, socket.socket() as filler:
        full.bind(("127.0.0.9", 0))
        full.listen(0)
        filler.connect(full.getsockname())  # its queue is full: further SYNs are dropped
        yield full.getsockname()[1]


async def test_of_several_hosts_the_first_that_answers_counts(autojump_clock: MockClock) -> None:
    with silent_port() as port, socket.create_server(("127.0.0.1", port)):
        hosts = ["127.0.0.9", "127.0.0.8", "no such name", "127.0.0.1"]
        number, stream = await dial_first(hosts, port, timeout=10)
        assert (number, stream.peer_address) == (3, "127.0.0.1")
        stream.close()


async def test_the_losers_of_a_race_are_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        with socket.create_server(("127.0.0.2", port)) as other:
            _, stream = await dial_first(["127.0.0.1", "127.0.0.2"], port)
            assert stream.quiet
            loser = {"127.0.0.1": other, "127.0.0.2": one}[stream.peer_address]
            loser.settimeout(0.2)
            try:
                with loser.accept()[0] as lost:
                    assert lost.recv(1) == b""
            except TimeoutError:
                pass  # it was given up before it stood
            stream.close()


async def test_when_no_host_answers_the_last_says_why(autojump_clock: MockClock) -> None:
    with silent_port() as port:
        with pytest.raises(TimedOutError):
            await dial_first(["127.0.0.8", "127.0.0.9"], port, timeout=10)
        assert trio.current_time() == pytest.approx(10)
