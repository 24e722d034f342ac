"""Where does a request go? The security servers that can carry it to its provider.

The rule: candidates are the addresses of every server of the provider's instance where exactly this
client is registered (or is the owner); a targeted server narrows them; servers in maintenance are
left out and named when nothing else is left. Which candidate answers is decided by connecting.
Source: pipeline 5.
"""

from __future__ import annotations

import msgspec

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId

__all__ = ["Route", "find_route"]


class Route(msgspec.Struct, frozen=True):
    """The provider and the addresses (host names or IPs, no port) that may serve it."""

    provider: ClientId
    addresses: tuple[str, ...]


def find_route(conf: GlobalConf, provider: ClientId, target: ServerId | None) -> Route:
    """All ways to the provider, at least one.

    :raises Fault: ``internal_error`` (unknown instance), ``unknown_member``,
        ``invalid_security_server``, ``maintenance_mode``.
    """
    addresses = tuple(conf.provider_addresses(provider))
    if not addresses:
        raise Fault("unknown_member", f'Could not find addresses for service provider "{provider}"')
    if target is not None:
        addresses = (_target_address(conf, target, addresses),)
    return Route(provider, _in_service(conf, provider.instance, addresses, target))


def _target_address(conf: GlobalConf, target: ServerId, addresses: tuple[str, ...]) -> str:
    server = conf.find_server(target)
    if server is None:
        raise Fault("invalid_security_server", f'Could not find security server "{target}"')
    if server.address not in addresses:
        raise Fault("invalid_security_server", f'Invalid security server "{target}"')
    return server.address


def _in_service(
    conf: GlobalConf, instance: str, addresses: tuple[str, ...], target: ServerId | None
) -> tuple[str, ...]:
    if target is not None:
        notice = conf.server_maintenance(target)
        if notice is not None:
            raise _maintenance(addresses[0], notice, target)
    notices = {address: conf.address_maintenance(instance, address) for address in addresses}
    left = tuple(address for address, notice in notices.items() if notice is None)
    if not left:
        address, notice = next(iter(notices.items()))
        raise _maintenance(address, notice or "", target)
    return left


def _maintenance(address: str, message: str, target: ServerId | None) -> Fault:
    named = f' "{target}"' if target is not None else ""
    said = f'. Message from "{address}" administrator: {message}' if message else ""
    return Fault(
        "maintenance_mode",
        f'Security server{named} with address "{address}" is in maintenance mode{said}',
    )
