"""Where a request may go: candidates, targets, maintenance, and addresses that are none."""

from __future__ import annotations

import pytest

from xgate.errors import Fault
from xgate.globalconf.shared import SecurityServer
from xgate.ids import ClientId, ServerId
from xgate.policy.route import find_route
from xgate.testing.authority import Authority
from xgate.testing.conf import approve, make_conf

OWNER = ClientId("XG", "GOV", "2")
PROVIDER = ClientId("XG", "GOV", "2", "registry")
STRANGER = ClientId("XG", "COM", "9", "none")
AUTHORITY = Authority()


def server(
    code: str, address: str | None, maintenance: str | None = None, *clients: ClientId
) -> SecurityServer:
    served = clients or (PROVIDER,)
    return SecurityServer(OWNER, code, address, clients=served, maintenance=maintenance)


def identifier(code: str) -> ServerId:
    return ServerId(OWNER, code)


def route(
    servers: list[SecurityServer], target: str | None = None, provider: ClientId = PROVIDER
) -> tuple[str, ...]:
    conf = make_conf(AUTHORITY, servers=servers)
    found = find_route(conf, provider, None if target is None else identifier(target))
    assert found.provider == provider
    return found.addresses


def refusal(
    servers: list[SecurityServer], target: str | None = None, provider: ClientId = PROVIDER
) -> tuple[str, str]:
    with pytest.raises(Fault) as caught:
        route(servers, target, provider)
    return caught.value.code, caught.value.text


# candidates


def test_every_server_of_the_provider_may_serve_and_equal_addresses_count_once() -> None:
    servers = [server("A", "a"), server("B", "b"), server("C", "a"), server("D", "d", None, OWNER)]
    assert route(servers) == ("a", "b")


def test_the_owner_is_served_by_its_servers_and_a_subsystem_only_where_it_is_registered() -> None:
    servers = [server("A", "a"), server("B", "b", None, STRANGER)]
    assert route(servers, provider=OWNER) == ("a", "b")
    assert route(servers, provider=STRANGER) == ("b",)


def test_a_provider_without_servers_is_unknown() -> None:
    said = 'Could not find addresses for service provider "SUBSYSTEM:XG/COM/9/none"'
    assert refusal([server("A", "a")], provider=STRANGER) == ("unknown_member", said)
    nowhere = [server("A", None), server("B", " ")]
    assert refusal(nowhere)[0] == "unknown_member"


def test_an_unknown_instance_is_an_error_of_its_own() -> None:
    code, text = refusal([], provider=ClientId("ZZ", "GOV", "2", "registry"))
    assert code == "internal_error"
    assert "ZZ" in text


def test_a_provider_elsewhere_is_looked_up_in_its_own_instance() -> None:
    foreign = ClientId("YY", "GOV", "2", "registry")
    theirs = SecurityServer(foreign.member, "S", "theirs", clients=(foreign,))
    partner = approve(Authority("YY"), servers=[theirs])
    conf = make_conf(AUTHORITY, servers=[server("A", "a")], partners={"YY": partner})
    assert find_route(conf, foreign, None).addresses == ("theirs",)
    assert find_route(conf, foreign, theirs.id).addresses == ("theirs",)


# targets


def test_a_target_narrows_the_candidates_to_its_address() -> None:
    servers = [server("A", "a"), server("B", "b")]
    assert route(servers, "B") == ("b",)


def test_a_target_that_does_not_exist() -> None:
    assert refusal([server("A", "a")], "X") == (
        "invalid_security_server",
        'Could not find security server "SERVER:XG/GOV/2/X"',
    )


def test_a_target_that_does_not_serve_the_provider() -> None:
    servers = [server("A", "a"), server("B", "b", None, STRANGER)]
    assert refusal(servers, "B") == (
        "invalid_security_server",
        'Invalid security server "SERVER:XG/GOV/2/B"',
    )
    assert refusal([server("A", "a"), server("B", None)], "B")[0] == "invalid_security_server"


def test_the_provider_is_judged_before_the_target() -> None:
    assert refusal([server("A", "a")], "X", STRANGER)[0] == "unknown_member"


# maintenance


def test_a_server_in_maintenance_is_left_out() -> None:
    assert route([server("A", "a", ""), server("B", "b")]) == ("b",)


def test_when_all_are_in_maintenance_the_first_one_speaks_by_its_address() -> None:
    servers = [server("A", "a", "until noon"), server("B", "b", "")]
    assert refusal(servers) == (
        "maintenance_mode",
        'Security server with address "a" is in maintenance mode. '
        'Message from "a" administrator: until noon',
    )
    assert refusal(servers[1:]) == (
        "maintenance_mode",
        'Security server with address "b" is in maintenance mode',
    )


def test_a_target_in_maintenance_speaks_by_its_identifier() -> None:
    servers = [server("A", "a", "until noon"), server("B", "b")]
    assert refusal(servers, "A") == (
        "maintenance_mode",
        'Security server "SERVER:XG/GOV/2/A" with address "a" is in maintenance mode. '
        'Message from "SERVER:XG/GOV/2/A" administrator: until noon',
    )


def test_of_servers_that_share_an_address_the_last_decides_for_the_address() -> None:
    servers = [server("A", "a"), server("B", "a", "at night")]
    assert refusal(servers, "A") == (
        "maintenance_mode",
        'Security server with address "a" is in maintenance mode. '
        'Message from "a" administrator: at night',
    )
    servers.reverse()
    assert route(servers, "A") == ("a",)
    assert refusal(servers, "B")[1].startswith('Security server "SERVER:XG/GOV/2/B"')


# addresses


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("ss.example.org", "ss.example.org"),
        ("ss-1_a.example.org.", "ss-1_a.example.org."),
        ("10.0.0.1", "10.0.0.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
    ],
)
def test_an_address_is_a_name_or_an_ip_address(address: str, host: str) -> None:
    assert route([server("A", address)]) == (host,)


@pytest.mark.parametrize(
    "address",
    [
        "a b",
        "a/b",
        "http://a",
        "a:5500",
        "user@a",
        "a..b",
        "-a",
        "a-",
        "a\nb",
        "a\0",
        "[a]",
        "[]",
        "ä.example.org",
        "a." * 126 + "aa",
        "a" * 64,
    ],
)
def test_an_address_that_can_be_no_host_is_passed_over(address: str) -> None:
    assert route([server("A", address), server("B", "b")]) == ("b",)
    said = f'Could not find suitable address for service provider "{PROVIDER}"'
    assert refusal([server("A", address)]) == ("unknown_member", said)
    others = refusal([server("A", address), server("B", "b", "")])  # one that is left is none
    assert others[0] == "unknown_member"
