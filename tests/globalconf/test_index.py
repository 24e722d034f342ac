"""One instance's tables: the later place wins, and a broken certificate spoils only itself."""

from __future__ import annotations

import hashlib

import msgspec

from xgate.globalconf.index import MemberInfo, MemberNames, SharedIndex
from xgate.globalconf.shared import (
    CaInfo,
    CertificationService,
    OcspInfo,
    SecurityServer,
    SharedParameters,
    TimestampingService,
)
from xgate.ids import ClientId, GlobalGroupId
from xgate.trust.certificate import Certificate

PROVIDER = ClientId("XX", "GOV", "1")
CONSUMER = ClientId("XX", "COM", "2")
WEB = ClientId("XX", "COM", "2", "web")


def test_members_with_their_names_in_order(country: SharedParameters) -> None:
    index = SharedIndex(country)
    assert list(index.members.values()) == [
        MemberInfo(PROVIDER, "Register & Co <ÕÄ>"),
        MemberInfo(ClientId("XX", "GOV", "1", "data"), "Register & Co <ÕÄ>", "The data"),
        MemberInfo(CONSUMER, "Shop"),
        MemberInfo(WEB, "Shop"),
        MemberInfo(ClientId("XX", "COM", "2", "app"), "Shop", ""),
    ]
    assert list(index.members) == [info.id for info in index.members.values()]


def test_a_member_is_found_by_all_of_its_identifier(country: SharedParameters) -> None:
    index = SharedIndex(country)
    assert index.find_member(WEB) == MemberNames("Shop")
    assert index.find_member(ClientId("XX", "GOV", "1", "data")) == MemberNames(
        "Register & Co <ÕÄ>", "The data"
    )
    assert index.knows(CONSUMER)
    for nobody in (ClientId("XX", "COM", "1"), ClientId("XX", "COM", "2", "Web")):
        assert index.find_member(nobody) is None
        assert not index.knows(nobody)


def test_servers_addresses_and_notices(country: SharedParameters) -> None:
    index = SharedIndex(country)
    assert [server.server_code for server in index.servers_of[WEB]] == ["S1", "S2"]
    assert index.addresses_of[WEB] == ("ss1", "ss2")
    assert index.notices == {"ss1": None, "ss2": "until noon"}
    assert index.group_members[GlobalGroupId("XX", "all")] == {PROVIDER, WEB}


def test_the_later_place_wins(country: SharedParameters) -> None:
    value = hashlib.sha256(b"auth 1").digest()
    again = SecurityServer(CONSUMER, "S3", " ", (value, value), (WEB, WEB, CONSUMER), "closed")
    index = SharedIndex(msgspec.structs.replace(country, servers=(*country.servers, again)))
    assert index.by_auth_hash[value] == again
    assert index.warnings == (
        "SERVER:XX/COM/2/S3 has an authentication certificate of SERVER:XX/GOV/1/S1",
    )
    assert [server.server_code for server in index.servers_of[WEB]] == ["S1", "S2", "S3"]
    assert index.addresses_of[WEB] == ("ss1", "ss2")  # a blank address is none


def test_the_last_of_two_cas_with_one_name_comes_first(country: SharedParameters) -> None:
    service = country.certification_services[0]
    renamed = msgspec.structs.replace(service, profile="other")
    index = SharedIndex(msgspec.structs.replace(country, certification_services=(service, renamed)))
    subject = Certificate.load(service.top.certificate).subject
    assert [ca.profile for ca in index.cas_by_subject[subject]] == ["other", service.profile]
    assert [ca.profile for ca in index.cas[::2]] == [service.profile, "other"]


def test_a_broken_certificate_is_left_out(country: SharedParameters, ca: bytes) -> None:
    broken = CertificationService(
        "Broken", CaInfo(b"garbage"), "p", (CaInfo(ca, (OcspInfo("http://o", b"trash"),)),)
    )
    tsa = TimestampingService("Odd", "http://t", b"rubbish")
    index = SharedIndex(
        msgspec.structs.replace(
            country, certification_services=(broken,), timestamping_services=(tsa,)
        )
    )
    assert [approved.certificate.der for approved in index.cas] == [ca]
    assert index.cas[0].ocsp_certificates == ()
    assert index.tsa_certificates == ()
    assert [warning.split(" is left out")[0] for warning in index.warnings] == [
        "XX: the certificate of certification service Broken",
        "XX: the certificate of OCSP responder http://o",
        "XX: the certificate of timestamping service Odd",
    ]
