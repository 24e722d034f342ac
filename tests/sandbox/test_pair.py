"""Servers as tasks and as processes: the same server, started and stopped alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from xgate.clock import SystemClock
from xgate.net.errors import NetError
from xgate.sandbox.country import found_country
from xgate.sandbox.lines import Lines
from xgate.sandbox.pair import run_in_process, serve_surroundings, start_process, start_signer
from xgate.sandbox.places import Country


@pytest.fixture
async def surroundings(country: Country, nursery: trio.Nursery) -> None:
    await nursery.start(serve_surroundings, country, SystemClock())


async def test_a_task_serves_until_its_block_ends(country: Country, surroundings: None) -> None:
    lines = Lines()
    async with run_in_process(country.consumer, SystemClock(), lines):
        await lines.wait("serving", id=country.consumer.id.short)
        await lines.wait("OCSP responses refreshed", answered=2)
    await lines.wait("stopped")


async def test_a_process_serves_until_it_is_told_to_stop(
    country: Country, surroundings: None
) -> None:
    server = await start_process(country.provider)
    assert await server.stop() == 0
    events = [json.loads(line)["event"] for line in server.log.read_bytes().splitlines()]
    assert events[-1] == "stopped"


async def test_a_signer_signs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    place = found_country(tmp_path, SystemClock().now(), kind="P-256", signers=True).provider
    signer = await start_signer(place)
    assert (place.folder / "run" / "signer.sock").is_socket()
    assert await signer.stop() == 0


async def test_a_signer_without_a_socket_says_so(country: Country) -> None:
    with pytest.raises(NetError, match=r"provider's signer did not start: .*\[keys\] needs signer"):
        await start_signer(country.provider)


async def test_a_server_that_does_not_start_says_why(country: Country, surroundings: None) -> None:
    country.consumer.settings.write_text('serve = "x"\n')
    with pytest.raises(NetError, match=r"did not start: .*unknown key 'serve'"):
        await start_process(country.consumer)
