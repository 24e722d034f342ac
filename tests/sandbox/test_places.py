"""What a country consists of."""

from __future__ import annotations

from xgate.ids import ClientId
from xgate.sandbox.country import found_country
from xgate.sandbox.places import CONSUMER, PROVIDER, Country, Tenant


def test_each_place_knows_its_files_and_its_clients(country: Country) -> None:
    for place, client in zip(country.places, (CONSUMER, PROVIDER), strict=True):
        assert place.settings.is_file()
        assert place.messagelog.parent == place.folder
        assert place.clients == (client,)
        assert place.id.owner == client.member


def test_tenants_live_at_the_server_of_their_member(country: Country) -> None:
    tenant = Tenant(ClientId("XG", "COM", "100", "second"))
    folder = country.folder / "another"
    folder.mkdir()
    another = found_country(
        folder, country.consumer.sign.certificate.not_before, kind="P-256", tenants=[tenant]
    )
    assert another.consumer.clients == (CONSUMER, tenant.id)
    assert another.provider.clients == (PROVIDER,)
    assert '"XG/COM/100/second"' in another.consumer.settings.read_text()


def test_what_is_published_lies_apart_from_what_verifies(country: Country) -> None:
    assert (country.web_root / "V6" / "internalconf").is_file()
    assert (country.verification / "XG" / "shared-params.xml").is_file()
