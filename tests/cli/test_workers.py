"""Work in many processes: the same results in the same order, within bounds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import pytest

from xgate.cli.output import Unusable
from xgate.cli.workers import in_order, processor_count
from xgate.errors import Fault


def make_tool(factor: int) -> tuple[int, int]:
    return factor, os.getpid()


def multiply(tool: tuple[int, int], item: int) -> tuple[int, int]:
    factor, process = tool
    return factor * item, process


def refuse(tool: tuple[int, int], item: int) -> int:
    if item == 5:
        raise Fault("invalid_xml", "number five")
    return item


def die(tool: tuple[int, int], item: int) -> int:
    os._exit(1)


def no_tool() -> tuple[int, int]:
    raise Unusable("there is no tool")


def octets(item: int) -> int:
    return 1


def test_few_items_are_done_here() -> None:
    done = list(in_order([1, 2], multiply, partial(make_tool, 10), size=octets, processes=4))
    assert done == [(10, os.getpid()), (20, os.getpid())]


def test_nothing_to_do() -> None:
    assert list(in_order([], multiply, partial(make_tool, 10), size=octets)) == []


def test_many_are_done_elsewhere_and_come_back_in_order() -> None:
    work = partial(in_order, size=octets, few=3, processes=2)
    done = list(work(range(40), multiply, partial(make_tool, 2)))
    assert [result for result, _ in done] == [2 * item for item in range(40)]
    processes = {process for _, process in done}
    assert os.getpid() not in processes
    assert 1 <= len(processes) <= 2


def test_what_is_on_its_way_is_bounded_by_number_and_by_size() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(30):
            taken.append(item)
            yield item

    work = partial(in_order, few=1, processes=2)
    results = work(items(), multiply, partial(make_tool, 1), size=lambda _: 1 << 40)
    next(results)
    assert len(taken) <= 3
    results.close()
    taken.clear()
    results = work(items(), multiply, partial(make_tool, 1), size=octets)
    next(results)
    assert len(taken) <= 10
    results.close()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_refusal_ends_it_as_what_it_is(processes: int) -> None:
    work = partial(in_order, size=octets, few=1, processes=processes)
    with pytest.raises(Fault, match="number five"):
        list(work(range(10), refuse, partial(make_tool, 1)))
    if processes == 1:
        with pytest.raises(Unusable, match="there is no tool"):
            list(work(range(10), refuse, no_tool))


def test_a_process_that_dies_is_told_of() -> None:
    with pytest.raises(Fault, match="has died"):
        list(in_order(range(9), die, partial(make_tool, 1), size=octets, few=1, processes=2))


def test_there_is_at_least_one_processor() -> None:
    assert processor_count() >= 1
