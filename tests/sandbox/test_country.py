"""A country's files are what a real server and a real auditor would be given."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.ids import ServiceId
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, found_country
from xgate.securityserver.registry import read_serverconf
from xgate.securityserver.settings import load_settings
from xgate.serverconf.model import Protocol
from xgate.signer.store import read_store


def test_settings_can_be_served(country: Country) -> None:
    settings = load_settings(country.provider.settings)
    conf = read_serverconf(settings, country.provider.folder)
    found = conf.find_service(ServiceId(PROVIDER, "getRandom", "v1"))
    assert found is not None
    assert found.protocol is Protocol.SOAP
    assert found.url == f"http://127.0.0.1:{country.ports.services}/soap"
    assert {right.subject for right in conf.clients[PROVIDER].rights} == {CONSUMER}


def test_keys_open_with_the_pin_beside_them_and_with_no_other(country: Country) -> None:
    for place in country.places:
        store = read_store(place.folder / "keys.xgate")
        pin_file = place.folder / "pin"
        assert pin_file.stat().st_mode & 0o077 == 0
        unlocked = store.unlock(pin_file.read_text().strip())
        assert [entry.usage for entry in unlocked.entries] == ["SIGNING", "AUTHENTICATION"]
        with pytest.raises(Fault, match="pin_incorrect"):
            store.unlock("another")


def test_a_country_is_not_founded_over_another(country: Country) -> None:
    with pytest.raises(FileExistsError):
        found_country(country.folder, country.ca.certificate.not_before, kind="P-256")


def test_keys_are_of_the_kind_that_was_asked_for(tmp_path: Path) -> None:
    country = found_country(tmp_path, datetime.now(UTC), kind="P-384")
    assert country.consumer.sign.key.key_size == 384
