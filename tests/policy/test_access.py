"""Rights: what is not written is denied, and each refusal comes in its turn (pipeline 8)."""

from __future__ import annotations

from typing import Any

import pytest

from xgate.errors import Fault
from xgate.globalconf.shared import GlobalGroup
from xgate.ids import ClientId, GlobalGroupId, LocalGroupId, ServerId, ServiceId, Subject
from xgate.policy.access import Endpoint, check_access, find_endpoint, find_rights
from xgate.policy.world import World
from xgate.serverconf.model import Client, Protocol, Right, ServerConf, Service
from xgate.serverconf.model import Endpoint as ServiceEndpoint
from xgate.testing.authority import Authority
from xgate.testing.conf import approve, make_conf

PROVIDER = ClientId("XG", "GOV", "2", "registry")
OTHER_PROVIDER = ClientId("XG", "GOV", "2", "other")
MEMBER = ClientId("XG", "COM", "1")
CLIENT = ClientId("XG", "COM", "1", "app")
FOREIGN = ClientId("YY", "COM", "1", "app")
PEOPLE = ServiceId(PROVIDER, "people")
RANDOM = ServiceId(PROVIDER, "random", "v1")
GET: Endpoint = ("GET", "/pets/1")

CONF = make_conf(
    Authority(),
    groups=[GlobalGroup("friends", "", (CLIENT, FOREIGN))],
    partners={"YY": approve(Authority("YY"), groups=[GlobalGroup("friends", "", (MEMBER,))])},
)


def world(*rights: Right, disabled: str | None = None, groups: Any = None) -> World:
    services = {
        ("people", None): Service(PEOPLE, Protocol.REST, "http://h/", disabled=disabled),
        ("random", "v1"): Service(RANDOM, Protocol.SOAP, "http://h/", disabled=disabled),
        ("random", "v2"): Service(
            ServiceId(PROVIDER, "random", "v2"), Protocol.SOAP, "http://h/", disabled=disabled
        ),
    }
    clients = {
        PROVIDER: Client(PROVIDER, services=services, rights=rights, groups=groups or {}),
        OTHER_PROVIDER: Client(
            OTHER_PROVIDER,
            services={("people", None): Service(PEOPLE, Protocol.REST, "http://h/")},
            groups={"insiders": frozenset([CLIENT])},
        ),
    }
    return World(CONF, ServerConf(ServerId(PROVIDER.member, "SS"), clients))


def ask(
    known: World,
    service: ServiceId = PEOPLE,
    endpoint: Endpoint | None = GET,
    client: ClientId = CLIENT,
) -> str:
    """``allowed``, or the refusal's code."""
    try:
        found = check_access(known, client, service, endpoint)
    except Fault as fault:
        return fault.code
    assert found.id == service
    return "allowed"


def text(known: World, service: ServiceId, endpoint: Endpoint | None) -> str:
    with pytest.raises(Fault) as caught:
        check_access(known, CLIENT, service, endpoint)
    return caught.value.text


# in their turn


def test_a_right_opens_the_service() -> None:
    assert ask(world(Right(CLIENT, "people"))) == "allowed"
    assert ask(world(Right(CLIENT, "random")), RANDOM, None) == "allowed"


def test_without_a_right_nobody_may() -> None:
    assert ask(world()) == "access_denied"
    assert text(world(), PEOPLE, GET) == "Request is not allowed: SERVICE:XG/GOV/2/registry/people"


@pytest.mark.parametrize(
    "service",
    [
        ServiceId(PROVIDER, "nothing"),
        ServiceId(PROVIDER, "people", "v1"),
        ServiceId(PROVIDER, "people", ""),
        ServiceId(PROVIDER, "random"),
        ServiceId(PROVIDER, "random", "v3"),
        ServiceId(PROVIDER, "People"),
        ServiceId(PROVIDER.member, "people"),
        ServiceId(FOREIGN, "people"),
    ],
    ids=str,
)
def test_a_service_is_known_by_client_code_and_version(service: ServiceId) -> None:
    known = world(Right(CLIENT, service.service_code))
    assert ask(known, service) == "unknown_service"
    assert text(known, service, GET) == f"Unknown service: {service}"


def test_a_service_is_called_in_its_own_protocol_even_without_a_right() -> None:
    assert ask(world(), PEOPLE, None) == "service_type"
    assert text(world(), PEOPLE, None) == (
        "Service is a REST service and cannot be called using SOAP interface"
    )
    assert text(world(), RANDOM, GET) == (
        "Service is a SOAP service and cannot be called using REST interface"
    )


@pytest.mark.parametrize("notice", ["closed until noon", ""])
def test_a_disabled_service_says_so_to_those_who_might_call_it(notice: str) -> None:
    known = world(Right(CLIENT, "people"), disabled=notice)
    assert ask(known) == "service_disabled"
    assert text(known, PEOPLE, GET) == f"Service {PEOPLE} is disabled: {notice}"
    assert ask(world(disabled=notice)) == "access_denied"


# subjects


@pytest.mark.parametrize(
    ("subject", "client", "outcome"),
    [
        (CLIENT, CLIENT, "allowed"),
        (MEMBER, MEMBER, "allowed"),
        (MEMBER, CLIENT, "access_denied"),
        (CLIENT, MEMBER, "access_denied"),
        (CLIENT, ClientId("XG", "COM", "1", "APP"), "access_denied"),
        (CLIENT, FOREIGN, "access_denied"),
        (GlobalGroupId("XG", "friends"), CLIENT, "allowed"),
        (GlobalGroupId("XG", "friends"), FOREIGN, "allowed"),
        (GlobalGroupId("XG", "friends"), MEMBER, "access_denied"),
        (GlobalGroupId("YY", "friends"), MEMBER, "allowed"),
        (GlobalGroupId("YY", "friends"), CLIENT, "access_denied"),
        (GlobalGroupId("XG", "Friends"), CLIENT, "access_denied"),
        (GlobalGroupId("ZZ", "friends"), CLIENT, "access_denied"),
        (LocalGroupId("locals"), CLIENT, "allowed"),
        (LocalGroupId("locals"), MEMBER, "access_denied"),
        (LocalGroupId("insiders"), CLIENT, "access_denied"),  # another provider's group
        (LocalGroupId("friends"), CLIENT, "access_denied"),  # a global group's code
    ],
    ids=str,
)
def test_a_right_covers_exactly_its_subject(
    subject: Subject, client: ClientId, outcome: str
) -> None:
    known = world(Right(subject, "people"), groups={"locals": frozenset([CLIENT])})
    assert ask(known, client=client) == outcome


def test_a_right_is_for_its_service_in_all_versions_and_for_no_other() -> None:
    known = world(Right(CLIENT, "random"))
    assert ask(known, RANDOM, None) == "allowed"
    assert ask(known, ServiceId(PROVIDER, "random", "v2"), None) == "allowed"
    assert ask(known, PEOPLE) == "access_denied"


def test_a_right_at_one_provider_is_none_at_another() -> None:
    service = ServiceId(OTHER_PROVIDER, "people")
    assert ask(world(Right(CLIENT, "people")), service) == "access_denied"


# endpoints


@pytest.mark.parametrize(
    ("method", "path", "verb", "asked", "outcome"),
    [
        ("*", "/pets/*", "GET", "/pets/1", "allowed"),
        ("*", "/pets/*", "DELETE", "/pets/", "allowed"),
        ("*", "/pets/*", "GET", "/pets/1/x", "access_denied"),
        ("*", "/pets/*", "GET", "/pets", "access_denied"),
        ("*", "/pets/**", "GET", "/pets/1/x", "allowed"),
        ("GET", "/pets/*", "get", "/pets/1", "allowed"),
        ("GET", "/pets/*", "POST", "/pets/1", "access_denied"),
        ("GET", "**", "POST", "/pets/1", "access_denied"),
        ("GET", "**", "GET", "", "allowed"),
        ("*", "/", "GET", "", "access_denied"),
        ("*", "/pets/1", "GET", "/pets/%31", "allowed"),
        ("*", "/pets/1", "GET", "/Pets/1", "access_denied"),
    ],
)
def test_an_endpoint_is_a_method_and_a_pattern(
    method: str, path: str, verb: str, asked: str, outcome: str
) -> None:
    known = world(Right(CLIENT, "people", method, path))
    assert ask(known, endpoint=(verb, asked)) == outcome


def test_one_matching_right_among_many_is_enough() -> None:
    rights = [Right(MEMBER, "people"), Right(CLIENT, "people", "POST"), Right(CLIENT, "random")]
    assert ask(world(*rights)) == "access_denied"
    assert ask(world(*rights, Right(CLIENT, "people", "GET", "/pets/*"))) == "allowed"


@pytest.mark.parametrize("right", [("GET", "**"), ("*", "/**"), ("*", "/"), ("*", "*")])
def test_soap_knows_only_rights_to_the_whole_service(right: tuple[str, str]) -> None:
    assert ask(world(Right(CLIENT, "random", *right)), RANDOM, None) == "access_denied"


@pytest.mark.parametrize(
    "path",
    [
        "/pets/%2e%2e/admin",
        "/pets/..;x/admin",
        "/pets/1%2Fadmin",
        "/pets/1%3F",
        "/a//b",
        "/a/%5c..",
    ],
)
def test_a_path_that_can_be_read_in_two_ways_needs_the_whole_service(path: str) -> None:
    for pattern in ("/pets/**", "/**", path):
        assert ask(world(Right(CLIENT, "people", "*", pattern)), endpoint=("GET", path)) == (
            "access_denied"
        )
    assert ask(world(Right(CLIENT, "people")), endpoint=("GET", path)) == "allowed"


@pytest.mark.parametrize("path", ["/..", "/%2e%2e/x", "/a/../../x", "/a/%252e%252e/%2e./x"])
def test_a_path_that_leads_out_of_the_service_is_refused_whatever_the_rights(path: str) -> None:
    assert ask(world(Right(CLIENT, "people")), endpoint=("GET", path)) == "access_denied"


@pytest.mark.parametrize("path", ["/%", "/%zz", "/%ff", '/"'])
def test_a_path_that_cannot_be_decoded_is_refused_whatever_the_rights(path: str) -> None:
    assert ask(world(Right(CLIENT, "people")), endpoint=("GET", path)) == "internal_error"


def test_the_rights_of_a_client_are_found_by_service_and_subject() -> None:
    mine = Right(CLIENT, "people", "GET", "/pets/*")
    through_a_group = Right(GlobalGroupId("XG", "friends"), "people")
    known = world(mine, through_a_group, Right(MEMBER, "people"), Right(CLIENT, "random"))
    provider = known.serverconf.clients[PROVIDER]
    assert list(find_rights(known, provider, "people", CLIENT)) == [mine, through_a_group]
    assert list(find_rights(known, provider, "other", CLIENT)) == []


@pytest.mark.parametrize(
    ("endpoint", "pattern"),
    [
        (("GET", "/pets/1"), "/pets/*"),
        (("get", "/pets/1"), "/pets/*"),
        (("POST", "/pets/1"), "**"),
        (("GET", "/pets/%2e%2e/a"), None),
        (None, None),
    ],
)
def test_a_request_is_for_the_first_endpoint_that_covers_it(
    endpoint: Endpoint | None, pattern: str | None
) -> None:
    endpoints = (ServiceEndpoint("GET", "/pets/*"), ServiceEndpoint("*", "**"))
    service = Service(PEOPLE, Protocol.REST, "http://h/", endpoints=endpoints)
    assert find_endpoint(service, endpoint) == pattern
    assert find_endpoint(Service(PEOPLE, Protocol.REST, "http://h/"), endpoint) is None
