"""A whole country at work in a thread of its own.

The rule: whoever uses it needs no trio and no process: it is up when the block begins, its servers
able to exchange messages, and gone when the block ends. What failed inside is raised at the end.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial

import msgspec
import trio

from xgate.clock import Clock
from xgate.net.server import Exchange
from xgate.sandbox.authority import Authority
from xgate.sandbox.lines import Lines
from xgate.sandbox.pair import run_in_process, serve_surroundings
from xgate.sandbox.places import Country, Place

__all__ = ["Running", "run_in_background"]

_START_SECONDS = 30.0


class Running(msgspec.Struct, frozen=True):
    """A country at work: the logs of its two servers, and its authorities."""

    country: Country
    authority: Authority
    consumer: Lines
    provider: Lines


@contextmanager
def run_in_background(
    country: Country,
    clock: Clock,
    *,
    services: Callable[[Exchange], Awaitable[None]] | None = None,
    provider: bool = True,
) -> Iterator[Running]:
    """Run authorities, services and both servers in a thread.

    :param services: the provider's information system; the sandbox's own if None.
    :param provider: False leaves the provider's server to somebody else.
    :raises TimeoutError: the servers were not ready in time.
    """
    running = Running(country, Authority(country, clock), Lines(), Lines())
    served = [(country.consumer, running.consumer), (country.provider, running.provider)]
    thread = _Thread(running, clock, services, served if provider else served[:1])
    thread.start()
    try:
        thread.wait_until_ready()
        yield running
    finally:
        thread.stop()


class _Thread(threading.Thread):
    def __init__(
        self,
        running: Running,
        clock: Clock,
        services: Callable[[Exchange], Awaitable[None]] | None,
        served: list[tuple[Place, Lines]],
    ) -> None:
        super().__init__(name="sandbox country", daemon=True)
        self._running = running
        self._clock = clock
        self._services = services
        self._served = served
        self._ready = threading.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._over = trio.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:  # noqa: BLE001  it is raised where the country is used
            self._error = error
        finally:
            self._ready.set()

    def wait_until_ready(self) -> None:
        if not self._ready.wait(_START_SECONDS):
            raise TimeoutError(f"the country was not at work after {_START_SECONDS:g} s")
        self._raise_error()

    def stop(self) -> None:
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._over.set)
        self.join()
        self._raise_error()

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        running, country = self._running, self._running.country
        async with trio.open_nursery() as nursery:
            surroundings = partial(
                serve_surroundings, services=self._services, authority=running.authority
            )
            await nursery.start(surroundings, country, self._clock)
            async with AsyncExitStack() as servers:
                for place, lines in self._served:
                    await servers.enter_async_context(run_in_process(place, self._clock, lines))
                for _, lines in self._served:
                    await lines.wait("OCSP responses refreshed")
                self._ready.set()
                await self._over.wait()
            nursery.cancel_scope.cancel()
