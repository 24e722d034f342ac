"""Shared parameters and their index over a mapped snapshot: ``index.SharedIndex`` without objects.

The rule: the same questions have the same answers as in ``SharedIndex``, which is the oracle; what
was asked for lately is kept as an object, a bounded number of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar, overload

import msgspec

from xgate.globalconf.index import Authorities, MemberInfo, SharedIndex
from xgate.globalconf.shared import (
    GlobalGroup,
    Member,
    MemberClass,
    SecurityServer,
    SharedParameters,
    Subsystem,
)
from xgate.globalconf.snapshot import Records, Snapshot, key_of
from xgate.ids import ClientId, GlobalGroupId, ServerId

__all__ = ["Index", "MappedIndex", "MappedParameters", "index_of", "map_parameters"]

K = TypeVar("K")
V = TypeVar("V")

_HOT = 4096
_HOT_SERVERS = 256  # each with all its clients

_Parts = tuple[str, ...]
_Names = tuple[str, str | None]
_clients = msgspec.msgpack.Decoder(tuple[_Parts, str | None, str | None, tuple[int, ...]]).decode
_groups = msgspec.msgpack.Decoder(tuple[str, str, tuple[_Parts, ...]]).decode
_members = msgspec.msgpack.Decoder(tuple[str, str, str, str, tuple[_Names, ...]]).decode
_servers = msgspec.msgpack.Decoder(
    tuple[_Parts, str, str | None, str | None, tuple[bytes, ...], tuple[_Parts, ...]]
).decode
_server_addresses = msgspec.msgpack.Decoder(
    tuple[msgspec.Raw, msgspec.Raw, str | None, str | None, msgspec.Raw, msgspec.Raw]
).decode
_texts = msgspec.msgpack.Decoder(tuple[str, ...]).decode
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
        super().__init__(shared, shared.snapshot.head.warnings)
        snapshot = shared.snapshot
        self._servers = snapshot.records("servers")
        self._clients = snapshot.records("clients")
        self._client_numbers = snapshot.table("client numbers")
        self._server_numbers = snapshot.table("server numbers")
        self._hashes = snapshot.table("authentication hashes")
        self._addresses = snapshot.table("addresses")
        self._group_members = snapshot.table("group members")
        codes, groups = snapshot.table("group codes"), shared.groups
        self._registered = snapshot.head.members
        self.members: Mapping[ClientId, MemberInfo] = _Answers(self._member, self._member_ids)
        self.servers_of: Mapping[ClientId, tuple[SecurityServer, ...]] = _Answers(
            self._servers_of, self._served, _HOT_SERVERS
        )
        self.addresses_of: Mapping[ClientId, tuple[str, ...]] = _Answers(
            self._addresses_of, self._served
        )
        self.servers: Mapping[ServerId, SecurityServer] = _Answers(
            lambda key: shared.servers[_required(self._number_of(key))],
            self._server_ids,
            _HOT_SERVERS,
        )
        self.by_auth_hash: Mapping[bytes, SecurityServer] = _Answers(
            lambda value: shared.servers[_required(self._hashes.find(key_of(value)))],
            lambda: (_octets(key)[0] for key in self._hashes.keys()),
            _HOT_SERVERS,
        )
        self.notices: Mapping[str, str | None] = _Answers(
            self._notice, lambda: (_texts(key)[0] for key in self._addresses.keys())
        )
        self.groups: Mapping[str, GlobalGroup] = _Answers(
            lambda code: groups[_required(codes.find(key_of(code)))],
            lambda: (_texts(key)[0] for key in codes.keys()),
            1,
        )

    def serves(self, client: ClientId, server: ServerId) -> bool:
        """Whether ``client`` is registered on this server, or owns it."""
        number = self._number_of(server)
        return number is not None and number in self._row(client)[3]

    def is_in_group(self, client: ClientId, group: GlobalGroupId) -> bool:
        """Whether exactly this identifier is a member of the group."""
        if group.instance != self.shared.instance:
            return False
        return self._group_members.find(key_of(group.group_code, *client.parts)) is not None

    def _number_of(self, server: ServerId) -> int | None:
        return self._server_numbers.find(key_of(*server.owner.parts, server.server_code))

    def _row(self, client: ClientId) -> tuple[_Parts, str | None, str | None, tuple[int, ...]]:
        number = self._client_numbers.find(key_of(*client.parts))
        return ((), None, None, ()) if number is None else _clients(self._clients[number])

    def _member(self, client: ClientId) -> MemberInfo:
        _, name, subsystem_name, _ = self._row(client)
        if name is None:
            raise KeyError(client)
        return MemberInfo(client, name, subsystem_name)

    def _numbers_of(self, client: ClientId) -> tuple[int, ...]:
        numbers = self._row(client)[3]
        if not numbers:
            raise KeyError(client)
        return numbers

    def _servers_of(self, client: ClientId) -> tuple[SecurityServer, ...]:
        return tuple(_server(self._servers[number]) for number in self._numbers_of(client))

    def _addresses_of(self, client: ClientId) -> tuple[str, ...]:
        numbers = self._numbers_of(client)
        found = (_server_addresses(self._servers[number])[2] for number in numbers)
        return tuple(dict.fromkeys(text for text in found if text and text.strip()))

    def _notice(self, address: str) -> str | None:
        number = _required(self._addresses.find(key_of(address)))
        return _server_addresses(self._servers[number])[3]

    def _member_ids(self) -> Iterator[ClientId]:
        return (ClientId(*_clients(self._clients[n])[0]) for n in range(self._registered))

    def _served(self) -> Iterator[ClientId]:
        return (ClientId(*row[0]) for row in map(_clients, self._clients) if row[3])

    def _server_ids(self) -> Iterator[ServerId]:
        for key in self._server_numbers.keys():
            *owner, code = _texts(key)
            yield ServerId(ClientId(*owner), code)


Index = SharedIndex | MappedIndex
"""The look-up tables of one instance, in objects or mapped."""


def index_of(shared: SharedParameters) -> Index:
    """The tables for these shared parameters."""
    return MappedIndex(shared) if isinstance(shared, MappedParameters) else SharedIndex(shared)


class _Answers(Mapping[K, V]):
    """A mapping that finds its values, and keeps the last of them."""

    def __init__(
        self,
        find: Callable[[K], V],
        keys: Callable[[], Iterator[K]],
        most: int = _HOT,
    ) -> None:
        self._find = find
        self._keys = keys
        self._most = most
        self._hot: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        hot = self._hot.get(key)
        if hot is not None:
            return hot
        found = self._find(key)  # KeyError: there is none
        if len(self._hot) >= self._most:
            self._hot.clear()
        self._hot[key] = found
        return found

    def __iter__(self) -> Iterator[K]:
        return self._keys()

    def __len__(self) -> int:
        return sum(1 for _ in self._keys())


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


def _required(number: int | None) -> int:
    if number is None:
        raise KeyError
    return number


def _server(record: bytes) -> SecurityServer:
    owner, code, address, maintenance, hashes, clients = _servers(record)
    members = tuple(ClientId(*parts) for parts in clients)
    return SecurityServer(ClientId(*owner), code, address, hashes, members, maintenance)


def _member(record: bytes) -> Member:
    class_code, description, code, name, subsystems = _members(record)
    inside = tuple(Subsystem(*names) for names in subsystems)
    return Member(MemberClass(class_code, description), code, name, inside)


def _group(record: bytes) -> GlobalGroup:
    code, description, members = _groups(record)
    return GlobalGroup(code, description, tuple(ClientId(*parts) for parts in members))
