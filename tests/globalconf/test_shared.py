"""Shared parameters: five versions by one reader, references resolved, nonsense refused."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xgate.errors import Fault
from xgate.globalconf.shared import SharedParameters, read_shared
from xgate.globalconf.shared_writer import write_shared
from xgate.ids import ClientId, ServerId


@pytest.mark.reference
def test_every_file_of_the_reference_is_read(golden: Path) -> None:
    files = [
        path
        for folder in ("globalconf", "globalconf-signed", "env-dev-v6")
        for path in (golden / folder).rglob("shared-params.xml")
        if path.stat().st_size > 1000
    ]
    assert len(files) > 20
    for path in files:
        shared = read_shared(path.read_bytes())
        assert shared.servers
        assert shared.certification_services


@pytest.mark.reference
def test_what_version_6_says(golden: Path) -> None:
    shared = read_shared((golden / "globalconf/good_v6/EE/shared-params.xml").read_bytes())
    assert shared.instance == "EE"
    assert shared.sources[0].address == "cs0"
    assert [o.cost_type for o in shared.certification_services[0].top.ocsp] == [
        "FREE",
        "PAID",
        "PAID",
        None,
        "FREE",
    ]
    assert [server.id for server in shared.servers][2:] == [
        ServerId(ClientId("EE", "BUSINESS", "foo"), code)
        for code in ("fooServerCode", "FooBarServerCode")
    ]
    assert [server.maintenance for server in shared.servers] == [
        None,
        None,
        None,
        "Test maintenance mode",
    ]
    assert shared.servers[2].address is None
    assert ClientId("EE", "BUSINESS", "foo", "foosubsystem") in shared.servers[0].clients
    assert shared.members[2].subsystems[0].name == "FOO Subsystem"
    assert shared.ocsp_freshness_seconds == 42


@pytest.mark.reference
def test_a_subsystem_code_makes_a_subsystem_whatever_the_type_says(golden: Path) -> None:
    shared = read_shared((golden / "globalconf/good_v2/bar/shared-params.xml").read_bytes())
    assert shared.groups[0].members[0] == ClientId("EE", "BUSINESS", "member1", "subsys")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<instanceIdentifier>XX</instanceIdentifier>", b""),
        (b"ns3:conf", b"ns3:konf"),
        (b"<owner>id0", b"<owner>id9"),
        (b"<owner>id0", b"<owner>id1"),  # a subsystem owns nothing
        (b"<client>id1", b"<client>nobody"),
        (b'"id1"', b'"id0"'),
        (b"<memberCode>1<", b"<memberCode> <"),
        (b"<memberCode>1</memberCode>", b""),
        (b"<ocspFreshnessSeconds>600", b"<ocspFreshnessSeconds>0"),
        (b"<ocspFreshnessSeconds>600", b"<ocspFreshnessSeconds>99999999999999999999"),
        (b"<ocspFreshnessSeconds>600", b"<ocspFreshnessSeconds>1e3"),
        (b"<authenticationOnly>false", b"<authenticationOnly>maybe"),
        (b"<costType>FREE", b"<costType>CHEAP"),
        (b"<defaultCsrFormat>DER", b"<defaultCsrFormat>PKCS"),
        (b"<topCA>", b"<topCA><cert>AAAA</cert>"),
        (b"<authCertHash>", b"<authCertHash>AAAA"),
        (b"<address>ss1", b"<address><b/>ss1"),
        (b'objectType="MEMBER"', b'objectType="SERVICE"'),
        (b' ns2:objectType="MEMBER"', b""),
        (b"</ns3:conf>", b""),
    ],
)
def test_what_makes_no_sense_is_refused(country: SharedParameters, old: bytes, new: bytes) -> None:
    data = write_shared(country)
    assert old in data
    with pytest.raises(Fault) as caught:
        read_shared(data.replace(old, new))
    assert caught.value.code == "malformed_global_conf"


def test_unknown_elements_are_passed_over(country: SharedParameters) -> None:
    data = write_shared(country)
    more = data.replace(b"<topCA>", b"<new><deep/></new><topCA>").replace(
        b"</ns3:conf>", b"<centralService/><x:y xmlns:x='urn:x'/></ns3:conf>"
    )
    assert read_shared(more) == country


@settings(deadline=None, max_examples=100)
@given(st.randoms(use_true_random=False))
def test_a_member_reads_the_same_however_it_is_written(
    country: SharedParameters, random: Random
) -> None:
    root = etree.fromstring(write_shared(country))
    for element in list(root.iter("member", "memberClass", "subsystem")):
        for _ in range(random.randrange(3)):
            new = etree.Comment("later") if random.random() < 0.5 else etree.Element("later")
            element.insert(random.randrange(len(element) + 1), new)
        moved = random.choice(element)
        if moved.tag != "subsystem":  # their order is the members'
            element.insert(random.randrange(len(element)), moved)
    for text in random.sample(list(root.iter("code", "memberCode", "subsystemCode")), 3):
        text.append(etree.Comment("inside"))
    assert read_shared(etree.tostring(root)) == country


@settings(deadline=None, max_examples=100)
@given(st.randoms(use_true_random=False))
def test_a_member_that_lacks_or_repeats_something_is_refused(
    country: SharedParameters, random: Random
) -> None:
    root = etree.fromstring(write_shared(country))
    (element,) = random.sample(
        [
            child
            for child in root.iterfind("member//*")
            if child.tag not in ("subsystem", "subsystemName")
        ],
        1,
    )
    parent = element.getparent()
    assert parent is not None
    if random.random() < 0.3:
        parent.remove(element)
    elif random.random() < 0.5:
        parent.insert(random.randrange(len(parent) + 1), etree.fromstring(etree.tostring(element)))
    else:
        element.append(etree.Element("code" if element.tag == "memberClass" else "inside"))
    with pytest.raises(Fault) as refusal:
        read_shared(etree.tostring(root))
    assert refusal.value.code == "malformed_global_conf"
