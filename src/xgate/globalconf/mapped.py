"""Shared parameters and their index over a mapped snapshot: ``index.SharedIndex`` without objects.

The rule: the same questions have the same answers as in ``SharedIndex``, which is the oracle; what
was asked for lately is kept as an object, a bounded number of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Generic, TypeVar, overload

import msgspec
from msgspec.structs import astuple

from xgate._native.table import END, START, Table, check_found, find_place
from xgate.globalconf.index import Authorities, MemberInfo, MemberNames, SharedIndex, infos_of
from xgate.globalconf.rows import GroupRow, MemberRow, ServerRow
from xgate.globalconf.shared import (
    GlobalGroup,
    Member,
    SecurityServer,
    SharedParameters,
    build_group,
    build_member,
    build_server,
)
from xgate.globalconf.snapshot import Records, Snapshot, key_of
from xgate.ids import ClientId, GlobalGroupId, ServerId

__all__ = ["Index", "MappedIndex", "MappedParameters", "index_of", "map_parameters"]

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

_HOT = 4096
_HOT_SERVERS = 256  # each with all its clients

_groups = msgspec.msgpack.Decoder(GroupRow).decode
_members = msgspec.msgpack.Decoder(MemberRow).decode
_servers = msgspec.msgpack.Decoder(ServerRow).decode
_client_of = msgspec.msgpack.Decoder(tuple[str, str, str, str | None]).decode
_texts = msgspec.msgpack.Decoder(tuple[str, ...]).decode
_names = msgspec.msgpack.Decoder(MemberNames).decode
_number = msgspec.msgpack.Decoder(int).decode
_numbers = msgspec.msgpack.Decoder(tuple[int, ...]).decode
_text = msgspec.msgpack.Decoder(str | None).decode
_octets = msgspec.msgpack.Decoder(tuple[bytes, ...]).decode
_small = msgspec.msgpack.Decoder(SharedParameters).decode


class MappedParameters(SharedParameters, frozen=True, kw_only=True):
    """Shared parameters whose members, servers and groups are read when they are asked for."""

    snapshot: Snapshot


def map_parameters(snapshot: Snapshot) -> MappedParameters:
    """The shared parameters in a snapshot."""
    fields = msgspec.structs.asdict(_small(snapshot.head.small))
    fields["members"] = _Read(snapshot.records("members"), _member)
    fields["servers"] = _Read(snapshot.records("servers"), _server)
    fields["groups"] = _Read(snapshot.records("groups"), _group)
    return MappedParameters(**fields, snapshot=snapshot)


class MappedIndex(Authorities):
    """The look-up tables of one instance, mapped; read only."""

    def __init__(self, shared: MappedParameters) -> None:
        snapshot = shared.snapshot
        super().__init__(shared, snapshot.head.warnings)
        self._octets = snapshot.octets
        self._names = snapshot.table("names")
        self._served = snapshot.table("served")
        self._group_members = snapshot.table("group members")
        self._servers = snapshot.records("servers")
        self._hashes_of = snapshot.records("hashes")
        self._addresses = snapshot.head.addresses
        self.members: Mapping[ClientId, MemberInfo] = _Found(
            self._info_of, lambda: (info.id for info in self.everybody())
        )
        self.servers_of: Mapping[ClientId, tuple[SecurityServer, ...]] = _Answers(
            self._servers_of, lambda: _clients(self._served), _HOT_SERVERS
        )
        self.addresses_of: Mapping[ClientId, tuple[str, ...]] = _Answers(
            self._addresses_of, lambda: _clients(self._served)
        )
        self._map_servers(snapshot)
        codes, groups = snapshot.table("group codes"), shared.groups
        self.groups: Mapping[str, GlobalGroup] = _Answers(
            lambda code: groups[_number(_required(codes.find(key_of((code,)))))],
            lambda: (_texts(key)[0] for key in codes.keys()),
            1,
        )

    def _map_servers(self, snapshot: Snapshot) -> None:
        servers = self.shared.servers
        numbers, notices = snapshot.table("server numbers"), snapshot.table("notices")
        hashes = snapshot.table("authentication hashes")
        self._number_of: Mapping[ServerId, int] = _Answers(
            lambda server: _number(_required(numbers.find(_server_key(server)))),
            lambda: map(_server_id, numbers.keys()),
            _HOT_SERVERS,
        )
        self.servers: Mapping[ServerId, SecurityServer] = _Answers(
            lambda server: servers[self._number_of[server]],
            lambda: map(_server_id, numbers.keys()),
            _HOT_SERVERS,
        )
        self.by_auth_hash: Mapping[bytes, SecurityServer] = _Answers(
            lambda value: servers[_number(_required(hashes.find(value)))],
            hashes.keys,
            _HOT_SERVERS,
        )
        self.notices: Mapping[str, str | None] = _Found(
            lambda address: _text(_required(notices.find(key_of((address,))))),
            lambda: (_texts(key)[0] for key in notices.keys()),
        )

    def everybody(self) -> tuple[MemberInfo, ...]:
        """Members, each followed by its subsystems, in the order of the file."""
        of = (infos_of(self.shared.instance, member) for member in self.shared.members)
        return tuple({info.id: info for info in chain.from_iterable(of)}.values())

    def find_member(self, client: ClientId) -> MemberNames | None:
        """The names of a member or subsystem, if it is registered."""
        key = key_of(astuple(client))
        # As ``Table.find``, which would be one call more, a tenth of all that this takes.
        place: int = find_place(self._names.native, key, len(key))
        if place < 0:
            check_found(place)
            return None
        return _names(self._octets[place & START : place >> END])

    def knows(self, client: ClientId) -> bool:
        """Whether a member or subsystem is registered."""
        return key_of(astuple(client)) in self._names

    def serves(self, client: ClientId, server: ServerId) -> bool:
        """Whether ``client`` is registered on this server, or owns it."""
        found = self._served.find(key_of(astuple(client)))
        return found is not None and self._number_of.get(server) in _numbers(found)

    def is_registered(self, value: bytes, client: ClientId) -> bool:
        """Whether a server of ``client`` registered this hash of an authentication certificate."""
        found = self._served.find(key_of(astuple(client)))
        numbers = () if found is None else _numbers(found)
        return any(value in _octets(self._hashes_of[number]) for number in numbers)

    def is_in_group(self, client: ClientId, group: GlobalGroupId) -> bool:
        """Whether exactly this identifier is a member of the group."""
        if group.instance != self.shared.instance:
            return False
        return key_of((group.group_code, *astuple(client))) in self._group_members

    def _info_of(self, client: ClientId) -> MemberInfo:
        names = _required(self.find_member(client))
        return MemberInfo(client, names.member_name, names.subsystem_name)

    def _servers_of(self, client: ClientId) -> tuple[SecurityServer, ...]:
        numbers = _numbers(_required(self._served.find(key_of(astuple(client)))))
        return tuple(_server(self._servers[number]) for number in numbers)

    def _addresses_of(self, client: ClientId) -> tuple[str, ...]:
        found = self._served.find(key_of(astuple(client)))
        if found is None:
            raise KeyError(client)
        numbers = _numbers(found)
        if len(numbers) == 1 and (address := self._addresses[numbers[0]]):
            return (address,)
        return tuple(dict.fromkeys(filter(None, map(self._addresses.__getitem__, numbers))))


Index = SharedIndex | MappedIndex
"""The look-up tables of one instance, in objects or mapped."""


def index_of(shared: SharedParameters) -> Index:
    """The tables for these shared parameters."""
    return MappedIndex(shared) if isinstance(shared, MappedParameters) else SharedIndex(shared)


class _Found(Mapping[K, V]):
    """A mapping that finds its values, each time anew."""

    def __init__(self, find: Callable[[K], V], keys: Callable[[], Iterator[K]]) -> None:
        self._find = find
        self._keys = keys

    def __getitem__(self, key: K) -> V:
        return self._find(key)  # KeyError: there is none

    def __iter__(self) -> Iterator[K]:
        return self._keys()

    def __len__(self) -> int:
        return sum(1 for _ in self._keys())


class _Answers(_Found[K, V]):
    """A mapping that finds its values, and keeps the last of them."""

    def __init__(
        self,
        find: Callable[[K], V],
        keys: Callable[[], Iterator[K]],
        most: int = _HOT,
    ) -> None:
        super().__init__(find, keys)
        self._most = most
        self._hot: dict[K, V] = {}

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | T) -> V | T: ...
    def get(self, key: K, /, default: V | T | None = None) -> V | T | None:
        """As of any mapping, without a call between."""
        hot = self._hot.get(key)
        if hot is not None:
            return hot
        try:
            return self._keep(key)
        except KeyError:
            return default

    def __getitem__(self, key: K) -> V:
        hot = self._hot.get(key)
        return self._keep(key) if hot is None else hot

    def _keep(self, key: K) -> V:
        found = self._find(key)
        if len(self._hot) >= self._most:
            self._hot.clear()
        self._hot[key] = found
        return found


class _Read(Sequence[V], Generic[V]):
    """Records, each read when it is asked for; equal to any sequence of the same values."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, records: Records, read: Callable[[bytes], V]) -> None:
        self._records = records
        self._read = read

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, place: int) -> V: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[V]: ...
    def __getitem__(self, place: int | slice) -> V | Sequence[V]:
        if isinstance(place, slice):
            return tuple(self[number] for number in range(*place.indices(len(self))))
        return self._read(self._records[place if place >= 0 else place + len(self)])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))


def _required(found: V | None) -> V:
    if found is None:
        raise KeyError
    return found


def _server_key(server: ServerId) -> bytes:
    return key_of((*server.owner.parts, server.server_code))


def _server_id(key: bytes) -> ServerId:
    *owner, code = _texts(key)
    return ServerId(ClientId(*owner), code)


def _clients(table: Table) -> Iterator[ClientId]:
    return (ClientId(*_client_of(key)) for key in table.keys())


def _server(record: bytes) -> SecurityServer:
    return build_server(_servers(record))


def _member(record: bytes) -> Member:
    return build_member(_members(record))


def _group(record: bytes) -> GlobalGroup:
    return build_group(_groups(record))
