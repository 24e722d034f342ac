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
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

import msgspec

from xgate.globalconf.rows import GroupRow, Parts, Rows, ServerRow
from xgate.globalconf.shared import SharedParameters, rows_of
from xgate.globalconf.snapshot import MAGIC, Head, Section, key_of
from xgate.ids import ClientId, ServerId

__all__ = ["write_rows", "write_snapshot"]

_encode = msgspec.msgpack.Encoder().encode
_FASTEST = 1


def write_snapshot(shared: SharedParameters, source: bytes) -> bytes:
    """The block for these shared parameters.

    :param source: the file that says so; it is kept inside, packed.
    :raises Fault: ``internal_error``: a part of an identifier is blank.
    """
    rows = rows_of(shared)
    return write_rows(
        msgspec.structs.replace(shared, members=(), servers=(), groups=()), rows, source
    )


def write_rows(shared: SharedParameters, rows: Rows, source: bytes) -> bytes:
    """As ``write_snapshot``, with members, servers and groups in rows.

    :param rows: with no blank part in an identifier, as ``rows.read_rows`` gives them.
    """
    block = _Block()
    warnings = _write_servers(block, rows.servers)
    members = _write_clients(block, shared.instance, rows)
    _write_groups(block, rows.groups)
    packed = zlib.compress(source, _FASTEST)
    block.add("source", packed, 1)
    digests = hashlib.sha256(source).digest(), hashlib.sha512(source).digest()
    told = (*digests, len(source), _encode(shared), warnings, members)
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


def _write_servers(block: _Block, servers: Sequence[ServerRow]) -> tuple[str, ...]:
    """The servers, how to find them, and what is odd about them."""
    warnings: list[str] = []
    by_hash: dict[bytes, int] = {}
    notices: dict[bytes, int] = {}
    by_id: dict[bytes, int] = {}
    for number, (owner, code, address, _, hashes, _) in enumerate(servers):
        by_id[key_of(*owner, code)] = number
        if address:
            notices[key_of(address)] = number
        for value in hashes:
            other = servers[by_hash.get(key_of(value), number)]
            if other[:2] != (owner, code):
                told = _server_id(owner, code), _server_id(*other[:2])
                warnings.append("{} has an authentication certificate of {}".format(*told))
            by_hash[key_of(value)] = number
    block.records("servers", map(_encode, servers))
    block.table("server numbers", by_id)
    block.table("authentication hashes", by_hash)
    block.table("addresses", notices)
    return tuple(warnings)


def _server_id(owner: Parts, code: str) -> ServerId:
    return ServerId(ClientId(*owner), code)


def _write_clients(block: _Block, instance: str, rows: Rows) -> int:
    """Who is a member or subsystem, and the servers of each; how many are registered."""
    names: dict[Parts, tuple[str | None, str | None]] = {}
    for class_code, _, code, name, subsystems in rows.members:
        names[instance, class_code, code] = (name, None)
        for subsystem_code, subsystem_name in subsystems:
            names[instance, class_code, code, subsystem_code] = (name, subsystem_name)
    registered = len(names)
    on: dict[Parts, dict[tuple[Parts, str], int]] = {}  # by client and server; the later place wins
    for number, (owner, code, _, _, _, clients) in enumerate(rows.servers):
        server = (owner, code)
        for client in (owner, *clients):
            on.setdefault(client, {})[server] = number
    for client in on:
        names.setdefault(client, (None, None))
    none: dict[tuple[Parts, str], int] = {}
    block.records(
        "clients",
        [
            _encode((parts, *named, tuple(on.get(parts, none).values())))
            for parts, named in names.items()
        ],
    )
    block.table("client numbers", {_encode(parts): number for number, parts in enumerate(names)})
    block.records("members", map(_encode, rows.members))
    return registered


def _write_groups(block: _Block, groups: Sequence[GroupRow]) -> None:
    last = {code: number for number, (code, _, _) in enumerate(groups)}
    block.records("groups", map(_encode, groups))
    block.table("group codes", {key_of(code): number for code, number in last.items()})
    within = {
        key_of(code, *client): number
        for code, number in last.items()
        for client in groups[number][2]
    }
    block.table("group members", within)
