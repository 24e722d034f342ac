"""Rows of the fault tables that need a country of their own: wrong addresses, CAs and keys.

soap-protocol 9, pipeline 5 and 7, word for word, in both protocols.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.journeys.rows import assert_told, for_server, good

from xgate.clock import SystemClock
from xgate.globalconf.generate import register_server
from xgate.globalconf.shared import SharedParameters
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, Place
from xgate.sandbox.draft import rest_draft, rest_head, soap_draft
from xgate.sandbox.peer import Peer
from xgate.sandbox.publication import describe_country, publish_country
from xgate.signer.store import KeyStore, change_store
from xgate.testing.pki import issue_auth, make_ca

if TYPE_CHECKING:
    from tests.journeys.conftest import Started, Starter

CSS, PSS = "server.clientproxy.", "server.serverproxy."
Found = Callable[..., Country]


async def assert_both(started: Started, code: str, text: str, rest_code: str = "") -> None:
    soap = await started.caller.soap("tell", "rare-soap")
    rest = await started.caller.rest("GET", "/echo", [("X-Road-Id", "rare-rest")])
    assert_told(soap, code, text)
    assert_told(rest, rest_code or code, text if not rest_code else f".*{text}", 500)


def publish(country: Country, change: Callable[[SharedParameters], SharedParameters]) -> None:
    publish_country(country, SystemClock().now(), change(describe_country(country)))


def at_address(address: str, maintenance: str | None = None) -> Callable[..., SharedParameters]:
    """The provider's server has this address."""

    def change(shared: SharedParameters) -> SharedParameters:
        servers = tuple(
            msgspec.structs.replace(server, address=address, maintenance=maintenance)
            if server.owner == PROVIDER.member
            else server
            for server in shared.servers
        )
        return msgspec.structs.replace(shared, servers=servers)

    return change


@pytest.mark.parametrize(
    ("address", "code", "text"),
    [
        (
            "127.0.0,78",
            "unknown_member",
            f'Could not find suitable address for service provider "{PROVIDER}"',
        ),
        ("", "unknown_member", f'Could not find addresses for service provider "{PROVIDER}"'),
        (
            "nobody.invalid",
            "network_error",
            r"Could not connect to any target host \(\[https://nobody\.invalid:\d+/\]\)",
        ),
    ],
)
async def test_addresses_that_lead_nowhere(
    start: Starter, found: Found, address: str, code: str, text: str
) -> None:
    country = found()
    publish(country, at_address(address))
    async with start(country) as started:
        await assert_both(started, CSS + code, text)
        assert started.caller.counts("rare-soap") == started.caller.counts("rare-rest") == [0, 0]


async def test_a_server_in_maintenance_says_why(start: Starter, found: Found) -> None:
    country = found()
    address = country.provider.address
    publish(country, at_address(address, "back at noon"))
    note = f'with address "{address}" is in maintenance mode'
    async with start(country) as started:
        await assert_both(
            started,
            f"{CSS}maintenance_mode",
            f'Security server {note}. Message from "{address}" administrator: back at noon',
        )
        aimed = await started.caller.post(for_server("GOV/200", "PROVIDER")(good()))
        server = "SERVER:XG/GOV/200/PROVIDER"
        text = f'Security server "{server}" {note}. Message from "{server}" administrator: .+'
        assert_told(aimed, f"{CSS}maintenance_mode", text)


async def test_a_certificate_of_a_ca_that_nobody_approves_of(start: Starter, found: Found) -> None:
    country = found()
    stranger = issue_auth(make_ca("stranger"), "stranger")

    def with_it(shared: SharedParameters) -> SharedParameters:
        server = register_server(
            CONSUMER.member, "ODD", "127.0.0.9", [stranger.certificate.der], [CONSUMER]
        )
        return msgspec.structs.replace(shared, servers=(*shared.servers, server))

    publish(country, with_it)
    async with start(country):
        peer = Peer(country, country.consumer, SystemClock(), auth=stranger)
        soap = await soap_draft(peer, good("ca-1")).send()
        rest = await rest_draft(peer, rest_head("ca-1", "GET", f"/r1/{PROVIDER.url}/echo")).send()

    for fault in (soap, rest):
        assert fault is not None
        assert fault.code == f"{PSS}service_failed.internal_error"
        assert fault.text == (
            "Certificate is not issued by approved certification service provider."
        )


@pytest.mark.parametrize(
    ("version", "code"),
    [
        (None, "internal_error"),
        ("", "internal_error"),
        ("seven", "internal_error"),
        ("7.5.9", "client_proxy_version_not_supported"),
        ("7.6.0-SNAPSHOT", "client_proxy_version_not_supported"),
        ("7.6.0", ""),
        ("7.10.0", ""),
    ],
)
async def test_versions_of_servers_where_a_least_one_is_set(
    start: Starter, version: str | None, code: str
) -> None:
    async with start(changes={"[peers]\n": '[peers]\nmin-client-version = "7.6.0"\n'}) as started:
        country = started.running.country
        draft = soap_draft(Peer(country, country.consumer, SystemClock()), good("version-1"))
        draft.header("x-proxy-version", version)
        fault = await draft.send()

    assert (fault.code if fault else "") == (PSS + code if code else "")


def without_signing_key(place: Place) -> None:
    """The server has only its authentication key."""

    def edit(store: KeyStore) -> KeyStore:
        return msgspec.structs.replace(store, keys=store.keys[1:])

    change_store(place.folder / "keys.xgate", edit)


@pytest.mark.parametrize("who", ["consumer", "provider"])
async def test_a_member_without_a_signing_key(start: Starter, found: Found, who: str) -> None:
    country = found()
    place: Place = getattr(country, who)
    without_signing_key(place)
    text = (
        rf"signer\.unknown_member: Could not find any certificates for member '{place.client}'\. "
        r"Are you sure tokens containing the certificates are logged in\?"
    )
    async with start(country) as started:
        if who == "consumer":
            await assert_both(started, f"{CSS}internal_error", text, f"{CSS}io_error")
        else:
            await assert_both(started, f"{PSS}service_failed.internal_error", text)
        counts = started.caller.counts("rare-soap"), started.caller.counts("rare-rest")

    assert counts == (([0, 0],) * 2 if who == "consumer" else ([1, 0],) * 2)
