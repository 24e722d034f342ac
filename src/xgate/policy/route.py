"""Where does a request go? The security servers that can carry it to its provider.

The rule: candidates are the addresses of every server of the provider's instance where exactly this
client is registered (or is the owner); a targeted server narrows them; servers in maintenance are
left out and named when nothing else is left; an address that can be no host is passed over. Which
candidate answers is decided by connecting. Source: pipeline 5.
"""

from __future__ import annotations

import ipaddress
import re

import msgspec

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId

__all__ = ["Route", "find_route"]


class Route(msgspec.Struct, frozen=True):
    """The provider and the addresses (host names or IPs, no port, no brackets) of its servers."""

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
    notices = {a: conf.address_maintenance(provider.instance, a) for a in addresses}
    working = [address for address in addresses if notices[address] is None]
    hosts = tuple(host for host in map(_host, working) if host is not None)
    if hosts:
        return Route(provider, hosts)
    for address, notice in notices.items():
        if notice is not None and not working:
            raise _maintenance(address, notice, None)
    raise Fault(
        "unknown_member", f'Could not find suitable address for service provider "{provider}"'
    )


def _target_address(conf: GlobalConf, target: ServerId, addresses: tuple[str, ...]) -> str:
    server = conf.find_server(target)
    if server is None:
        raise Fault("invalid_security_server", f'Could not find security server "{target}"')
    if server.address not in addresses:
        raise Fault("invalid_security_server", f'Invalid security server "{target}"')
    notice = conf.server_maintenance(target)
    if notice is not None:
        raise _maintenance(server.address, notice, target)
    return server.address


def _maintenance(address: str, message: str, server: ServerId | None) -> Fault:
    """``server`` only where it was asked by its identifier, not by its address."""
    named = "" if server is None else f' "{server}"'
    said = f'. Message from "{server or address}" administrator: {message}' if message else ""
    return Fault(
        "maintenance_mode",
        f'Security server{named} with address "{address}" is in maintenance mode{said}',
    )


def _host(address: str) -> str | None:
    """The host that an address names; None if it can be neither a name nor an IP address."""
    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return address if len(address) <= _LONGEST and _NAME.fullmatch(address) else None


_LONGEST = 253
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
