"""Two servers whose keys were made on hardware tokens and never leave them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.journeys.test_signers import ensemble

from xgate.sandbox.background import Running
from xgate.sandbox.country import Country
from xgate.sandbox.places import Place
from xgate.testing.softhsm import SoftHsm

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

    Calling = Callable[[Running], Caller]

NO_KEY = "server.clientproxy.ssl_authentication_failed"


@pytest.fixture
def country(found: Callable[..., Country], softhsm: SoftHsm) -> Country:
    return found(hsm=softhsm.library)


def pins(place: Place) -> dict[str, str]:
    lines = (place.folder / "pin").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines)


async def test_messages_are_signed_and_proven_and_no_pin_is_told(
    country: Country, calling: Calling
) -> None:
    """EC keys: r‖s in signatures, ASN.1 in handshakes, both from one token."""
    secrets = [pin for place in country.places for pin in pins(place).values()]
    async with ensemble(country, calling) as all_:
        await all_.start_signers()
        await all_.start_servers()
        await all_.wait_served()
        rest, soap = await all_.call(), await all_.caller.soap("tell", "soap")
        assert (rest.code, soap.code) == ("", "")
        for process in (*all_.servers.values(), *all_.signers.values()):
            assert await process.stop() == 0
            told = process.log.read_text()
            assert not any(secret in told for secret in secrets)
        for query_id in (*all_.acknowledged, "soap"):
            assert all_.caller.counts(query_id) == [2, 2]
            for records in all_.caller.records(query_id):
                assert all(record.record.evidence.signature for record in records)


async def test_a_token_whose_pin_is_not_set_waits_for_a_person(
    country: Country, calling: Calling, tmp_path: Path
) -> None:
    """A login makes the server's keys usable while it runs, a logout takes them away."""
    place = country.consumer
    assert place.hardware is not None
    token, known = place.hardware.token, pins(place)
    (place.folder / "pin").write_text(known["0"])
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(known[token])
    wrong.write_text("not this one")
    right.chmod(0o600)
    wrong.chmod(0o600)

    def keys(verb: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "xgate", "keys", verb, token]
        command += ["--config", str(place.settings), *more]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    async with ensemble(country, calling) as all_:
        await all_.start_signers()
        await all_.start_servers()
        assert (await all_.call()).code == NO_KEY
        refused = keys("login", "--pin-file", str(wrong))
        assert refused.returncode == 1
        assert "CKR_PIN_INCORRECT" in refused.stderr
        assert "not this one" not in refused.stderr
        assert keys("login", "--pin-file", str(right)).returncode == 0
        await all_.wait_served()
        assert keys("logout").returncode == 0
        reply = await all_.call()
        assert reply.code.startswith("server.clientproxy.")
