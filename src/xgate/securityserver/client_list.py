"""``GET /listClients``: everybody in an instance, told to whoever reaches the client ports.

The rule: what the shared parameters list, in their order, members without subsystems too; there is
no access control, as everything in it is published anyway (metaservices 1). So a list is written
once for a configuration, and all who ask get the same octets, however many they are.
"""

from __future__ import annotations

from urllib.parse import parse_qsl
from weakref import WeakKeyDictionary

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.net.server import Exchange
from xgate.securityserver.aside import work_aside
from xgate.securityserver.note import Note
from xgate.securityserver.server import SecurityServer
from xgate.wire.client_list import (
    CLIENT_LIST_PATH,
    ListedClient,
    wants_json,
    write_client_list_json,
    write_client_list_xml,
)
from xgate.wire.target import Target

__all__ = ["asks_for_clients", "list_clients"]

_MOST_FIELDS = 100
_WRITTEN: WeakKeyDictionary[GlobalConf, dict[tuple[str, bool], bytes]] = WeakKeyDictionary()
"""Lists that were written, by instance and whether in JSON."""


def asks_for_clients(exchange: Exchange, target: Target) -> bool:
    """Whether a request of an information system is this one."""
    return exchange.method == "GET" and target.path == CLIENT_LIST_PATH


async def list_clients(
    target: Target, exchange: Exchange, server: SecurityServer, note: Note
) -> None:
    """Answer it.

    :raises Fault: ``internal_error`` for an unknown instance or an ``Accept`` that cannot be read.
    """
    note.protocol = "listClients"
    conf = server.world.value.globalconf
    instance = _instance(target) or conf.own
    json = wants_json(", ".join(v for n, v in exchange.headers if n.lower() == "accept"))

    written = _WRITTEN.setdefault(conf, {})

    def write() -> bytes:
        if (instance, json) not in written:  # by who waited for a thread before us
            written[instance, json] = _write(conf, instance, json=json)
        return written[instance, json]

    octets = written.get((instance, json))
    if octets is None:
        octets = await work_aside(write)
    kind = "application/json; charset=utf-8" if json else "text/xml; charset=UTF-8"
    await exchange.respond(200, [("Content-Type", kind)], octets)


def _write(conf: GlobalConf, instance: str, *, json: bool) -> bytes:
    members = conf.members(instance)
    listed = (ListedClient(m.id, m.member_name, m.subsystem_name) for m in members)
    return write_client_list_json(listed) if json else write_client_list_xml(listed)


def _instance(target: Target) -> str:
    try:
        fields = parse_qsl(target.query or "", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Fault("internal_error", "There are too many parameters") from None
    return dict(reversed(fields)).get("xRoadInstance", "").strip()
