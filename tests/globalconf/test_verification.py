"""The configuration that is handed out to verifiers: its layout, and that it is read again."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.globalconf.disk import read_disk
from xgate.globalconf.generate import write_shared
from xgate.globalconf.shared import SharedParameters, Source
from xgate.globalconf.source import PRIVATE_FILE, SHARED_FILE, LoadedConf, StoredPart, assemble
from xgate.globalconf.verification import write_verification_zip

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def shared(instance: str, version: int) -> StoredPart:
    parameters = SharedParameters(
        instance=instance,
        sources=(Source("cs", (b"certificate",)),),
        certification_services=(),
        timestamping_services=(),
        members=(),
        servers=(),
    )
    octets = write_shared(parameters)
    return StoredPart(instance, SHARED_FILE, octets, version=version, expires=LONG_AGO)


def loaded() -> LoadedConf:
    private = StoredPart("XG", PRIVATE_FILE, b"", version=6)
    conf = assemble("XG", [shared("XG", 6), shared("Ö/Y", 3)])
    return LoadedConf(conf.conf, (conf.parts[0], private, conf.parts[1]))


def test_shared_parameters_with_their_versions_and_the_own_instance_last(tmp_path: Path) -> None:
    path = tmp_path / "v.zip"
    path.write_bytes(write_verification_zip(loaded(), NOW))
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert list(files) == [
        "verificationconf/XG/shared-params.xml",
        "verificationconf/XG/shared-params.xml.metadata",
        "verificationconf/%C3%96%2FY/shared-params.xml",
        "verificationconf/%C3%96%2FY/shared-params.xml.metadata",
        "verificationconf/instance-identifier",
    ]
    metadata = [octets for name, octets in files.items() if name.endswith(".metadata")]
    assert metadata == [b'{"configurationVersion":"6"}', b'{"configurationVersion":"3"}']
    assert files["verificationconf/instance-identifier"] == b"XG"
    assert files["verificationconf/XG/shared-params.xml"] == loaded().parts[0].octets


def test_unpacked_it_is_a_configuration_that_does_not_expire(tmp_path: Path) -> None:
    path = tmp_path / "v.zip"
    path.write_bytes(write_verification_zip(loaded(), NOW))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    conf = read_disk(tmp_path / "verificationconf", NOW).conf
    assert conf.own == "XG"
    assert {name: one.version for name, one in conf.instances.items()} == {"XG": 6, "Ö/Y": 3}


@pytest.mark.parametrize("instance", [".", ".."])
def test_an_instance_that_leads_elsewhere_is_refused(instance: str) -> None:
    conf = assemble(instance, [shared(instance, 6)])
    with pytest.raises(Fault, match="cannot name a directory"):
        write_verification_zip(conf, NOW)


@pytest.mark.reference
def test_the_layout_of_the_reference(golden: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(golden / "globalconf" / "verificationconf-2024-06.zip") as archive:
        theirs = {name: archive.read(name) for name in archive.namelist()}
        archive.extractall(tmp_path)
    read = read_disk(tmp_path / "verificationconf", NOW)
    again = tmp_path / "again.zip"
    again.write_bytes(write_verification_zip(read, NOW))
    with zipfile.ZipFile(again) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == theirs
