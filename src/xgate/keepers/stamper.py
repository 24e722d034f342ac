"""Gets timestamps from services and stores them.

The rule: services are asked in order and the first good answer counts; one that has just failed is
asked last for a while, so that a dead one costs its time-out once and not at each round. What a
service answers is proven before it is kept, and what cannot be kept is no service's fault. Many
stamps are kept in slices with a rest after each, as long as the slice took: messages wait for the
log's one writer too, and come first. Threads are its own (messagelog 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.keepers.ocsp_client import Post
from xgate.keepers.report import Report, cause_of
from xgate.messagelog.store import LogStore, Waiting
from xgate.messagelog.timestamping import finished, prove_token, write_order
from xgate.net.turns import Turns
from xgate.policy.world import World

__all__ = ["Stamper"]

_QUERY_TYPE = "application/timestamp-query"
_SLICE = 250  # stamps to a transaction: a few milliseconds of the writer's time
_ALONE_AT_ONCE = 16  # single timestamps that are under way at the same time
_TURN = 30.0  # seconds a message waits to be one of them
_THREADS = 4
_REST = 600.0  # seconds for which a service that has failed is asked after the others


class Stamper:
    """Stamps records of one store; for use within one trio loop."""

    def __init__(
        self,
        store: LogStore,
        world: Cell[World],
        services: Callable[[], Sequence[str]],
        clock: Clock,
        post: Post,
        report: Report,
    ) -> None:
        """:param services: URLs in order of preference, asked for anew each time."""
        self.store = store
        self._world = world
        self._services = services
        self._clock = clock
        self._post = post
        self._report = report
        self._turns = Turns(clock.monotonic, _REST)
        self._alone = trio.CapacityLimiter(_ALONE_AT_ONCE)
        self._thread = partial(trio.to_thread.run_sync, limiter=trio.CapacityLimiter(_THREADS))

    async def stamp_oldest(self, most: int) -> int:
        """Stamp the oldest waiting records with one token; how many there were.

        :raises Fault: ``global_conf_outdated``, ``mlog.no_timestamping_provider_found``,
            ``timestamping_failed`` when no service gave a good answer; as the store's.
        """
        waiting = await self._thread(self.store.unstamped, most)
        if waiting:
            await self._stamp(waiting)
        return len(waiting)

    async def stamp_one(self, waiting: Waiting) -> None:
        """Stamp one record now, while somebody waits for it.

        :raises Fault: as ``stamp_oldest``; ``timestamping_failed`` also when too many wait.
        """
        try:
            with trio.fail_after(_TURN):
                await self._alone.acquire()
        except trio.TooSlowError:
            text = f"Too many messages wait for timestamps of their own: no turn in {_TURN:g} s"
            raise Fault("timestamping_failed", text) from None
        try:
            await self._stamp([waiting])
        finally:
            self._alone.release()

    async def _stamp(self, waiting: Sequence[Waiting]) -> None:
        trust = self._world.value.globalconf
        trust.check_valid(self._clock.now())
        urls = self._turns.order(self._services())
        if not urls:
            raise Fault("mlog.no_timestamping_provider_found", "No timestamping service is known")
        began = self._clock.monotonic()
        order = await self._thread(write_order, waiting, self.store)
        await self._rest(began)
        for url in urls:
            try:
                answer = await self._post(url, order.request, _QUERY_TYPE)
                token = await self._thread(prove_token, order, answer, trust)
            except Exception as error:  # noqa: BLE001  whatever a service does, the next is asked
                self._turns.failed(url)
                self._report("timestamp not obtained", url=url, cause=cause_of(error))
                continue
            self._turns.answered(url)
            for stamps, documents in finished(order, token, _SLICE):
                began = self._clock.monotonic()
                await self._thread(self.store.stamp, stamps, documents)
                await self._rest(began)
            self._report("timestamped", url=url, records=len(waiting))
            return
        text = f"{len(waiting)} records wait: no service has stamped them"
        raise Fault("timestamping_failed", text)

    async def _rest(self, began: float) -> None:
        await trio.sleep(self._clock.monotonic() - began)
