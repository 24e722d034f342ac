"""private-params.xml: what only an instance's own servers are told.

The rule: one reader for every version, since version 3 added only an open end that is passed over
(globalconf 5).
"""

from __future__ import annotations

import msgspec

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor, read_anchor_node
from xgate.globalconf.elements import Node, malformed_as, open_document, read_client
from xgate.ids import ClientId

__all__ = ["ManagementService", "PrivateParameters", "read_private"]

_YEAR = 31_536_000
_MOST_ANCHORS = 200


class ManagementService(msgspec.Struct, frozen=True):
    """Where management requests go.

    :param registration_url: the central server's registration service.
    :param provider: the member or subsystem that serves management requests.
    :param registration_certificate: DER of its TLS certificate, pinned by clients.
    """

    registration_url: str
    provider: ClientId
    registration_certificate: bytes | None = None


class PrivateParameters(msgspec.Struct, frozen=True):
    """The content of private-params.xml; ``anchors`` are those of federation partners."""

    instance: str
    management: ManagementService
    timestamping_interval_seconds: int
    anchors: tuple[Anchor, ...] = ()


def read_private(data: bytes) -> PrivateParameters:
    """Read private-params.xml of any version.

    :raises Fault: ``malformed_global_conf``.
    """
    with malformed_as("malformed_global_conf", "private parameters"):
        conf = open_document(data, "conf")
        anchors = conf.nodes("configurationAnchor")
        if len(anchors) > _MOST_ANCHORS:
            raise Fault("malformed_global_conf", "there are too many configuration anchors")
        return PrivateParameters(
            conf.text("instanceIdentifier"),
            _read_management(conf.node("managementService")),
            conf.integer("timeStampingIntervalSeconds", least=1, most=_YEAR),
            tuple(map(read_anchor_node, anchors)),
        )


def _read_management(node: Node) -> ManagementService:
    return ManagementService(
        node.text("authCertRegServiceAddress").strip(),
        read_client(node.node("managementRequestServiceProviderId")),
        node.find_octets("authCertRegServiceCert"),
    )
