"""A gateway inside another program: it reports its ports, logs to the given place, and stops."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

import xgate
from xgate.sandbox.country import Country, found_country


@pytest.fixture
def country(tmp_path: Path) -> Country:
    country = found_country(tmp_path, datetime.now(UTC), kind="P-256")
    settings = country.consumer.settings
    text = settings.read_text().replace('use = "http"', 'use = "disk"\ndirectory = "../globalconf"')
    settings.write_text(text)
    return country


async def test_it_serves_until_it_is_told_to_stop(country: Country) -> None:
    place = country.consumer
    lines: list[bytes] = []
    settings = xgate.load_settings(place.settings)
    gateway = xgate.Gateway(settings, place.folder, write=lines.append)
    async with trio.open_nursery() as nursery:
        ports = await nursery.start(gateway.run)
        assert ports.client_http == country.ports.client
        stream = await trio.open_tcp_stream(place.address, ports.client_http)
        async with stream:
            await stream.send_all(b"GET /r1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b"".join([chunk async for chunk in stream])
        assert answer.startswith(b"HTTP/1.1 500 ")
        gateway.stop()
    events = [json.loads(line)["event"] for line in lines]
    assert events[-1] == "stopped"
    assert "exchange" in events


async def test_settings_that_name_a_missing_key_store_end_it_with_the_cause(
    country: Country,
) -> None:
    place = country.consumer
    (place.folder / "keys.xgate").unlink()
    gateway = xgate.Gateway(xgate.load_settings(place.settings), place.folder)
    with pytest.raises(xgate.Fault, match=r"There is no key store at .*run: xgate keys import"):
        await gateway.run()
