"""Keepers in time that flies: see ``xgate.testing.outside``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest

from xgate.testing.authority import Authority
from xgate.testing.outside import LoopClock, Services, Watch
from xgate.testing.pki import Credential
from xgate.testing.responders import GOOD, answer_ocsp

Answer = Callable[[bytes], bytes]


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def responder(authority: Authority) -> Callable[..., Answer]:
    """Makes who answers what is asked at the time it is asked."""
    return partial(_answers, authority)


def _answers(
    authority: Authority,
    *,
    status: str | datetime = GOOD,
    age: timedelta = timedelta(0),
    lasts: timedelta | None = None,
    by: Credential | None = None,
    ca: Credential | None = None,
) -> Answer:
    def answer(request: bytes) -> bytes:
        at = LoopClock().now() - age
        return answer_ocsp(
            request,
            by or authority.ocsp,
            (ca or authority.ca).certificate,
            lambda _: status,
            at,
            next_update=None if lasts is None else at + lasts,
        )

    return answer


@pytest.fixture(autouse=True)
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rests are as long as was said: chance has a test of its own."""
    monkeypatch.setattr("xgate.keepers.pace.uniform", lambda _, most: most)
