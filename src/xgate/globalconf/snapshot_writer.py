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

from xgate._native.twin_table import BLOCK, write_table
from xgate.errors import Fault
from xgate.globalconf.rows import GroupRow, Parts, Rows, ServerRow
from xgate.globalconf.shared import SharedParameters, rows_of
from xgate.globalconf.snapshot import MAGIC, Head, Section, key_of
from xgate.ids import ClientId, ServerId

__all__ = ["write_rows", "write_snapshot"]

_encode = msgspec.msgpack.Encoder().encode
_FASTEST = 1
_MEMBER = 3  # parts of a client that is no subsystem
_LINE = 64  # octets of the processor's cache


def write_snapshot(shared: SharedParameters, source: bytes) -> bytes:
    """The block for these shared parameters.

    :param source: the file that says so; it is kept inside, packed.
    :raises Fault: ``internal_error``: a part of an identifier is blank; or as ``write_rows``.
    """
    rows = rows_of(shared)
    return write_rows(
        msgspec.structs.replace(shared, members=(), servers=(), groups=()), rows, source
    )


def write_rows(shared: SharedParameters, rows: Rows, source: bytes) -> bytes:
    """As ``write_snapshot``, with members, servers and groups in rows.

    :param rows: with no blank part in an identifier, as ``rows.read_rows`` gives them.
    :raises Fault: ``malformed_global_conf``: more than a block can hold.
    """
    block = _Block()
    warnings = _write_servers(block, rows.servers)
    _write_clients(block, shared.instance, rows)
    _write_groups(block, rows.groups)
    packed = zlib.compress(source, _FASTEST)
    block.add("source", packed, 1)
    digests = hashlib.sha256(source).digest(), hashlib.sha512(source).digest()
    told = (*digests, len(source), _encode(shared), warnings, _addresses(rows.servers))
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

    def table(self, name: str, values: Mapping[bytes, bytes]) -> None:
        self._octets += bytes(-len(self._octets) % _LINE)
        self.add(name, write_table(values, len(self._octets)), len(values))

    def numbers(self, name: str, numbers: Mapping[bytes, int]) -> None:
        self.table(name, {key: _encode(number) for key, number in numbers.items()})

    def close(self, head: Head) -> bytes:
        octets = self._octets
        begins = len(MAGIC) + 32
        octets[begins : begins + 8] = len(octets).to_bytes(8, sys.byteorder)
        octets += _encode(head)
        if len(octets) > BLOCK:
            raise Fault(
                "malformed_global_conf",
                f"the shared parameters come to {len(octets)} octets with all their names"
                f" written out, {BLOCK} is the most",
            )
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
    notices: dict[bytes, bytes] = {}
    by_id: dict[bytes, int] = {}
    for number, (owner, code, address, notice, hashes, _) in enumerate(servers):
        by_id[key_of((*owner, code))] = number
        if address:
            notices[key_of((address,))] = _encode(notice)
        for value in hashes:
            other = servers[by_hash.get(value, number)]
            if other[:2] != (owner, code):
                told = _server_id(owner, code), _server_id(*other[:2])
                warnings.append("{} has an authentication certificate of {}".format(*told))
            by_hash[value] = number
    block.records("servers", map(_encode, servers))
    block.records("hashes", (_encode(hashes) for _, _, _, _, hashes, _ in servers))
    block.numbers("server numbers", by_id)
    block.numbers("authentication hashes", by_hash)
    block.table("notices", notices)
    return tuple(warnings)


def _addresses(servers: Sequence[ServerRow]) -> tuple[str, ...]:
    told = (address or "" for _, _, address, *_ in servers)
    return tuple(address if address.strip() else "" for address in told)


def _server_id(owner: Parts, code: str) -> ServerId:
    return ServerId(ClientId(*owner), code)


def _write_clients(block: _Block, instance: str, rows: Rows) -> None:
    """Who is a member or subsystem, and on which servers each client is."""
    names: dict[bytes, bytes] = {}
    for class_code, _, code, name, subsystems in rows.members:
        names[key_of((instance, class_code, code, None))] = _encode((name, None))
        for subsystem in subsystems:
            parts = (instance, class_code, code, subsystem[0])
            names[key_of(parts)] = _encode((name, subsystem[1]))
    on: dict[Parts, dict[tuple[Parts, str], int]] = {}  # by client and server; the later place wins
    for number, (owner, code, _, _, _, clients) in enumerate(rows.servers):
        server = (owner, code)
        for client in (owner, *clients):
            on.setdefault(client, {})[server] = number
    served = {_client_key(client): _encode(tuple(found.values())) for client, found in on.items()}
    block.table("names", names)
    block.table("served", served)
    block.records("members", map(_encode, rows.members))


def _client_key(client: Parts) -> bytes:
    return key_of(client if len(client) > _MEMBER else (*client, None))


def _write_groups(block: _Block, groups: Sequence[GroupRow]) -> None:
    last = {code: number for number, (code, _, _) in enumerate(groups)}
    block.records("groups", map(_encode, groups))
    block.numbers("group codes", {key_of((code,)): number for code, number in last.items()})
    within = {
        key_of((code, *client) if len(client) > _MEMBER else (code, *client, None)): b""
        for code, number in last.items()
        for client in groups[number][2]
    }
    block.table("group members", within)
