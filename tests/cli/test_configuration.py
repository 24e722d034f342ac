"""What ``--globalconf`` may be: a folder, a verificationconf folder, or that as a zip file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from xgate.cli.configuration import open_configuration, open_servers_configuration
from xgate.cli.output import Unusable


def test_a_configuration_that_has_expired_is_good_for_old_containers(configuration: Path) -> None:
    conf = open_configuration(configuration)
    assert conf.own == "XG"
    assert len(conf.all_cas()) == 1


def test_a_verificationconf_folder_and_what_it_lies_in(configuration: Path, tmp_path: Path) -> None:
    inner = tmp_path / "verificationconf"
    shutil.copytree(configuration, inner)
    assert open_configuration(inner).own == open_configuration(tmp_path).own == "XG"


def test_a_zip_file_of_one(configuration: Path, tmp_path: Path) -> None:
    shutil.copytree(configuration, tmp_path / "all" / "verificationconf")
    flat = shutil.make_archive(str(tmp_path / "flat"), "zip", configuration)
    nested = shutil.make_archive(str(tmp_path / "nested"), "zip", tmp_path / "all")
    assert open_configuration(Path(flat)).own == open_configuration(Path(nested)).own == "XG"


def test_a_damaged_zip_file(configuration: Path, tmp_path: Path) -> None:
    file = Path(shutil.make_archive(str(tmp_path / "conf"), "zip", configuration))
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(Unusable, match="is not a configuration"):
        open_configuration(file)


def test_what_is_none_is_refused_with_its_cause(configuration: Path, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("text")
    with pytest.raises(Unusable, match="neither a folder nor a zip file"):
        open_configuration(text)
    with pytest.raises(Unusable, match="instance-identifier is missing"):
        open_configuration(tmp_path)
    (tmp_path / "instance-identifier").write_text("XG")
    (tmp_path / "YY").mkdir()
    with pytest.raises(Unusable, match="no shared parameters of its instance XG"):
        open_configuration(tmp_path)


def test_shared_parameters_that_cannot_be_read_are_named(
    configuration: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(configuration, copy)
    (copy / "XG" / "shared-params.xml").write_text("no XML")
    with pytest.raises(Unusable, match="not well-formed"):
        open_configuration(copy)


@pytest.mark.parametrize("use", ["disk", "http"])
def test_the_configuration_of_a_server_by_its_settings(
    tmp_path: Path, configuration: Path, use: str
) -> None:
    config = tmp_path / "xgate.toml"
    config.write_text(
        f'server = "XG/COM/1/SS"\n[globalconf]\nuse = "{use}"\ndirectory = "{configuration}"\n'
    )
    assert open_servers_configuration(config).own == "XG"


@pytest.mark.reference
def test_a_server_s_published_configuration(tmp_path: Path, golden: Path) -> None:
    tree = golden / "globalconf-signed" / "v3-2024-04"
    config = tmp_path / "xgate.toml"
    text = f'server = "XG/COM/1/SS"\n[globalconf]\nuse = "published"\ndirectory = "{tree}"\n'
    config.write_text(f'{text}anchor = "{tree / "configuration-anchor.xml"}"\n')
    assert open_servers_configuration(config).own == "CS"
    config.write_text(text)
    with pytest.raises(Unusable, match="the anchor"):
        open_servers_configuration(config)


def test_a_server_that_has_no_configuration_yet(tmp_path: Path) -> None:
    config = tmp_path / "xgate.toml"
    config.write_text('server = "XG/COM/1/SS"\n')
    with pytest.raises(Unusable, match="is not a configuration"):
        open_servers_configuration(config)
    with pytest.raises(Unusable, match="Cannot read"):
        open_servers_configuration(tmp_path / "gone.toml")
