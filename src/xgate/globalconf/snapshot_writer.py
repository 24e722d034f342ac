"""Writing the blocks that ``snapshot`` maps.

The rule: what is written answers every question as ``index.SharedIndex`` would; where the file says
a thing twice, the later place wins (globalconf 8, 11.20). This runs in a process of its own, which
needs neither certificates nor sockets, so it imports neither.
"""

from __future__ import annotations

import hashlib
import sys
import zlib
from array import array
from collections.abc import Iterable, Mapping
from itertools import accumulate

import msgspec

from xgate.globalconf.shared import Member, SecurityServer, SharedParameters
from xgate.globalconf.snapshot import MAGIC, Head, Section, key_of
from xgate.ids import ClientId, GlobalGroupId

__all__ = ["write_snapshot"]

_Parts = tuple[str, ...]
_encode = msgspec.msgpack.Encoder().encode
_FASTEST = 1


def write_snapshot(shared: SharedParameters, source: bytes) -> bytes:
    """The block for these shared parameters.

    :param source: the file that says so; it is kept inside, packed.
    """
    block = _Block()
    warnings = _write_servers(block, shared)
    members = _write_clients(block, shared)
    _write_groups(block, shared)
    packed = zlib.compress(source, _FASTEST)
    block.add("source", packed, 1)
    small = msgspec.structs.replace(shared, members=(), servers=(), groups=())
    digests = hashlib.sha256(source).digest(), hashlib.sha512(source).digest()
    told = (*digests, len(source), _encode(small), warnings, members)
    return block.close(Head(*told, block.sections))


class _Block:
    """The block as far as it is written."""

    def __init__(self) -> None:
        self._octets = bytearray(len(MAGIC) + 32 + 8)
        self.sections: dict[str, Section] = {}

    def add(self, name: str, octets: bytes, count: int) -> None:
        self.sections[name] = Section(len(self._octets), len(octets), count)
        self._octets += octets

    def records(self, name: str, records: Iterable[bytes]) -> None:
        data, ends = _joined(records)
        self.add(name, ends.tobytes() + data, len(ends) - 1)

    def table(self, name: str, numbers: Mapping[bytes, int]) -> None:
        mask = (1 << max(0, len(numbers) - 1).bit_length()) - 1
        keys = sorted(numbers)
        buckets = [zlib.crc32(key) & mask for key in keys]
        # Stable: within a bucket they stay in order. Pairs would take four times as long to sort.
        ordered = [keys[at] for at in sorted(range(len(keys)), key=buckets.__getitem__)]
        sizes = [0] * (mask + 1)
        for bucket in buckets:
            sizes[bucket] += 1
        directory = array("I", accumulate(sizes, initial=0))
        data, ends = _joined(ordered)
        values = array("I", map(numbers.__getitem__, ordered))
        octets = directory.tobytes() + ends.tobytes() + values.tobytes() + data
        self.add(name, octets, len(ordered))

    def close(self, head: Head) -> bytes:
        octets = self._octets
        begins = len(MAGIC) + 32
        octets[begins : begins + 8] = len(octets).to_bytes(8, sys.byteorder)
        octets += _encode(head)
        octets[: len(MAGIC)] = MAGIC
        with memoryview(octets) as view:
            digest = hashlib.sha256(view[begins:]).digest()
        octets[len(MAGIC) : begins] = digest
        return bytes(octets)


def _joined(pieces: Iterable[bytes]) -> tuple[bytes, array[int]]:
    held = list(pieces)
    return b"".join(held), array("I", accumulate(map(len, held), initial=0))


def _write_servers(block: _Block, shared: SharedParameters) -> tuple[str, ...]:
    """The servers, how to find them, and what is odd about them."""
    warnings: list[str] = []
    by_hash: dict[bytes, int] = {}
    notices: dict[bytes, int] = {}
    by_id: dict[bytes, int] = {}
    for number, server in enumerate(shared.servers):
        identifier = server.id
        by_id[key_of(*server.owner.parts, server.server_code)] = number
        if server.address:
            notices[key_of(server.address)] = number
        for value in server.auth_cert_hashes:
            other = shared.servers[by_hash.get(key_of(value), number)]
            if other.id != identifier:
                warnings.append(f"{identifier} has an authentication certificate of {other.id}")
            by_hash[key_of(value)] = number
    block.records("servers", map(_server_row, shared.servers))
    block.table("server numbers", by_id)
    block.table("authentication hashes", by_hash)
    block.table("addresses", notices)
    return tuple(warnings)


def _server_row(server: SecurityServer) -> bytes:
    clients = tuple(client.parts for client in server.clients)
    seen = (server.address, server.maintenance, server.auth_cert_hashes)
    return _encode((server.owner.parts, server.server_code, *seen, clients))


def _write_clients(block: _Block, shared: SharedParameters) -> int:
    """Who is a member or subsystem, and the servers of each; how many are registered."""
    rows: dict[bytes, tuple[str | None, str | None]] = {}
    for member in shared.members:
        identity = (shared.instance, member.member_class.code, member.code)
        _check(identity)
        rows[_encode(identity)] = (member.name, None)
        for subsystem in member.subsystems:
            parts = (*identity, subsystem.code)
            _check(parts)
            rows[_encode(parts)] = (member.name, subsystem.name)
    registered = len(rows)
    on: dict[bytes, dict[bytes, int]] = {}  # by client and server; the later place wins
    for number, server in enumerate(shared.servers):
        identifier = key_of(*server.owner.parts, server.server_code)
        for client in (server.owner, *server.clients):
            on.setdefault(_encode(client.parts), {})[identifier] = number
    for key in on:
        rows.setdefault(key, (None, None))
    none: dict[bytes, int] = {}
    block.records(
        "clients",
        (
            _encode((msgspec.Raw(key), *names, tuple(on.get(key, none).values())))
            for key, names in rows.items()
        ),
    )
    block.table("client numbers", {key: number for number, key in enumerate(rows)})
    block.records("members", map(_member_row, shared.members))
    return registered


def _check(parts: _Parts) -> None:
    """:raises Fault: ``internal_error``: a part is blank."""
    if not all(map(str.strip, parts)):
        ClientId(*parts)


def _member_row(member: Member) -> bytes:
    inside = tuple((subsystem.code, subsystem.name) for subsystem in member.subsystems)
    described = (member.member_class.code, member.member_class.description)
    return _encode((*described, member.code, member.name, inside))


def _write_groups(block: _Block, shared: SharedParameters) -> None:
    rows = [
        _encode((group.code, group.description, tuple(client.parts for client in group.members)))
        for group in shared.groups
    ]
    last = {
        GlobalGroupId(shared.instance, group.code).group_code: number
        for number, group in enumerate(shared.groups)
    }
    block.records("groups", rows)
    block.table("group codes", {key_of(code): number for code, number in last.items()})
    within = {
        key_of(code, *client.parts): number
        for code, number in last.items()
        for client in shared.groups[number].members
    }
    block.table("group members", within)
