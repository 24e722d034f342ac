"""The country's configuration: proven from its anchor, changed by publishing again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from xgate.errors import Fault
from xgate.globalconf.anchor import read_anchor
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.file_source import TreeSource
from xgate.sandbox.places import CONSUMER, PROVIDER, Country
from xgate.sandbox.publication import VALID_FOR, describe_country, publish_country

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def published(country: Country, later: timedelta = timedelta()) -> GlobalConf:
    anchor = read_anchor((country.folder / "configuration-anchor.xml").read_bytes())
    return TreeSource(anchor, country.web_root).fetch(NOW + later).conf


def test_the_configuration_names_both_servers_and_whom_they_serve(country: Country) -> None:
    conf = published(country)
    assert conf.provider_addresses(PROVIDER) == (country.provider.address,)
    assert conf.auth_certificate_matches(country.consumer.auth.certificate, CONSUMER)
    assert not conf.auth_certificate_matches(country.consumer.auth.certificate, PROVIDER)
    (service,) = conf.tsas()
    assert service.url == f"http://127.0.0.1:{country.ports.authority}/tsa"


def test_it_holds_for_a_month_and_not_longer(country: Country) -> None:
    published(country, VALID_FOR)
    with pytest.raises(Fault) as caught:
        published(country, VALID_FOR + timedelta(seconds=1))
    assert caught.value.code == "global_conf_outdated"


def test_a_change_is_published_under_the_same_anchor(country: Country) -> None:
    anchor = (country.folder / "configuration-anchor.xml").read_bytes()
    shared = describe_country(country)
    consumer_only = msgspec.structs.replace(shared, servers=shared.servers[:1])
    publish_country(country, NOW + timedelta(minutes=1), consumer_only)
    assert published(country, timedelta(minutes=1)).provider_addresses(PROVIDER) == ()
    before, after = (read_anchor(a).sources for a in (anchor, anchor_now(country)))
    assert before == after


def anchor_now(country: Country) -> bytes:
    return (country.folder / "configuration-anchor.xml").read_bytes()
