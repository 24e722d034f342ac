"""A proxy hands on what passes, and harms it as it is told: real sockets on both sides."""

from __future__ import annotations

import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from xgate.net.dial import dial
from xgate.net.errors import ClosedError, ConnectError
from xgate.net.stream import SocketStream
from xgate.testing.fault_proxy import FaultProxy, flap
from xgate.testing.weather import FAIR, Weather, Wind

RESET = "the connection broke: Connection reset by peer"


async def echo(stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):
        async for data in stream:
            await stream.send_all(data)


@asynccontextmanager
async def proxied(
    serve: Callable[[trio.SocketStream], Awaitable[None]] = echo, *, seed: int = 0
) -> AsyncIterator[FaultProxy]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, serve, [listener])
        proxy = FaultProxy(("127.0.0.1", listener.socket.getsockname()[1]), seed=seed)
        await nursery.start(proxy.run)
        with trio.fail_after(10):
            yield proxy
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def calling(proxy: FaultProxy) -> AsyncIterator[SocketStream]:
    stream = await dial(*proxy.address)
    try:
        yield stream
    finally:
        await stream.aclose()


async def all_of(stream: SocketStream) -> bytes:
    octets = b""
    while data := await stream.receive():
        octets += data
    return octets


async def ask(proxy: FaultProxy, octets: bytes) -> bytes:
    """Say all of it, and that it is all; what is answered."""
    async with calling(proxy) as stream:
        await stream.send_all(octets)
        stream.socket.shutdown(socket.SHUT_WR)
        return await all_of(stream)


async def test_fair_weather_passes_everything_and_counts_it() -> None:
    octets = bytes(range(256)) * 4096
    async with proxied() as proxy:
        assert await ask(proxy, b"hello") == b"hello"
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask, proxy, octets)
        await proxy.wait_idle()
        assert (proxy.connections, proxy.open) == (4, 0)
        assert proxy.there == proxy.back == 5 + 3 * len(octets)


async def test_what_refuses_is_a_real_refusal_and_may_end() -> None:
    async with proxied() as proxy:
        async with calling(proxy) as before:
            proxy.weather = Weather("refuse")
            with pytest.raises(ConnectError, match="Connection refused"):
                await ask(proxy, b"x")
            await before.send_all(b"still there")
            assert await before.receive() == b"still there"
        proxy.weather = FAIR
        assert await ask(proxy, b"back") == b"back"
        assert proxy.connections == 2


async def test_arrivals() -> None:
    async with proxied() as proxy:
        proxy.weather = Weather("close")
        assert await ask(proxy, b"x") == b""
        proxy.weather = Weather("reset")
        async with calling(proxy) as stream:
            with pytest.raises(ClosedError, match=RESET):
                await stream.receive()
        proxy.weather = Weather("hang")
        async with calling(proxy) as stream:
            await stream.send_all(b"patience")
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert stream.quiet
            proxy.weather = FAIR
            assert await stream.receive() == b"patience"


async def test_each_of_the_next_connections_has_its_own_weather() -> None:
    async with proxied() as proxy:
        proxy.forecast([Weather("close"), FAIR, Weather(answer=b"wrong number")])
        answers = [await ask(proxy, b"x") for _ in range(4)]
        assert answers == [b"", b"x", b"wrong number", b"x"]


@pytest.mark.parametrize("side", ["there", "back"])
async def test_a_direction_ends_after_its_octets(side: str) -> None:
    def weather(wind: Wind) -> Weather:
        return Weather(there=wind) if side == "there" else Weather(back=wind)

    async with proxied() as proxy:
        for end in ("close", "half_close"):
            proxy.weather = weather(Wind(after=(3, 3), end=end))
            answered = await ask(proxy, b"abcdef")
            assert answered in ((b"abc", b"") if (end, side) == ("close", "there") else (b"abc",))
        proxy.weather = weather(Wind(after=(3, 3), end="reset"))
        async with calling(proxy) as stream:
            await stream.send_all(b"abcdef")
            with pytest.raises(ClosedError, match=RESET):
                await all_of(stream)


async def test_what_hangs_goes_on_when_the_weather_changes() -> None:
    async with proxied() as proxy:
        proxy.weather = Weather(back=Wind(after=(3, 3), end="hang"))
        async with calling(proxy) as stream:
            await stream.send_all(b"abcdef")
            assert await stream.receive() == b"abc"
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert stream.quiet
            proxy.weather = FAIR
            assert await stream.receive() == b"def"


async def test_noise_and_flips_by_a_seed() -> None:
    heard = []
    for seed in (1, 1, 2):
        async with proxied(seed=seed) as proxy:
            proxy.weather = Weather(there=Wind(flips=(2, 9)))
            flipped = await ask(proxy, bytes(64))
            proxy.weather = Weather(back=Wind(after=(8, 8), end="noise"))
            noise = await ask(proxy, bytes(64))
            assert len(flipped) == len(noise) == 64
            assert noise[:8] == bytes(8)
            heard.append((flipped, noise))
    assert heard[0] == heard[1] != heard[2]


async def test_slow_and_late(mock_clock: trio.testing.MockClock) -> None:
    mock_clock.autojump_threshold = 0.05
    async with proxied() as proxy:
        proxy.weather = Weather(there=Wind(rate=100))
        began = trio.current_time()
        assert await ask(proxy, bytes(200)) == bytes(200)
        assert 1.9 < trio.current_time() - began < 2.5
        proxy.weather = Weather(back=Wind(delay=(3.0, 3.0)))
        began = trio.current_time()
        assert await ask(proxy, b"x") == b"x"
        assert 3.0 <= trio.current_time() - began < 3.5


async def test_what_is_slow_goes_on_at_once_when_the_weather_clears(
    mock_clock: trio.testing.MockClock,
) -> None:
    mock_clock.rate = 1.0
    async with proxied() as proxy:
        proxy.weather = Weather(there=Wind(rate=1), back=Wind(delay=(900.0, 900.0)))
        async with calling(proxy) as stream:
            await stream.send_all(bytes(1000))
            await trio.testing.wait_all_tasks_blocked(0.02)
            assert stream.quiet
            proxy.weather = FAIR
            heard = 0
            while heard < 1000:
                heard += len(await stream.receive())


async def test_flapping(mock_clock: trio.testing.MockClock) -> None:
    mock_clock.autojump_threshold = 0.05
    async with proxied() as proxy, trio.open_nursery() as nursery:
        nursery.start_soon(flap, proxy, [(Weather("close"), 1.0), (FAIR, 1.0)] * 2)
        heard: list[bytes] = []
        for _ in range(5):
            await trio.sleep(0.5 if not heard else 1.0)
            heard.append(await ask(proxy, b"x"))
        assert heard == [b"", b"x", b"", b"x", b"x"]


async def test_a_cut_is_a_reset_of_all_there_are() -> None:
    async with proxied() as proxy:
        async with calling(proxy) as one, calling(proxy) as other:
            for stream in (one, other):
                await stream.send_all(b"x")
                assert await stream.receive() == b"x"
            assert proxy.open == 2
            proxy.cut()
            for stream in (one, other):
                with pytest.raises(ClosedError, match=RESET):
                    await stream.receive()
        assert await ask(proxy, b"again") == b"again"
        await proxy.wait_idle()
        assert proxy.open == 0


async def test_a_target_that_is_not_there_is_a_reset() -> None:
    proxy = FaultProxy(("127.0.0.1", 1))
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.run)
        async with calling(proxy) as stream:
            with pytest.raises(ClosedError, match=RESET):
                await stream.receive()
        nursery.cancel_scope.cancel()


async def test_a_target_may_be_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    sock = trio.socket.socket(socket.AF_UNIX)
    await sock.bind(str(path))
    sock.listen()
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, echo, [trio.SocketListener(sock)])
        proxy = FaultProxy(path)
        await nursery.start(proxy.run)
        assert await ask(proxy, b"x") == b"x"
        async with calling(proxy) as stream:
            await stream.send_all(b"y")
            assert await stream.receive() == b"y"
            proxy.cut()
            with pytest.raises(ClosedError):
                await stream.receive()
        nursery.cancel_scope.cancel()


async def test_it_may_stand_at_a_unix_socket_itself(tmp_path: Path) -> None:
    path = tmp_path / "proxy"

    async def ask_there() -> bytes:
        async with await trio.open_unix_socket(str(path)) as stream:
            await stream.send_all(b"x")
            return bytes(await stream.receive_some())

    async with proxied() as to, trio.open_nursery() as nursery:
        proxy = FaultProxy(to.address, path=path)
        await nursery.start(proxy.run)
        assert await ask_there() == b"x"
        proxy.weather = Weather("refuse")
        with pytest.raises(OSError, match="No such file"):
            await ask_there()
        proxy.weather = FAIR
        assert await ask_there() == b"x"
        nursery.cancel_scope.cancel()
    assert not path.exists()


async def test_its_port_is_kept_while_nobody_listens_and_free_at_the_end() -> None:
    proxy = FaultProxy(("127.0.0.1", 1))
    proxy.weather = Weather("refuse")
    with socket.socket() as other:
        with pytest.raises(OSError, match="in use") as taken:
            other.bind(proxy.address)
        assert taken.value.errno == errno.EADDRINUSE
        proxy.close()
        other.bind(proxy.address)
