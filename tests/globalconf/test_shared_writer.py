"""Shared parameters as written: the reference's octets, each version's own content, round trips."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xgate.errors import Fault
from xgate.globalconf.shared import (
    AcmeServer,
    CaInfo,
    CertificationService,
    GlobalGroup,
    Member,
    MemberClass,
    OcspInfo,
    SecurityServer,
    SharedParameters,
    Source,
    Subsystem,
    TimestampingService,
    read_shared,
)
from xgate.globalconf.shared_writer import write_shared
from xgate.ids import ClientId

VERSIONS = (2, 3, 4, 5, 6)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("folder", "version"),
    [
        ("env-dev-v6/globalconf-initial", 6),
        ("env-dev-v6/globalconf-rotated", 6),
        ("globalconf-signed/v4-2024-05", 4),
        ("globalconf-signed/v3-2024-04", 4),  # announced as 3, written as 4
    ],
)
def test_ours_is_octet_for_octet_theirs(golden: Path, folder: str, version: int) -> None:
    data = next((golden / folder).rglob("shared-params.xml")).read_bytes()
    assert write_shared(read_shared(data), version) == data


@pytest.mark.reference
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_valid_by_its_schema(
    golden: Path, country: SharedParameters, version: int
) -> None:
    schemas = golden / "schemas/globalconf"
    schema = etree.XMLSchema(etree.parse(str(schemas / f"v{version}/shared-parameters.xsd")))
    schema.assertValid(etree.fromstring(write_shared(country, version)))


def test_what_an_old_version_does_not_know_is_left_out(country: SharedParameters) -> None:
    written = {version: write_shared(country, version).decode() for version in VERSIONS}
    for mark, first in (
        ("<source>", 3),
        ("<acmeServer>", 3),
        ("<signingCertificateProfileId>", 4),
        ("<subsystemName>", 5),
        ("<inMaintenanceMode>", 5),
        ("<costType>", 6),
        ("<defaultCsrFormat>", 6),
    ):
        assert [version for version in VERSIONS if mark in written[version]] == list(
            range(first, 7)
        )


def test_old_clients_route_past_a_server_in_maintenance(country: SharedParameters) -> None:
    web, provider = ClientId("XX", "COM", "2", "web"), ClientId("XX", "GOV", "1")
    for version in VERSIONS:
        server = read_shared(write_shared(country, version)).servers[1]
        assert server.clients == ((provider,) if version < 5 else (web, provider))


def test_a_notice_may_be_empty(country: SharedParameters) -> None:
    for notice in (None, "", "back soon"):
        server = msgspec.structs.replace(country.servers[0], maintenance=notice)
        changed = msgspec.structs.replace(country, servers=(server,))
        assert read_shared(write_shared(changed)).servers[0].maintenance == notice


@pytest.mark.parametrize(
    "change",
    [
        {"sources": ()},
        {"members": ()},
        {"instance": "\0"},
        {"servers": (SecurityServer(ClientId("XX", "GOV", "9"), "S"),)},
    ],
)
def test_what_cannot_be_written_is_refused(
    country: SharedParameters, change: dict[str, object]
) -> None:
    with pytest.raises(Fault, match="malformed_global_conf"):
        write_shared(msgspec.structs.replace(country, **change))


def test_only_known_versions(country: SharedParameters) -> None:
    for version in (1, 7):
        with pytest.raises(Fault, match="malformed_global_conf"):
            write_shared(country, version)


def test_a_member_cannot_be_listed_twice(country: SharedParameters) -> None:
    with pytest.raises(Fault, match="listed twice"):
        write_shared(msgspec.structs.replace(country, members=(*country.members, *country.members)))


# Round trips

_plain = st.characters(min_codepoint=33, exclude_categories=["Cs", "Z"], exclude_characters="￾￿")
_text = st.text(_plain.filter(lambda c: ord(c) not in range(0x7F, 0xA1)), min_size=1, max_size=8)
_any_text = st.text(st.sampled_from("a <>&\"'\r\n\t]õ𝄞"), max_size=8)
_octets = st.binary(min_size=1, max_size=9)
_T = TypeVar("_T")
_cost = st.sampled_from([None, "FREE", "PAID", "UNDEFINED"])


def _tuples(strategy: st.SearchStrategy[_T], least: int = 0) -> st.SearchStrategy[tuple[_T, ...]]:
    return st.lists(strategy, min_size=least, max_size=2).map(tuple)


_ocsp = st.builds(OcspInfo, _text, st.none() | _octets, _cost)
_ca = st.builds(CaInfo, _octets, _tuples(_ocsp))
_acme = st.builds(AcmeServer, _any_text, *[st.none() | _any_text] * 3)
_service = st.builds(
    CertificationService,
    _any_text,
    _ca,
    _text,
    _tuples(_ca),
    st.booleans(),
    st.sampled_from([None, "PEM", "DER"]),
    st.none() | _acme,
)
_source = st.builds(Source, _text, _tuples(_octets), _tuples(_octets))
_client = st.builds(ClientId, _text, _text, _text, st.none() | _text)
_group = st.builds(GlobalGroup, _text, _any_text, _tuples(_client))
_class = st.builds(MemberClass, _text, _any_text)


@st.composite
def countries(draw: st.DrawFn) -> SharedParameters:
    instance = draw(_text)
    names = draw(
        st.lists(st.tuples(_class, _text), max_size=3, unique_by=lambda n: (n[0].code, n[1]))
    )
    members = tuple(
        Member(
            member_class,
            code,
            draw(_any_text),
            tuple(
                Subsystem(sub, draw(st.none() | _any_text))
                for sub in draw(st.lists(_text, max_size=2, unique=True))
            ),
        )
        for member_class, code in names
    )
    owners = [ClientId(instance, m.member_class.code, m.code) for m in members]
    subsystems = [
        ClientId(instance, m.member_class.code, m.code, s.code)
        for m in members
        for s in m.subsystems
    ]
    servers = st.builds(
        SecurityServer,
        st.sampled_from(owners or [ClientId("a", "b", "c")]),
        _text,
        st.none() | _any_text,
        _tuples(st.binary(min_size=32, max_size=32)),
        _tuples(st.sampled_from((owners + subsystems) or [ClientId("a", "b", "c")])),
        st.none() | _any_text,
    )
    return SharedParameters(
        instance,
        draw(_tuples(_source, least=1)),
        draw(_tuples(_service)),
        draw(_tuples(st.builds(TimestampingService, _any_text, _text, _octets, _cost))),
        members,
        draw(_tuples(servers)) if owners else (),
        draw(_tuples(_group)),
        draw(_tuples(_class)),
        draw(st.integers(1, 31_536_000)),
    )


@settings(deadline=None, max_examples=60)
@given(countries())
def test_what_is_written_is_read(shared: SharedParameters) -> None:
    data = write_shared(shared)
    assert read_shared(data) == shared
    assert write_shared(read_shared(data)) == data


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_damaged_file_gives_only_faults(country: SharedParameters, data: st.DataObject) -> None:
    good = write_shared(country)
    at = data.draw(st.integers(0, len(good)))
    damaged = (
        good[:at] + data.draw(st.binary(max_size=9)) + good[at + data.draw(st.integers(0, 40)) :]
    )
    try:
        read_shared(damaged)
    except Fault as fault:
        damage = fault.code
    else:
        damage = "malformed_global_conf"
    assert damage == "malformed_global_conf"
