"""The limit of open files: taken by whoever owns the process."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator

import pytest

from xgate.net.descriptors import count_descriptors, take_descriptors


@pytest.fixture
def limit() -> Iterator[tuple[int, int]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield soft, hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_all_that_is_granted_is_taken(limit: tuple[int, int]) -> None:
    _, hard = limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    assert count_descriptors() == 300
    take_descriptors()
    assert count_descriptors() == (sys.maxsize if hard == resource.RLIM_INFINITY else hard)
