"""A founded country for the sandbox's own tests, and one at work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xgate.clock import SystemClock
from xgate.sandbox.background import Running, run_in_background
from xgate.sandbox.country import Country, found_country
from xgate.sandbox.desk import Desk

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def country(tmp_path: Path) -> Country:
    return found_country(tmp_path, NOW, kind="P-256")


@pytest.fixture(scope="module")
def at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Desk]]:
    """A country at work whose services are a desk."""
    folder = tmp_path_factory.mktemp("country")
    founded = found_country(folder, SystemClock().now(), kind="P-256")
    desk = Desk()
    with run_in_background(founded, SystemClock(), services=desk.serve) as running:
        yield running, desk
