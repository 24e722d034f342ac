"""The optional parts that mean something to a security server.

The rule: they come from the own instance's directory only, each is a few lines under its own closed
schema, and each has a default that holds while it is absent (globalconf 3.5).
"""

from __future__ import annotations

import msgspec

from xgate.globalconf.elements import Node, malformed_as, open_document, read_client
from xgate.ids import ClientId
from xgate.wire.names import ID_NS, PARTS

__all__ = [
    "FETCH_INTERVAL",
    "MONITORING",
    "NEXT_UPDATE",
    "Settings",
    "read_fetch_interval",
    "read_monitoring_client",
    "read_verify_next_update",
]

FETCH_INTERVAL = "fetchinterval-params.xml"
NEXT_UPDATE = "nextupdate-params.xml"
MONITORING = "monitoring-params.xml"

_PARTS = tuple(f"{{{ID_NS}}}{name}" for name in PARTS)
_MOST_SECONDS = 2**31 - 1


class Settings(msgspec.Struct, frozen=True):
    """What the optional parts say, or their defaults."""

    ocsp_fetch_interval_seconds: int = 1200
    verify_next_update: bool = True
    monitoring_client: ClientId | None = None


def read_fetch_interval(data: bytes) -> int:
    """Seconds between fetches of OCSP responses.

    :raises Fault: ``malformed_global_conf``.
    """
    with malformed_as("malformed_global_conf", "OCSP fetch interval"):
        conf = _open(data, "ocspFetchInterval")
        return conf.integer("ocspFetchInterval", least=1, most=_MOST_SECONDS)


def read_verify_next_update(data: bytes) -> bool:
    """Whether nextUpdate of OCSP responses is checked.

    :raises Fault: ``malformed_global_conf``.
    """
    with malformed_as("malformed_global_conf", "OCSP nextUpdate"):
        conf = _open(data, "verifyNextUpdate")
        conf.text("verifyNextUpdate")
        return conf.boolean("verifyNextUpdate", default=True)


def read_monitoring_client(data: bytes) -> ClientId | None:
    """Who may query environmental monitoring, if anybody.

    :raises Fault: ``malformed_global_conf``.
    """
    with malformed_as("malformed_global_conf", "monitoring parameters"):
        entry = _open(data, "monitoringClient").find("monitoringClient")
        if entry is None:
            return None
        entry.check_only("monitoringClientId")
        identifier = entry.find("monitoringClientId")
        if identifier is None:
            return None
        identifier.check_only(*_PARTS)
        return read_client(identifier)


def _open(data: bytes, only: str) -> Node:
    conf = open_document(data, "conf")
    conf.check_only(only)
    return conf
