"""Every connection of a country leads through a proxy of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio

from xgate.clock import SystemClock
from xgate.net.fetch import fetch
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, found_country
from xgate.sandbox.lines import Lines
from xgate.sandbox.messages import rest_url
from xgate.sandbox.pair import run_in_process, serve_surroundings
from xgate.sandbox.wires import Wires


async def test_each_pair_has_its_own(tmp_path: Path, nursery: trio.Nursery) -> None:
    clock = SystemClock()
    country = found_country(tmp_path, clock.now(), kind="P-256", stamp_seconds=0.1)
    wires = Wires(country, database=Path("/nowhere"))
    wires.lay(clock.now())
    await nursery.start(partial(serve_surroundings, country, clock))
    await nursery.start(wires.run)
    consumer, provider = Lines(), Lines()
    async with (
        run_in_process(country.consumer, clock, consumer),
        run_in_process(country.provider, clock, provider),
    ):
        for lines in (consumer, provider):
            await lines.wait("OCSP responses refreshed", answered=2)
        url = rest_url(*wires.client.address, PROVIDER, "people", "/echo")
        answer = await fetch(url, headers=[("X-Road-Client", CONSUMER.url)])
        assert answer.status == 200
        await consumer.wait("timestamped")
        *all_but_the_last, database = wires
        assert all(proxy.connections > 0 and proxy.back > 0 for proxy in all_but_the_last)
        assert database.connections == 0
    nursery.cancel_scope.cancel()


async def test_settings_that_lead_elsewhere_are_not_silently_left(country: Country) -> None:
    wires = Wires(country)
    country.consumer.settings.write_text("")
    with pytest.raises(ValueError, match="does not say"):
        wires.lay(SystemClock().now())
    for proxy in wires:
        proxy.close()
