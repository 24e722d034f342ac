"""A published configuration under examination: what is proven, what is told, what is refused."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from xgate.cli.output import Unusable
from xgate.cli.published import Examination, examine
from xgate.globalconf.anchor import Anchor, AnchorSource, read_anchor
from xgate.globalconf.shared import read_shared
from xgate.sandbox.country import Country, found_country
from xgate.testing.authority import NOW
from xgate.trust.certificate import Certificate


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Country:
    return found_country(tmp_path_factory.mktemp("country"), NOW, kind="P-256")


@pytest.fixture
def root(founded: Country, tmp_path: Path) -> Path:
    """A copy of what the country publishes, to be tampered with."""
    return Path(shutil.copytree(founded.web_root, tmp_path / "web"))


@pytest.fixture(scope="session")
def anchor(founded: Country) -> Anchor:
    return read_anchor((founded.folder / "configuration-anchor.xml").read_bytes())


def shared_file(root: Path) -> Path:
    return next(root.glob("V6/*/shared-params.xml"))


def codes(found: Examination) -> list[str]:
    return [place.fault.code for place in found.refused]


def states(found: Examination) -> dict[str, str]:
    return {part.file: part.state for part in found.parts}


def test_a_web_root(anchor: Anchor, root: Path) -> None:
    found = examine(anchor, root, NOW)
    assert found.conf is not None
    assert (found.conf.own, found.version, found.expires) == ("XG", 6, NOW + timedelta(days=30))
    assert found.address == f"{anchor.sources[0].url}?version=6"
    assert states(found) == {"shared-params.xml": "verified", "private-params.xml": "verified"}
    assert found.refused == ()


def test_one_directory_file_finds_its_parts(anchor: Anchor, root: Path) -> None:
    file = root / "V6" / "internalconf"
    found = examine(anchor, file, NOW)
    assert found.conf is not None
    assert found.address == str(file)


def test_one_directory_file_with_its_parts_right_beside_it(
    anchor: Anchor, root: Path, tmp_path: Path
) -> None:
    beside = tmp_path / "beside"
    shutil.copytree(shared_file(root).parent, beside)
    shutil.copy(root / "V6" / "internalconf", beside / "directory")
    assert examine(anchor, beside / "directory", NOW).conf is not None
    (beside / "shared-params.xml").unlink()
    assert codes(examine(anchor, beside / "directory", NOW)) == [
        "global_conf_part_download_failure"
    ]


def test_a_part_that_was_changed_or_is_gone_is_told(anchor: Anchor, root: Path) -> None:
    file = shared_file(root)
    file.write_bytes(file.read_bytes() + b" ")
    found = examine(anchor, root, NOW)
    assert found.conf is None
    assert codes(found) == ["global_conf_part_downloaded_file_integrity_failure"]
    assert states(found) == {"shared-params.xml": "changed", "private-params.xml": "verified"}
    file.unlink()
    found = examine(anchor, root, NOW)
    assert codes(found) == ["global_conf_part_download_failure"]
    assert states(found)["shared-params.xml"] == "missing"


def test_another_country_s_anchor_proves_nothing(anchor: Anchor, root: Path) -> None:
    theirs = Anchor("YY", anchor.sources)
    found = examine(theirs, root, NOW)
    assert codes(found) == ["global_conf_part_invalid_instance_identifier"]
    assert set(states(found).values()) == {"foreign"}
    stranger = Anchor("XG", (AnchorSource(anchor.sources[0].url, (b"another certificate",)),))
    found = examine(stranger, root, NOW)
    assert codes(found) == ["global_conf_missing_verification_cert"]
    assert found.parts == (), "nothing is told of what nobody signed"


def test_every_place_of_an_anchor_is_tried_and_told_once(anchor: Anchor, root: Path) -> None:
    url = anchor.sources[0].url
    wrong = AnchorSource(url, (b"another certificate",))
    elsewhere = AnchorSource(
        url.replace("internalconf", "OTHER/conf"), anchor.sources[0].certificates
    )
    found = examine(Anchor("XG", (elsewhere, wrong, *anchor.sources)), root, NOW)
    assert found.conf is not None
    assert codes(found) == [
        "global_conf_get_version_failed",
        "global_conf_missing_verification_cert",
    ]
    assert all(place.address.startswith("http://") for place in found.refused)


def test_time_is_what_one_says_it_is(anchor: Anchor, root: Path) -> None:
    end = NOW + timedelta(days=30)
    assert examine(anchor, root, end).conf is not None
    assert codes(examine(anchor, root, end + timedelta(seconds=1))) == ["global_conf_outdated"]


def test_where_nothing_is_published(anchor: Anchor, tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="publishes nothing at the anchor's addresses"):
        examine(anchor, tmp_path, NOW)
    with pytest.raises(Unusable, match="There is no"):
        examine(anchor, tmp_path / "gone", NOW)
    (tmp_path / "text").write_text("text")
    assert len(examine(anchor, tmp_path / "text", NOW).refused) == 1


@pytest.mark.reference
def test_the_reference_s_external_directory_lists_another_file(golden: Path) -> None:
    """Its signature is good by the key that its own source names; the file was edited later."""
    tree = golden / "env-dev-v6" / "globalconf-initial"
    shared = read_shared(shared_file(tree).read_bytes())
    certificates = shared.sources[0].external_certificates
    anchor = Anchor("DEV", (AnchorSource("http://cs/externalconf", certificates),))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for path in (tree, tree / "V6" / "externalconf"):
        found = examine(anchor, path, at)
        assert codes(found) == ["global_conf_part_downloaded_file_integrity_failure"]
        assert states(found) == {"shared-params.xml": "changed"}


@pytest.fixture(scope="session")
def anchor_of_ee(golden: Path) -> Anchor:
    certificate = Certificate.load((golden / "keys" / "consumer.pem").read_bytes()).der
    return Anchor("EE", (AnchorSource("http://any/internalconf", (certificate,)),))


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("test-conf-simple.txt", "global_conf_outdated"),
        ("test-conf-missing-signature.txt", "global_conf_signature_verification_failure"),
        ("test-conf-malformed.txt", "global_conf_missing_signed_data_expiration_date"),
    ],
)
def test_the_reference_s_parser_cases(
    golden: Path, anchor_of_ee: Anchor, name: str, code: str
) -> None:
    file = golden / "globalconf-signed" / "parser-cases" / name
    assert codes(examine(anchor_of_ee, file, datetime(2026, 6, 1, tzinfo=UTC))) == [code]


@pytest.mark.reference
def test_the_reference_s_simple_case_with_its_parts(
    golden: Path, anchor_of_ee: Anchor, tmp_path: Path
) -> None:
    cases = golden / "globalconf-signed" / "parser-cases"
    for file in (cases / "test-conf-simple.txt", *(cases / "test-conf-simple" / "EE").iterdir()):
        shutil.copy(file, tmp_path)
    file = tmp_path / "test-conf-simple.txt"
    found = examine(anchor_of_ee, file, datetime(2026, 5, 1, tzinfo=UTC))
    assert {(part.identifier, part.state) for part in found.parts} == {
        ("PRIVATE-PARAMETERS", "verified"),
        ("SHARED-PARAMETERS", "verified"),
        ("FOO", "verified"),
    }
    assert codes(found) == []
