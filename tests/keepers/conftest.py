"""Keepers in time that flies: see ``xgate.testing.outside``."""

from __future__ import annotations

import pytest

from xgate.testing.authority import Authority
from xgate.testing.outside import Services, Watch


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def services() -> Services:
    return Services()
