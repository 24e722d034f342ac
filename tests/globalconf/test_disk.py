"""The reference's layout on disk: its directories are read, ours have its names and octets."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.anchor import read_anchor
from xgate.globalconf.disk import (
    DiskSource,
    directory_name,
    read_disk,
    write_disk,
    write_metadata,
)
from xgate.globalconf.file_source import TreeSource
from xgate.globalconf.generate import write_private, write_shared
from xgate.globalconf.private import PrivateParameters
from xgate.globalconf.shared import SharedParameters
from xgate.globalconf.source import ConfSource, LoadedConf, StoredPart, assemble
from xgate.ids import ClientId


@pytest.fixture
def loaded(
    country: SharedParameters, private_parameters: PrivateParameters, expires: datetime
) -> LoadedConf:
    parts = (
        StoredPart(
            "XX",
            "shared-params.xml",
            write_shared(country),
            "SHARED-PARAMETERS",
            "/V6/1/shared-params.xml",
            version=6,
            expires=expires,
        ),
        StoredPart(
            "XX",
            "private-params.xml",
            write_private(private_parameters),
            "PRIVATE-PARAMETERS",
            "/V6/1/private-params.xml",
            version=6,
            expires=expires,
        ),
    )
    return assemble("XX", parts)


def files_of(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


# What the reference left


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("good_v2", {"EE": 2, "bar": 2, "foo": 2}),
        ("good_v4", {"EE": 4, "bar": 3, "baz_v3": 3, "foo_v2": 2}),
        ("good_v6", {"EE": 6, "bar": 3, "baz_v3": 3, "foo_v2": 2, "quux_v5": 5, "qux_v4": 4}),
    ],
)
def test_instances_of_mixed_versions(
    golden: Path, now: datetime, name: str, versions: dict[str, int]
) -> None:
    conf = read_disk(golden / "globalconf" / name, now).conf
    assert conf.own == "EE"
    assert {key: instance.version for key, instance in conf.instances.items()} == versions
    assert conf.warnings == ()
    assert conf.valid_at(now)
    assert not conf.valid_at(datetime(2124, 5, 21, tzinfo=UTC))
    have_private = {key for key, instance in conf.instances.items() if instance.private}
    assert have_private == set(versions) - {"bar"}


@pytest.mark.reference
def test_metadata_with_a_version_only_never_expires(golden: Path, now: datetime) -> None:
    conf = read_disk(golden / "globalconf/good2_v3", now).conf
    assert conf.instances["DEV"].expires is None
    assert conf.version == 3


@pytest.mark.reference
def test_files_that_make_no_sense_are_passed_over(golden: Path, now: datetime) -> None:
    conf = read_disk(golden / "globalconf/malformed", now).conf
    assert conf.instances == {}
    assert len(conf.warnings) == 2


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "text"),
    [("missing_identifier", "instance-identifier is missing"), ("empty", "holds no instance")],
)
def test_what_cannot_be_a_configuration(golden: Path, now: datetime, name: str, text: str) -> None:
    with pytest.raises(Fault, match=text) as caught:
        read_disk(golden / "globalconf" / name, now)
    assert caught.value.code == "malformed_global_conf"


@pytest.mark.reference
def test_an_answer_for_verifiers_unpacks_to_the_same_country(
    golden: Path, tmp_path: Path, now: datetime
) -> None:
    with zipfile.ZipFile(golden / "globalconf/verificationconf-2024-06.zip") as archive:
        archive.extractall(tmp_path)
    ours = read_disk(tmp_path / "verificationconf", now).conf
    same = read_disk(golden / "globalconf/good2_v3", now).conf
    assert ours.own == "DEV"
    assert list(ours.all_cas()) == list(same.all_cas())


@pytest.mark.reference
def test_a_monitoring_part_as_stored(golden: Path, tmp_path: Path, now: datetime) -> None:
    (tmp_path / "EE").mkdir()
    (tmp_path / "instance-identifier").write_text("EE\n")
    for name in ("shared-params.xml", "private-params.xml"):
        (tmp_path / "EE" / name).write_bytes((golden / "globalconf/good_v6/EE" / name).read_bytes())
    (tmp_path / "EE/monitoring-params.xml").write_bytes(
        (golden / "globalconf/parts/monitoring-params-EE.xml").read_bytes()
    )
    conf = read_disk(tmp_path, now).conf
    assert conf.monitoring_client == ClientId("EE", "BUSINESS", "producer")


# What we leave


@pytest.mark.reference
def test_our_disk_has_their_files_and_metadata(golden: Path, tmp_path: Path, now: datetime) -> None:
    root = golden / "env-dev-v6"
    anchor = read_anchor((root / "configuration-anchor.xml").read_bytes())
    loaded = TreeSource(anchor, root / "globalconf-initial").fetch(now)
    write_disk(tmp_path, loaded)
    assert files_of(tmp_path) == [
        "DEV/private-params.xml",
        "DEV/private-params.xml.metadata",
        "DEV/shared-params.xml",
        "DEV/shared-params.xml.metadata",
        "instance-identifier",
    ]
    assert (tmp_path / "instance-identifier").read_bytes() == b"DEV"
    assert (tmp_path / "DEV/shared-params.xml.metadata").read_bytes() == (
        b'{"contentIdentifier":"SHARED-PARAMETERS","instanceIdentifier":"DEV",'
        b'"expirationDate":"2035-11-11T03:07:40Z",'
        b'"contentLocation":"/V6/20251110170000548026000/shared-params.xml",'
        b'"configurationVersion":"6"}'
    )
    again = read_disk(tmp_path, now)
    assert set(again.parts) == set(loaded.parts)
    assert again.conf.valid_at(now)


@pytest.mark.reference
def test_their_disk_through_ours_is_the_same_country(
    golden: Path, tmp_path: Path, now: datetime
) -> None:
    theirs = read_disk(golden / "globalconf/good_v6", now)
    write_disk(tmp_path, theirs)
    ours = read_disk(tmp_path, now)
    assert ours.parts == theirs.parts
    assert ours.conf.instances == theirs.conf.instances


def test_what_is_written_is_read(tmp_path: Path, loaded: LoadedConf, now: datetime) -> None:
    write_disk(tmp_path / "new/place", loaded)
    assert set(read_disk(tmp_path / "new/place", now).parts) == set(loaded.parts)


def test_a_name_of_the_sources_choice_is_kept_in_the_metadata(loaded: LoadedConf) -> None:
    named = msgspec.structs.replace(
        loaded.parts[0], content_file_name="õ.xml", identifier=None, expires=None
    )
    assert write_metadata(named).decode() == (
        '{"instanceIdentifier":"XX","contentFileName":"õ.xml",'
        '"contentLocation":"/V6/1/shared-params.xml","configurationVersion":"6"}'
    )


def test_unchanged_content_is_left_alone(
    tmp_path: Path, loaded: LoadedConf, expires: datetime, now: datetime
) -> None:
    write_disk(tmp_path, loaded)
    inode = (tmp_path / "XX/shared-params.xml").stat().st_ino
    later = [
        msgspec.structs.replace(part, expires=expires + timedelta(hours=1)) for part in loaded.parts
    ]
    write_disk(tmp_path, assemble("XX", later))
    assert (tmp_path / "XX/shared-params.xml").stat().st_ino == inode
    assert read_disk(tmp_path, now).conf.instances["XX"].expires == expires + timedelta(hours=1)


def test_what_is_not_listed_any_more_goes(
    tmp_path: Path, loaded: LoadedConf, country: SharedParameters, now: datetime
) -> None:
    foreign = StoredPart(
        "Y Y",
        "shared-params.xml",
        write_shared(msgspec.structs.replace(country, instance="Y Y", servers=())),
    )
    extra = StoredPart("XX", "extra.xml", b"extra")
    write_disk(tmp_path, assemble("XX", (*loaded.parts, extra, foreign)))
    assert "Y+Y/shared-params.xml" in files_of(tmp_path)
    assert set(read_disk(tmp_path, now).conf.instances) == {"XX", "Y Y"}
    (tmp_path / "not-ours").mkdir()
    (tmp_path / "not-ours/precious").write_text("kept")
    write_disk(tmp_path, loaded)
    assert files_of(tmp_path) == [
        "XX/private-params.xml",
        "XX/private-params.xml.metadata",
        "XX/shared-params.xml",
        "XX/shared-params.xml.metadata",
        "instance-identifier",
        "not-ours/precious",
    ]
    assert not (tmp_path / "Y+Y").exists()


def test_an_expired_neighbour_is_not_read(
    tmp_path: Path, loaded: LoadedConf, country: SharedParameters, now: datetime
) -> None:
    foreign = StoredPart(
        "YY",
        "shared-params.xml",
        write_shared(msgspec.structs.replace(country, instance="YY", servers=())),
        expires=now,
    )
    write_disk(tmp_path, assemble("XX", (*loaded.parts, foreign)))
    early = now - timedelta(seconds=1)
    assert set(read_disk(tmp_path, early).conf.instances) == {"XX", "YY"}
    assert set(read_disk(tmp_path, now).conf.instances) == {"XX"}
    # The own one stays readable, and says that it is expired.
    late = now + timedelta(days=1)
    assert not read_disk(tmp_path, late).conf.valid_at(late)


def test_a_file_torn_by_another_keeps_the_old_one(
    tmp_path: Path, loaded: LoadedConf, country: SharedParameters, now: datetime
) -> None:
    write_disk(tmp_path, loaded)
    source: ConfSource = DiskSource(tmp_path)
    first = source.fetch(now)
    assert source.fetch(now) is first
    (tmp_path / "XX/shared-params.xml").write_bytes(b"<torn")
    second = source.fetch(now)
    assert second.conf.instances["XX"].shared == country
    assert second.conf.valid_at(now)
    assert "shared-params.xml of XX is passed over" in second.conf.warnings[0]


@pytest.mark.parametrize(
    "metadata",
    [b"", b"{", b"[]", b'"x"', b"\xff", b'{"configurationVersion":6}', b"[" * 100_000],
)
def test_unreadable_metadata_means_version_2_for_ever(
    tmp_path: Path, loaded: LoadedConf, now: datetime, metadata: bytes
) -> None:
    write_disk(tmp_path, loaded)
    for path in (tmp_path / "XX").glob("*.metadata"):
        path.write_bytes(metadata)
    instance = read_disk(tmp_path, now).conf.instances["XX"]
    assert (instance.version, instance.expires) == (2, None)


def test_a_directory_must_hold_its_own_instance(
    tmp_path: Path, loaded: LoadedConf, now: datetime
) -> None:
    write_disk(tmp_path, loaded)
    (tmp_path / "XX").rename(tmp_path / "YY")
    conf = read_disk(tmp_path, now).conf
    assert conf.instances == {}
    assert "speaks for instance XX" in conf.warnings[0]


@pytest.mark.parametrize(
    ("instance", "name"),
    [("EE", "EE"), ("a b/c", "a+b%2Fc"), ("Õ~*-._", "%C3%95%7E*-._"), ("a.b", "a.b")],
)
def test_directory_names_are_escaped_as_java_does(instance: str, name: str) -> None:
    assert directory_name(instance) == name


@pytest.mark.parametrize("instance", [".", "..", ""])
def test_some_names_lead_elsewhere(instance: str) -> None:
    with pytest.raises(Fault, match="malformed_global_conf"):
        directory_name(instance)


@given(st.text(min_size=1))
def test_no_instance_leads_out_of_its_directory(instance: str) -> None:
    try:
        name = directory_name(instance)
    except (Fault, UnicodeEncodeError):
        return
    assert "/" not in name
    assert name not in (".", "..")
    assert name.isascii()
