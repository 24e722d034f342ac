"""May this client call this service? Deny by default.

The rule: the checks stand in the order of the reference's provider side (pipeline 8, rows 12-15):
the service exists, speaks the request's protocol, the client has a right to it, it is switched on.
A right covers exactly its subject: a member's right does not cover its subsystems, nor the other
way round (pipeline 8, rest-protocol 8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from xgate.errors import Fault
from xgate.ids import ClientId, GlobalGroupId, LocalGroupId, ServiceId
from xgate.policy.world import World
from xgate.serverconf.model import Client, Protocol, Right, Service
from xgate.wire.rest_path import decode_service_path, endpoint_matches

__all__ = ["Endpoint", "check_access", "find_endpoint", "find_rights"]

Endpoint = tuple[str, str]
"""Verb and raw service path of a REST request."""


def check_access(
    world: World, client: ClientId, service: ServiceId, endpoint: Endpoint | None
) -> Service:
    """The service that ``client`` may call now; ``endpoint`` is None for SOAP.

    :raises Fault: ``unknown_service``, ``service_type``, ``access_denied``, ``service_disabled``;
        ``internal_error`` for a path that cannot be decoded.
    """
    found = world.serverconf.find_service(service)
    if found is None:
        raise Fault("unknown_service", f"Unknown service: {service}")
    _check_protocol(found, Protocol.SOAP if endpoint is None else Protocol.REST)
    provider = world.serverconf.clients[service.client]
    matches = _matcher(endpoint)
    if not any(map(matches, find_rights(world, provider, service.service_code, client))):
        raise Fault("access_denied", f"Request is not allowed: {service}")
    if found.disabled is not None:
        raise Fault("service_disabled", f"Service {service} is disabled: {found.disabled}")
    return found


def find_rights(
    world: World, provider: Client, service_code: str, client: ClientId
) -> Iterator[Right]:
    """The rights that ``client`` holds at a service of ``provider``, in the order they are kept."""
    for right in provider.rights:
        if right.service_code == service_code and _covers(world, provider, right, client):
            yield right


def find_endpoint(service: Service, endpoint: Endpoint | None) -> str | None:
    """The path pattern of the first endpoint of ``service`` that a request is for, if any is.

    :raises Fault: as ``check_access`` for a path that cannot be decoded.
    """
    if endpoint is None:
        return None
    verb, path = endpoint
    decoded = decode_service_path(path)
    if decoded is None:
        return None
    matching = (
        e.path for e in service.endpoints if endpoint_matches(e.method, e.path, verb, decoded)
    )
    return next(matching, None)


def _check_protocol(service: Service, spoken: Protocol) -> None:
    if service.protocol is spoken:
        return
    raise Fault(
        "service_type",
        f"Service is a {service.protocol} service and cannot be called using {spoken} interface",
    )


def _matcher(endpoint: Endpoint | None) -> Callable[[Right], bool]:
    if endpoint is None:
        return lambda right: right.whole_service
    verb, path = endpoint
    decoded = decode_service_path(path)  # None: nothing narrower than the whole service may match
    if decoded is None:
        return lambda right: right.whole_service
    return lambda right: endpoint_matches(right.method, right.path, verb, decoded)


def _covers(world: World, provider: Client, right: Right, client: ClientId) -> bool:
    match right.subject:
        case ClientId():
            return right.subject == client
        case LocalGroupId(group_code=code):
            return client in provider.groups.get(code, frozenset())
        case GlobalGroupId():
            return world.globalconf.is_in_group(client, right.subject)
