"""A source of another package, at its worst, and a server that goes on by what it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.disk import DiskSource
from xgate.globalconf.source import ConfSource, LoadedConf
from xgate.sandbox.country import Country
from xgate.securityserver import conf_source

if TYPE_CHECKING:
    from tests.journeys.conftest import Starter

REFRESHED = "global configuration not refreshed"


class Nasty:
    """Good at first; then it does, round and round, whatever a source could do."""

    def __init__(self, folder: Path) -> None:
        self._good = DiskSource(folder)
        self._deeds: Iterator[Callable[[], Any]] = cycle(
            (
                self._raise(ZeroDivisionError("of its own")),
                self._raise(SystemError("of its own")),
                lambda: None,
                lambda: "a configuration",
                lambda: LoadedConf(GlobalConf("XG", {}), ()),
                lambda: LoadedConf(GlobalConf("ZZ", {}), ()),
                self._raise(StopIteration()),
            )
        )
        self._asked = 0

    def fetch(self, now: datetime) -> LoadedConf:
        self._asked += 1
        if self._asked == 1:
            return self._good.fetch(now)
        return cast("LoadedConf", next(self._deeds)())

    @staticmethod
    def _raise(error: Exception) -> Callable[[], Any]:
        def deed() -> None:
            raise error

        return deed


async def test_a_failing_source_never_disturbs_what_is_known(
    found: Callable[..., Country], start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    country = found({'use = "http"': 'use = "nasty"\nrefresh-seconds = 0.05'})

    def open_nasty(options: Mapping[str, Any], folder: Path) -> ConfSource:
        return Nasty(country.verification)

    monkeypatch.setattr(conf_source, "find_source", {"nasty": open_nasty}.get)
    async with start(country) as started:
        lines = started.running.consumer
        failed = 0
        for _ in range(7):
            await lines.wait(REFRESHED, since=failed)
            seen = [number for number, line in enumerate(lines) if line["event"] == REFRESHED]
            failed = seen[-1] + 1
            reply = await started.caller.rest("POST", "/echo", body=b"still here")
            assert (reply.status, reply.body) == (200, b"still here")
