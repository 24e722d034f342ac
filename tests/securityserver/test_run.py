"""A server from its settings: what it needs to start, and how it ends."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trio

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.net.drain import Drain
from xgate.net.errors import NetError
from xgate.sandbox.country import Country, found_country
from xgate.sandbox.lines import Lines
from xgate.securityserver.doors import Ports
from xgate.securityserver.journal import Journal
from xgate.securityserver.run import run_server
from xgate.securityserver.settings import SettingsError, load_settings


@pytest.fixture
def country(tmp_path: Path) -> Country:
    """A country whose consumer takes its configuration from disk: nothing else need be there."""
    country = found_country(tmp_path, datetime.now(UTC), kind="P-256")
    change(country, 'use = "http"', 'use = "disk"\ndirectory = "../globalconf"')
    return country


def change(country: Country, old: str, new: str) -> None:
    settings = country.consumer.settings
    text = settings.read_text()
    assert old in text
    settings.write_text(text.replace(old, new))


async def run(country: Country, lines: Lines, drain: Drain, nursery: trio.Nursery) -> Ports:
    place, clock = country.consumer, SystemClock()
    server = partial(
        run_server,
        load_settings(place.settings),
        place.folder,
        clock,
        Journal(clock, lines.write),
        drain,
    )
    ports: Ports = await nursery.start(server)
    return ports


async def start(country: Country) -> None:
    """Run the server; it is expected not to come so far as to serve."""
    place, clock = country.consumer, SystemClock()
    settings = load_settings(place.settings)
    await run_server(settings, place.folder, clock, Journal(clock), Drain())


async def test_it_serves_without_what_it_does_not_need_yet(country: Country) -> None:
    lines, drain = Lines(), Drain()
    async with trio.open_nursery() as nursery:
        ports = await run(country, lines, drain, nursery)
        assert ports.server == country.ports.server
        await lines.wait("OCSP not refreshed")
        drain.start()
    events = [line["event"] for line in lines]
    assert "serving" in events
    assert events[-2:] == ["statistics", "stopped"]


async def test_it_can_be_started_again_after_its_end(country: Country) -> None:
    for _ in range(2):
        drain = Drain()
        async with trio.open_nursery() as nursery:
            await run(country, Lines(), drain, nursery)
            drain.start()


async def test_a_taken_port_is_told_before_anything_is_served(country: Country) -> None:
    address = (country.consumer.address, country.ports.ocsp)
    with socket.create_server(address), pytest.raises(NetError, match="cannot listen"):
        await start(country)


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ('pin-file = "pin"', "", SettingsError, "needs pin-file, pin-env"),
        ('pin-file = "pin"', 'pin-env = "NOT_SET_HERE"', SettingsError, "NOT_SET_HERE"),
        ('pin-file = "pin"', 'pin-file = "none"', SettingsError, "none: No such file"),
        ('pin-file = "pin"', 'pin-file = "xgate.toml"', SettingsError, "several lines"),
        ('pin-file = "pin"', 'pin-command = ["echo", "no"]', Fault, "pin_incorrect"),
        ("../globalconf", "../nowhere", (Fault, OSError), "nowhere|instance"),
    ],
)
async def test_what_it_cannot_do_without_is_named(
    country: Country,
    old: str,
    new: str,
    error: type[Exception] | tuple[type[Exception], ...],
    said: str,
) -> None:
    change(country, old, new)
    with pytest.raises(error, match=said):
        await start(country)
