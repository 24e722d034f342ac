"""What the reference's own tests ask of its configuration, asked of ours; and validity."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf, Instance, auth_certificate_hash
from xgate.globalconf.disk import read_disk
from xgate.globalconf.generate import register_server
from xgate.globalconf.optional import Settings
from xgate.globalconf.private import PrivateParameters
from xgate.globalconf.shared import SecurityServer, SharedParameters, read_shared
from xgate.ids import ClientId, GlobalGroupId, ServerId, parse_client
from xgate.trust.anchors import Trust
from xgate.trust.certificate import Certificate

GROUP = GlobalGroupId("EE", "Test group")


def business(code: str, subsystem: str | None = None) -> ClientId:
    return ClientId("EE", "BUSINESS", code, subsystem)


def loaded(golden: Path, name: str) -> GlobalConf:
    return read_disk(golden / "globalconf" / name, datetime(2026, 11, 23, tzinfo=UTC)).conf


def certificate(golden: Path, name: str) -> Certificate:
    path = golden / name
    if path.suffix == ".p12":
        stored = load_pkcs12(path.read_bytes(), b"test").cert
        assert stored is not None
        return Certificate.load(stored.certificate.public_bytes(Encoding.DER))
    return Certificate.load(path.read_bytes())


# The reference's facts


@pytest.mark.reference
def test_the_vector_of_good_v2(golden: Path) -> None:
    conf = loaded(golden, "good_v2")
    facts = json.loads((golden / "vectors.json").read_text())["globalconf_good_v2"]
    assert sorted(conf.instances) == sorted(facts["instances"])
    group = facts["group_EE_Test_group"]
    found = conf.find_group(GROUP)
    assert found is not None
    assert found.description == group["description"]
    for member in group["member_yes"]:
        assert conf.is_in_group(parse_client(member), GROUP)
    for member in group["member_no"]:
        assert not conf.is_in_group(parse_client(member), GROUP)
    for client, addresses in facts["provider_address"].items():
        assert list(conf.provider_addresses(parse_client(client))) == addresses
    assert len(conf.ocsp_certificates()) == facts["ocsp_responder_certificates"]
    assert len(conf.tsa_certificates()) == facts["tsp_certificates"]
    user, *_ = facts["chain_for_user_3"]
    chain = conf.chain_of("EE", certificate(golden, f"cert-chain/{user}.p12"))
    assert list(chain) == [
        certificate(golden, f"cert-chain/{name}.p12") for name in facts["chain_for_user_3"]
    ]
    server = conf.find_server(ServerId(business("producer"), "producerServerCode"))
    assert server is not None
    assert server.owner == business("producer")


@pytest.mark.reference
def test_the_facts_of_good_v4(golden: Path) -> None:
    conf = loaded(golden, "good_v4")
    assert set(conf.instances) == {"EE", "bar", "baz_v3", "foo_v2"}
    assert conf.valid_at(datetime(2026, 11, 23, tzinfo=UTC))
    assert not conf.is_in_group(business("member2"), GlobalGroupId("nowhere", "nothing"))
    assert conf.find_group(GlobalGroupId("EE", "foo")) is None
    assert [info.id for info in conf.members("EE")] == [
        business("producer"),
        business("consumer"),
        business("foo"),
        business("foo", "foosubsystem"),
    ]
    assert set(conf.provider_addresses(business("consumer"))) == {
        "https://www.foo.com/bar",
        "127.0.0.1",
    }
    assert conf.provider_addresses(business("producer")) == ("127.0.0.1",)
    assert len(conf.ocsp_certificates()) == 18
    assert len(conf.tsa_certificates()) == 4
    assert conf.known_addresses() == {
        "127.0.0.1",
        "https://www.foo.com/bar",
        "https://foo.bar.baz",
    }
    assert conf.management.registration_url == "http://mgmt.com:1234"
    assert conf.management.provider == business("servicemember2")
    assert conf.ocsp_freshness == timedelta(seconds=42)
    assert conf.timestamping_interval == timedelta(seconds=123)
    assert [server.server_code for server in conf.servers("EE")] == [
        "producerServerCode",
        "consumerServerCode",
        "fooServerCode",
        "FooBarServerCode",
    ]
    assert {server.server_code for server in conf.servers_of(business("foo"))} == {
        "producerServerCode",
        "fooServerCode",
        "FooBarServerCode",
    }
    instance = conf.instances["EE"].shared
    assert instance is not None
    assert len(instance.certification_services) == 5


@pytest.mark.reference
def test_authentication_certificates(golden: Path) -> None:
    conf = loaded(golden, "good_v2")  # by SHA-1; later fixtures hash the PEM text
    producer = certificate(golden, "keys/producer.pem")
    consumer = certificate(golden, "keys/consumer.pem")
    assert conf.server_by_auth_hash(producer) == ServerId(business("foo"), "fooServerCode")
    assert conf.auth_certificate_matches(producer, business("producer"))
    assert not conf.auth_certificate_matches(consumer, business("producer"))
    assert not conf.auth_certificate_matches(producer, business("consumer"))
    assert conf.auth_certificate_matches(consumer, business("consumer"))
    assert conf.auth_hash(producer) in conf.known_auth_hashes()


@pytest.mark.reference
def test_who_is_a_client_of_which_server(golden: Path) -> None:
    conf = loaded(golden, "good_v4")
    first = ServerId(business("producer"), "producerServerCode")
    for client in (
        business("consumer"),
        business("producer"),
        business("foo", "foosubsystem"),
    ):
        assert conf.is_client_of(client, first)
        assert not conf.is_client_of(client, ServerId(business("producer"), "foo"))
    assert not conf.is_client_of(ClientId("EE", "xx", "foo", "foosubsystem"), first)
    last = ServerId(business("foo"), "FooBarServerCode")
    assert not conf.is_client_of(business("foo", "foosubsystem"), last)


@pytest.mark.reference
def test_maintenance_and_ocsp_order_of_version_6(golden: Path) -> None:
    conf = loaded(golden, "good_v6")
    assert conf.version == 6
    server = ServerId(business("foo"), "FooBarServerCode")
    assert conf.server_maintenance(server) == "Test maintenance mode"
    assert conf.address_maintenance("EE", "https://foo.bar.baz") == "Test maintenance mode"
    assert conf.address_maintenance("EE", "127.0.0.1") is None
    assert conf.server_maintenance(ServerId(business("foo"), "fooServerCode")) is None

    issued = certificate(golden, "keys/consumer.pem")
    issuer = conf.find_cas("EE", issued.issuer)[0]
    everything = conf.ocsp_urls_for(issued, issuer)
    assert everything
    assert len(set(everything)) == len(everything)
    free = conf.ocsp_urls_for(issued, issuer, "only-free")
    paid = conf.ocsp_urls_for(issued, issuer, "only-paid")
    assert set(free) | set(paid) <= set(everything)
    assert (
        conf.ocsp_urls_for(issued, issuer, "free-first")[: len(free) - 1] == free[: len(free) - 1]
    )


@pytest.mark.reference
def test_the_trust_for_containers_of_2024(golden: Path) -> None:
    conf = loaded(golden, "good2_v3")
    assert conf.version == 3
    trust: Trust = conf
    ca, *_ = trust.all_cas()
    assert ca.instance == "DEV"
    assert ca.ocsp_certificates
    assert list(trust.find_cas("DEV", ca.certificate.subject)) == [ca]
    assert trust.tsa_certificates()
    assert trust.verify_next_update
    with pytest.raises(Fault, match="internal_error"):
        trust.find_cas("EE", ca.certificate.subject)
    # Good for proving the past; without private parameters not for messages.
    assert not conf.valid_at(datetime(2024, 6, 1, tzinfo=UTC))


@pytest.mark.reference
def test_the_running_server_of_env_dev_v6_is_known(golden: Path) -> None:
    folder = golden / "env-dev-v6/globalconf-initial/V6"
    shared = read_shared(next(folder.rglob("shared-params.xml")).read_bytes())
    conf = GlobalConf("DEV", {"DEV": Instance("DEV", shared, version=6)})
    assert conf.warnings == ()
    assert len(conf.all_cas()) == 2
    ca = certificate(golden, "env-dev-v6/ca/certs/ca.cert.pem")
    assert conf.find_cas("DEV", ca.subject)[0].certificate == ca
    assert certificate(golden, "env-dev-v6/ca/certs/tsa.cert.pem") in conf.tsa_certificates()
    assert certificate(golden, "env-dev-v6/ca/certs/ocsp.cert.pem") in conf.ocsp_certificates()
    assert conf.tsas()[0].url == "http://testca:8899"


# Our own country


@pytest.fixture(scope="session")
def own(country: SharedParameters, private_parameters: PrivateParameters) -> Instance:
    return Instance("XX", country, private_parameters, version=6)


def neighbour(country: SharedParameters, instance: str = "YY") -> SharedParameters:
    owner = ClientId(instance, "GOV", "1")
    server = register_server(owner, "S9", "there", (b"auth 1", b"auth 9"))
    return msgspec.structs.replace(country, instance=instance, members=(), servers=(server,))


def test_validity_ends_by_the_clock(own: Instance, now: datetime) -> None:
    dated = msgspec.structs.replace(own, expires=now)
    conf = GlobalConf("XX", {"XX": dated})
    conf.check_valid(now)
    with pytest.raises(Fault, match="global_conf_outdated: Global configuration is expired"):
        conf.check_valid(now + timedelta(seconds=1))
    assert conf.without_expired(now + timedelta(days=1)) is conf  # the own one stays readable


@pytest.mark.parametrize("missing", ["shared", "private"])
def test_both_files_are_needed(own: Instance, now: datetime, missing: str) -> None:
    conf = GlobalConf("XX", {"XX": msgspec.structs.replace(own, **{missing: None})})
    with pytest.raises(Fault, match="global_conf_outdated"):
        conf.check_valid(now)


def test_without_anything_nothing_is_known(now: datetime) -> None:
    conf = GlobalConf("XX", {})
    client, server = ClientId("XX", "a", "b"), ServerId(ClientId("XX", "a", "b"), "s")
    assert not conf.valid_at(now)
    for empty in (
        conf.all_cas(),
        conf.ocsp_certificates(),
        conf.tsa_certificates(),
        conf.known_auth_hashes(),
        conf.known_addresses(),
    ):
        assert not empty
    assert conf.servers_of(client) == ()
    assert conf.find_member(client) is None
    assert not conf.knows_member(client)
    assert conf.find_server(server) is None
    assert conf.server_maintenance(server) is None
    assert conf.address_maintenance("XX", "x") is None
    assert not conf.is_client_of(client, server)
    assert conf.verify_next_update
    assert conf.ocsp_fetch_interval == timedelta(seconds=1200)
    assert conf.monitoring_client is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda conf: conf.members("ZZ"),
        lambda conf: conf.servers("ZZ"),
        lambda conf: conf.groups("ZZ"),
        lambda conf: conf.member_classes("ZZ"),
        lambda conf: conf.tsas("ZZ"),
        lambda conf: conf.provider_addresses(ClientId("ZZ", "a", "b")),
        lambda conf: GlobalConf("ZZ", {}).ocsp_freshness,
        lambda conf: GlobalConf("ZZ", {}).timestamping_interval,
        lambda conf: GlobalConf("ZZ", {}).management,
    ],
)
def test_an_unknown_instance_is_an_error(own: Instance, ask: object) -> None:
    with pytest.raises(Fault, match="internal_error"):
        ask(GlobalConf("XX", {"XX": own}))  # type: ignore[operator]  # a lambda of the list above


def test_an_expired_neighbour_is_unknown(
    own: Instance, country: SharedParameters, now: datetime
) -> None:
    foreign = Instance("YY", neighbour(country), version=6, expires=now + timedelta(minutes=1))
    conf = GlobalConf("XX", {"XX": own, "YY": foreign})
    assert conf.without_expired(now) is conf
    later = conf.without_expired(now + timedelta(minutes=1))
    assert list(later.instances) == ["XX"]
    with pytest.raises(Fault, match="internal_error"):
        later.members("YY")
    assert conf.members("YY") == ()


def test_the_own_instance_wins(own: Instance, country: SharedParameters) -> None:
    foreign = Instance("YY", neighbour(country), version=6)
    for instances in ({"XX": own, "YY": foreign}, {"YY": foreign, "XX": own}):
        conf = GlobalConf("XX", instances)
        for text, owner in ((b"auth 1", "XX"), (b"auth 9", "YY")):
            server = conf._find_by_auth(text)
            assert server is not None
            assert server.id.owner.instance == owner
        assert conf.all_cas()[0].instance == "XX"


def test_the_hash_is_that_of_the_own_version(own: Instance, ca: bytes) -> None:
    subject = Certificate.load(ca)
    for version, size in ((2, 20), (3, 32), (6, 32)):
        conf = GlobalConf("XX", {"XX": msgspec.structs.replace(own, version=version)})
        assert len(conf.auth_hash(subject)) == size
        assert conf.auth_hash(subject) == auth_certificate_hash(ca, version)
    assert auth_certificate_hash(ca, 2).hex() == subject.sha1
    assert auth_certificate_hash(ca, 3) == subject.sha256


@pytest.mark.parametrize(("own_version", "foreign_version"), [(6, 2), (2, 6), (2, 2), (6, 6)])
def test_a_partner_registers_by_the_hash_of_its_own_version(
    own: Instance, country: SharedParameters, ca: bytes, own_version: int, foreign_version: int
) -> None:
    subject = Certificate.load(ca)
    member, here = ClientId("YY", "COM", "1"), ClientId("XX", "COM", "9")

    def conf(*, listed_as: int, also_own: bool = False) -> GlobalConf:
        hashes = (auth_certificate_hash(ca, listed_as),)
        partner = msgspec.structs.replace(
            neighbour(country), servers=(SecurityServer(member, "S", "a", hashes),)
        )
        shared = own.shared
        assert shared is not None
        if also_own:
            mine = SecurityServer(here, "S", "b", (auth_certificate_hash(ca, own_version),))
            shared = msgspec.structs.replace(shared, servers=(*shared.servers, mine))
        first = msgspec.structs.replace(own, shared=shared, version=own_version)
        second = Instance("YY", partner, version=foreign_version)
        return GlobalConf("XX", {"XX": first, "YY": second})

    right = conf(listed_as=foreign_version)
    assert right.knows_auth_certificate(ca)
    assert right.auth_certificate_matches(subject, member)
    assert right.server_by_auth_hash(subject) == ServerId(member, "S")
    wrong = conf(listed_as=6 if foreign_version == 2 else 2)
    assert not wrong.knows_auth_certificate(ca)
    assert not wrong.auth_certificate_matches(subject, member)
    assert wrong.server_by_auth_hash(subject) is None
    both = conf(listed_as=foreign_version, also_own=True)
    assert both.server_by_auth_hash(subject) == ServerId(here, "S")
    assert both.auth_certificate_matches(subject, member)


def test_settings_come_from_the_own_instance(own: Instance, country: SharedParameters) -> None:
    mine = msgspec.structs.replace(
        own,
        settings=Settings(10, verify_next_update=False, monitoring_client=ClientId("a", "b", "c")),
    )
    foreign = Instance("YY", neighbour(country), settings=Settings(9999))
    conf = GlobalConf("XX", {"YY": foreign, "XX": mine})
    assert conf.ocsp_fetch_interval == timedelta(seconds=60)  # the least that makes sense
    assert not conf.verify_next_update
    assert conf.monitoring_client == ClientId("a", "b", "c")
    assert conf.ocsp_freshness == timedelta(seconds=600)


def test_costs_count_from_version_6(own: Instance, ca: bytes) -> None:
    issued = Certificate.load(ca)  # self-issued, so issued by our CA
    for version, urls in ((5, ("http://ocsp", "http://o2")), (6, ("http://ocsp",))):
        conf = GlobalConf("XX", {"XX": msgspec.structs.replace(own, version=version)})
        (issuer, *_) = conf.find_cas("XX", issued.issuer)
        assert conf.ocsp_urls_for(issued, issuer, "only-free") == urls


def test_a_chain_of_names_ends(own: Instance, ca: bytes) -> None:
    conf = GlobalConf("XX", {"XX": own})
    assert conf.chain_of("XX", Certificate.load(ca)) == (Certificate.load(ca),)


def test_tables_of_unchanged_parameters_are_shared(own: Instance, now: datetime) -> None:
    old = GlobalConf("XX", {"XX": own})
    new = GlobalConf("XX", {"XX": msgspec.structs.replace(own, expires=now)}, previous=old)
    assert new._index["XX"] is old._index["XX"]
    assert new.valid_at(now)
