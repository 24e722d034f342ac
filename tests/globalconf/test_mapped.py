"""The mapped index against its oracle, and what it keeps of what it found."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.globalconf.index import SharedIndex
from xgate.globalconf.mapped import MappedIndex, MappedParameters, map_parameters
from xgate.globalconf.shared import (
    GlobalGroup,
    Member,
    MemberClass,
    SecurityServer,
    SharedParameters,
    Subsystem,
)
from xgate.globalconf.snapshot import Snapshot
from xgate.globalconf.snapshot_writer import write_snapshot
from xgate.ids import ClientId, GlobalGroupId, ServerId

_code = st.sampled_from(["1", "2", "õ", "1\0002"])  # few, so that they meet again
_name = st.text(max_size=3)
_client = st.builds(ClientId, st.sampled_from(["XX", "YY"]), _code, _code, st.none() | _code)
_countries = st.builds(
    SharedParameters,
    st.just("XX"),
    members=st.lists(
        st.builds(
            Member,
            st.builds(MemberClass, _code, _name),
            _code,
            _name,
            st.lists(st.builds(Subsystem, _code, st.none() | _name), max_size=3).map(tuple),
        ),
        max_size=5,
    ).map(tuple),
    servers=st.lists(
        st.builds(
            SecurityServer,
            st.builds(ClientId, st.just("XX"), _code, _code),
            _code,
            st.none() | st.sampled_from(["", " ", "ss1", "ss2"]),
            st.lists(st.sampled_from([b"1" * 32, b"2" * 32, b"3" * 20]), max_size=2).map(tuple),
            st.lists(_client, max_size=4).map(tuple),
            st.none() | _name,
        ),
        max_size=5,
    ).map(tuple),
    groups=st.lists(
        st.builds(GlobalGroup, _code, _name, st.lists(_client, max_size=4).map(tuple)), max_size=4
    ).map(tuple),
)


def map_country(shared: SharedParameters) -> MappedParameters:
    descriptor = os.memfd_create("test", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(write_snapshot(shared, b"a file"))
        return map_parameters(Snapshot(descriptor))
    finally:
        os.close(descriptor)


def check_table(ours: Mapping[object, object], theirs: Mapping[object, object]) -> None:
    assert dict(ours) == theirs
    assert len(ours) == len(theirs)
    for key, value in theirs.items():
        assert ours.get(key) == value  # the second time, from what is kept


@settings(deadline=None, max_examples=300)
@given(_countries, st.lists(_client, max_size=5), st.lists(_code, max_size=5))
def test_every_question_has_the_oracles_answer(
    shared: SharedParameters, clients: list[ClientId], codes: list[str]
) -> None:
    ours, theirs = MappedIndex(map_country(shared)), SharedIndex(shared)
    for name in ("members", "servers", "servers_of", "addresses_of", "notices", "groups"):
        check_table(getattr(ours, name), getattr(theirs, name))
    check_table(ours.by_auth_hash, theirs.by_auth_hash)  # type: ignore[arg-type]
    assert list(ours.members) == list(theirs.members)
    assert ours.everybody() == theirs.everybody()
    for client in theirs.members:
        assert ours.find_member(client) == theirs.find_member(client)
        assert ours.knows(client)
    assert ours.warnings == theirs.warnings
    for client in clients:
        assert ours.members.get(client) == theirs.members.get(client)
        assert ours.find_member(client) == theirs.find_member(client)
        assert ours.knows(client) == theirs.knows(client)
        assert ours.addresses_of.get(client, ()) == theirs.addresses_of.get(client, ())
        assert ours.servers_of.get(client, ()) == theirs.servers_of.get(client, ())
        for value in (b"1" * 32, b"2" * 32, b"3" * 20, b""):
            assert ours.is_registered(value, client) == theirs.is_registered(value, client)
        for code in codes:
            for instance in ("XX", "YY"):
                group = GlobalGroupId(instance, code)
                assert ours.is_in_group(client, group) == theirs.is_in_group(client, group)
            for server in (ServerId(client.member, code), *theirs.servers):
                assert ours.serves(client, server) == theirs.serves(client, server)


@settings(deadline=None)
@given(_countries)
def test_the_parameters_are_those_that_were_written(shared: SharedParameters) -> None:
    found = map_country(shared)
    for name in ("members", "servers", "groups"):
        assert tuple(getattr(found, name)) == getattr(shared, name)
        assert getattr(found, name) == getattr(shared, name)
        assert getattr(found, name)[1:] == getattr(shared, name)[1:]


def test_what_is_small_is_there_as_it_was(country: SharedParameters) -> None:
    found = map_country(country)
    fields = msgspec.structs.asdict(found)
    assert fields.pop("snapshot") is found.snapshot
    assert fields == msgspec.structs.asdict(country)
    assert found.servers[-1] == country.servers[-1]
    assert found.members != country.members[:1]
    with pytest.raises(IndexError):
        found.members[len(country.members)]


def test_certificates_are_read_as_ever(country: SharedParameters) -> None:
    ours, theirs = MappedIndex(map_country(country)), SharedIndex(country)
    assert ours.cas == theirs.cas
    assert ours.responders == theirs.responders
    assert ours.tsa_certificates == theirs.tsa_certificates


def make_crowd(country: SharedParameters, size: int) -> MappedIndex:
    everybody = tuple(ClientId("XX", "COM", f"{n}") for n in range(size))
    crowd = tuple(Member(MemberClass("COM", ""), it.member_code, it.short) for it in everybody)
    server = SecurityServer(everybody[0], "SS", "ss.example.org", (), everybody)
    changed = msgspec.structs.replace(country, members=crowd, servers=(server,))
    return MappedIndex(map_country(changed))


def test_what_is_kept_is_bounded(country: SharedParameters) -> None:
    index = make_crowd(country, 5000)
    everybody = [ClientId("XX", "COM", f"{n}") for n in range(5000)]
    for client in (*everybody, *everybody):
        assert index.addresses_of[client] == ("ss.example.org",)
    assert 0 < len(index.addresses_of._hot) <= 4096  # type: ignore[attr-defined]


def test_nobody_is_pushed_out_by_those_who_do_not_exist(country: SharedParameters) -> None:
    index = make_crowd(country, 3)
    assert index.addresses_of.get(ClientId("XX", "COM", "1")) == ("ss.example.org",)
    for number in range(5000):
        stranger = ClientId("XX", "COM", "1", f"{number}")
        assert not index.knows(stranger)
        assert index.addresses_of.get(stranger) is None
        assert index.addresses_of.get(stranger, ()) == ()
    assert list(index.addresses_of._hot) == [ClientId("XX", "COM", "1")]  # type: ignore[attr-defined]
