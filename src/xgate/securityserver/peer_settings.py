"""The settings of the ways to other security servers: ``[peers]``.

The rule: as in ``settings``; ports, times and numbers default to the reference's where it has them
(pipeline 5), but connections are reused.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from xgate.securityserver.section import Section

__all__ = ["PeerSettings"]

_Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class PeerSettings(Section, frozen=True):
    """How other security servers are reached.

    :param server_port: where they take messages. :param ocsp_port: where they tell OCSP responses.
    :param connect_timeout: seconds to connect and for the handshake; after each server that failed
        half of it, but at least 5.
    :param patience_seconds: for one server to connect and prove itself while there are others.
    :param remember_seconds: for how long the server that was good is asked before the provider's
        others; 0: the fastest is found anew for each connection.
    :param rest_seconds: for how long a server that has failed is asked after the others.
    :param answer_seconds: for an answer to begin and go on, before it must come at the speed of
        ``[limits] bytes-per-second``; 0: for ever, as the reference. It must be longer than any
        provider gives its services.
    :param keep_alive: reuse connections where the peer allows it, and allow it to peers.
    :param idle_seconds: for how long an unused connection is kept.
    :param idle_per_provider: how many of them. :param idle_connections: how many in all.
    :param hosts: names and the addresses to use for them before the resolver is asked.
    :param min_client_version: oldest X-Road version served; empty: any.
    """

    server_port: _Port = 5500
    ocsp_port: _Port = 5577
    connect_timeout: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0
    patience_seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 5.0
    remember_seconds: Annotated[float, msgspec.Meta(ge=0)] = 3600.0
    rest_seconds: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    answer_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 3600.0
    keep_alive: bool = True
    # Below the 30 s after which the reference closes an idle connection.
    idle_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 25.0
    idle_per_provider: Annotated[int, msgspec.Meta(ge=0)] = 64
    idle_connections: Annotated[int, msgspec.Meta(ge=0)] = 1000
    hosts: dict[str, str] = msgspec.field(default_factory=dict)
    min_client_version: str = ""
