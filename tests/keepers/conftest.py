"""Keepers in time that flies: see ``xgate.testing.outside``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
from tests.keepers.ocsp_scene import Scene

from xgate.ids import ClientId
from xgate.signer.ocsp_cache import OcspCache
from xgate.testing.authority import Authority
from xgate.testing.outside import LoopClock, Services, Watch
from xgate.testing.pki import Credential, issue_auth
from xgate.testing.responders import GOOD, answer_ocsp
from xgate.trust.certificate import Certificate

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


@pytest.fixture(scope="session")
def own(authority: Authority) -> list[Certificate]:
    """This server's certificates: one for signing, one for authentication."""
    sign = authority.member(ClientId("XG", "COM", "1")).certificate
    return [sign, issue_auth(authority.ca, "ss").certificate]


@pytest.fixture
def scene(
    authority: Authority,
    own: list[Certificate],
    responder: Callable[..., Answer],
    services: Services,
    watch: Watch,
) -> Scene:
    return Scene(authority, own, responder, services, watch, OcspCache())


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
