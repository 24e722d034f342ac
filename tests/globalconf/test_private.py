"""Private parameters: management, timestamping and the anchors of partners."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor, AnchorSource
from xgate.globalconf.generate import write_private
from xgate.globalconf.private import PrivateParameters, read_private
from xgate.ids import ClientId


@pytest.mark.reference
def test_the_reference_files_are_read(golden: Path) -> None:
    old = read_private((golden / "globalconf/good_v4/EE/private-params.xml").read_bytes())
    assert old.management.registration_url == "http://mgmt.com:1234"
    assert old.management.provider == ClientId("EE", "BUSINESS", "servicemember2")
    assert old.management.registration_certificate is None
    assert old.timestamping_interval_seconds == 123
    assert old.anchors == (Anchor("bar", (AnchorSource("http://www.bar.com/conf", (b"bar\n",)),)),)
    folder = golden / "env-dev-v6/globalconf-initial/V6"
    new = read_private(next(folder.rglob("private-params.xml")).read_bytes())
    assert new.management.provider == ClientId("DEV", "COM", "1234", "MANAGEMENT")
    assert new.management.registration_certificate is not None


@pytest.mark.reference
def test_ours_is_octet_for_octet_theirs(golden: Path) -> None:
    files = [
        path
        for folder in ("globalconf-signed", "env-dev-v6")
        for path in (golden / folder).rglob("V*/*/private-params.xml")
    ]
    assert len(files) == 6
    for path in files:
        data = path.read_bytes()
        assert write_private(read_private(data)) == data


@pytest.mark.reference
@pytest.mark.parametrize("version", [2, 3])
def test_it_is_valid_by_the_schemas(
    golden: Path, private_parameters: PrivateParameters, version: int
) -> None:
    path = golden / f"schemas/globalconf/v{version}/private-parameters.xsd"
    schema = etree.XMLSchema(etree.parse(str(path)))
    anchor = Anchor("YY", (AnchorSource("http://yy/externalconf", (b"x",)),))
    federated = msgspec.structs.replace(private_parameters, anchors=(anchor,))
    schema.assertValid(etree.fromstring(write_private(federated)))
    assert read_private(write_private(federated)) == federated


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<timeStampingIntervalSeconds>60", b"<timeStampingIntervalSeconds>-1"),
        (b"<authCertRegServiceAddress>", b"<x>"),
        (b"<instanceIdentifier>", b"<instanceIdentifier/><instanceIdentifier>"),
        (b"<ns2:memberCode>1</ns2:memberCode>", b""),
        (b"<ns2:memberCode>1", b"<ns2:memberCode> "),
        (b'"MEMBER"', b'"SERVER"'),
    ],
)
def test_what_makes_no_sense_is_refused(
    private_parameters: PrivateParameters, old: bytes, new: bytes
) -> None:
    data = write_private(private_parameters)
    assert old in data
    with pytest.raises(Fault) as caught:
        read_private(data.replace(old, new))
    assert caught.value.code == "malformed_global_conf"


def test_there_is_an_end_to_partners(private_parameters: PrivateParameters) -> None:
    anchor = Anchor("YY", (AnchorSource("http://yy/externalconf", (b"x",)),))
    data = write_private(msgspec.structs.replace(private_parameters, anchors=(anchor,) * 201))
    with pytest.raises(Fault, match="too many"):
        read_private(data)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_gives_only_faults(data: bytes) -> None:
    with pytest.raises(Fault, match="malformed_global_conf"):
        read_private(data)
