"""Small documents are read where they are, large ones beside the loop."""

from __future__ import annotations

import threading

import pytest
import trio

from xgate.errors import Fault
from xgate.securityserver.aside import read_aside, work_aside

SMALL, LARGE = b"x" * 100, b"x" * (300 * 1024)


def thread_of(octets: bytes) -> tuple[int, int]:
    return len(octets), threading.get_ident()


async def test_only_a_large_document_goes_to_a_thread() -> None:
    here = threading.get_ident()
    assert await read_aside(SMALL, thread_of) == (len(SMALL), here)
    size, thread = await read_aside(LARGE, thread_of)
    assert size == len(LARGE)
    assert thread != here


@pytest.mark.parametrize("octets", [SMALL, LARGE])
async def test_a_refusal_comes_back_as_it_is(octets: bytes) -> None:
    def refuse(_: bytes) -> None:
        raise Fault("invalid_soap", "no")

    with pytest.raises(Fault, match="invalid_soap"):
        await read_aside(octets, refuse)


async def test_slow_reading_holds_up_no_other_task_and_no_other_thread() -> None:
    """Both reading threads are busy; the loop goes on, and so do threads for other work."""
    go, started = threading.Event(), [threading.Event() for _ in range(2)]

    def slow(number: int) -> None:
        started[number].set()
        go.wait(30)

    async with trio.open_nursery() as nursery:
        for number in range(2):
            nursery.start_soon(read_aside, LARGE, lambda _, n=number: slow(n))
        for event in started:
            await trio.to_thread.run_sync(event.wait, 30)
        assert await read_aside(SMALL, len) == len(SMALL)
        go.set()


async def test_work_is_done_beside_the_loop_however_small() -> None:
    assert await work_aside(threading.get_ident) != threading.get_ident()
