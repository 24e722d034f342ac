"""Members, servers and groups of shared-params.xml as bare rows: what there may be a million of.

The rule: one reader, for objects and for snapshots alike; what ``plain`` took out of the document
and what it left there come together in their order (globalconf 6, 11.11, 11.17). References
between elements (``xs:IDREF``) are resolved here, so nobody else ever meets them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from lxml import etree

from xgate.errors import Fault
from xgate.globalconf.elements import Node, decode_base64, read_client
from xgate.globalconf.plain import MARK, Plain, PlainSubsystem
from xgate.ids import ClientId, GlobalGroupId, ServerId
from xgate.wire.names import ID_NS, OBJECT_TYPE, PARTS

__all__ = ["GroupRow", "MemberRow", "Parts", "Rows", "ServerRow", "check_parts", "read_rows"]

Parts = tuple[str, ...]
"""The pieces of a client's identifier in order, without an absent subsystem."""
MemberRow = tuple[str, str, str, str, tuple[tuple[str, str | None], ...]]
"""Class and its description, code, name; code and name of each subsystem."""
ServerRow = tuple[Parts, str, str | None, str | None, tuple[bytes, ...], tuple[Parts, ...]]
"""Owner, code, address, notice of maintenance, hashes of certificates, clients."""
GroupRow = tuple[str, str, tuple[Parts, ...]]
"""Code, description, members."""


class Rows(msgspec.Struct, frozen=True):
    """Whom shared parameters know."""

    members: Sequence[MemberRow] = ()
    servers: Sequence[ServerRow] = ()
    groups: Sequence[GroupRow] = ()


_PLAIN_ID = [f"{{{ID_NS}}}{name}" for name in PARTS[:4]]
_PLAIN_IDS = (_PLAIN_ID, _PLAIN_ID[:-1])
_HASH_SIZES = (20, 32)


def read_rows(conf: Node, instance: str, runs: Iterable[Sequence[Plain]] = ()) -> Rows:
    """Read what the root element knows of members, servers and groups.

    :param runs: members that ``plain.cut_members`` took out, for each ``plain.MARK`` that is here.
    :raises Fault: ``malformed_global_conf``, ``invalid_xml``; ``internal_error`` for a part of an
        identifier that is blank.
    """
    members, known = _read_members(_told_members(conf, runs), instance)
    return Rows(
        members,
        [_read_server(node, known) for node in conf.nodes("securityServer")],
        [_read_group(node, instance) for node in conf.nodes("globalGroup")],
    )


def check_parts(parts: Parts) -> None:
    """Refuse an identifier of a client with a blank part.

    :raises Fault: ``internal_error``.
    """
    if not all(map(str.strip, parts)):
        ClientId(*parts)


def _told_members(conf: Node, runs: Iterable[Sequence[Plain]]) -> Iterator[Plain]:
    """All members in the order of the document, those that were taken out of it at their marks."""
    taken = iter(runs)
    for element in conf.element.iterchildren("member", MARK):
        if element.tag == MARK:
            yield from next(taken, ())
        else:
            yield _read_member(Node(element))


def _read_members(told: Iterable[Plain], instance: str) -> tuple[list[MemberRow], dict[str, Parts]]:
    """The members, and who is known under which reference."""
    rows: list[MemberRow] = []
    known: dict[str, Parts] = {}
    noted = 0
    for reference, class_code, description, code, name, subsystems in told:
        member = (instance, class_code, code)
        check_parts(member)
        if reference is not None:
            known[reference] = member
            noted += 1
        inside: list[tuple[str, str | None]] = []
        for subsystem_reference, subsystem_code, subsystem_name in subsystems:
            parts = (instance, class_code, code, subsystem_code)
            if not subsystem_code.strip():
                check_parts(parts)
            if subsystem_reference is not None:
                known[subsystem_reference] = parts
                noted += 1
            inside.append((subsystem_code, subsystem_name))
        rows.append((class_code, description, code, name, tuple(inside)))
    if len(known) != noted:
        raise Fault("malformed_global_conf", "two elements have the same id")
    return rows, known


def _read_member(node: Node) -> Plain:
    described = node.node("memberClass")
    return (
        _reference_of(node),
        described.text("code"),
        described.text("description"),
        node.text("memberCode"),
        node.text("name"),
        list(map(_read_subsystem, node.nodes("subsystem"))),
    )


def _read_subsystem(node: Node) -> PlainSubsystem:
    return _reference_of(node), node.text("subsystemCode"), node.find_text("subsystemName")


def _reference_of(node: Node) -> str | None:
    reference = node.element.get("id")
    return None if reference is None else reference.strip()


def _read_server(node: Node, clients: dict[str, Parts]) -> ServerRow:
    (owner,) = _resolve_all([node.text("owner")], clients)
    if len(owner) > 3:
        raise Fault("malformed_global_conf", "the owner of a security server is not a member")
    code = node.text("serverCode")
    maintenance = node.find("inMaintenanceMode")
    ServerId(ClientId(*owner), code)
    return (
        owner,
        code,
        node.find_text("address"),
        None if maintenance is None else maintenance.find_text("message") or "",
        tuple(map(_read_hash, node.texts("authCertHash"))),
        tuple(_resolve_all(node.texts("client"), clients)),
    )


def _resolve_all(references: list[str], clients: dict[str, Parts]) -> list[Parts]:
    try:
        return [clients[reference.strip()] for reference in references]
    except KeyError:
        raise Fault(
            "malformed_global_conf", "a reference leads to no member or subsystem"
        ) from None


def _read_hash(text: str) -> bytes:
    value = decode_base64(text)
    if len(value) not in _HASH_SIZES:
        raise Fault("malformed_global_conf", "the hash of a certificate has no known length")
    return value


def _read_group(node: Node, instance: str) -> GroupRow:
    code = node.text("groupCode")
    GlobalGroupId(instance, code)
    members = tuple(map(_read_group_member, node.elements("groupMember")))
    return code, node.text("description"), members


def _read_group_member(element: etree._Element) -> Parts:
    children = list(element)
    tags = [child.tag for child in children]
    if (
        tags in _PLAIN_IDS
        and not any(map(len, children))
        and element.get(OBJECT_TYPE) in ("MEMBER", "SUBSYSTEM")
    ):
        parts = tuple([child.text or "" for child in children])
        check_parts(parts)
        return parts
    return read_client(Node(element)).parts
