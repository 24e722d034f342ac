"""A web root on disk answers as the reference's web server does, and nothing outside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.globalconf.anchor import read_anchor
from xgate.globalconf.file_source import TreeSource, find_published, published_tree
from xgate.ids import ClientId


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (
        "V2/internalconf",
        "V6/internalconf",
        "V6/externalconf",
        "V6/1/shared-params.xml",
        "PROXY/conf-v2",
        "PROXY/conf-v6",
    ):
        path = tmp_path / "public" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "public/link").symlink_to(tmp_path / "secret")
    return tmp_path / "public"


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        ("/internalconf", "version=6", "V6/internalconf"),
        ("/externalconf", "a=b&version=6", "V6/externalconf"),
        ("/internalconf", "", "V2/internalconf"),
        ("/V6/internalconf", "", "V6/internalconf"),
        ("/V6/1/shared-params.xml", "", "V6/1/shared-params.xml"),
        ("/PROXY/conf", "version=6", "PROXY/conf-v6"),
        ("/PROXY/conf", "", "PROXY/conf-v2"),
    ],
)
def test_requests_and_their_files(root: Path, path: str, query: str, name: str) -> None:
    assert find_published(root, path, query) == root / name


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/internalconf", "version=5"),
        ("/internalconf", "version=06"),
        ("/internalconf", "version=../6"),
        ("/externalconf", ""),
        ("/PROXY/conf", "version=4"),
        ("/conf", "version=6"),
        ("/", ""),
        ("", ""),
        ("/V6", ""),
        ("/../secret", ""),
        ("/%2e%2e/secret", ""),
        ("/V6/..%2f..%2fsecret", ""),
        ("//V6/internalconf", ""),
        ("/V6/%00", ""),
        ("/V6/%zz", ""),
        ("/link", ""),
    ],
)
def test_everything_else_is_not_found(root: Path, path: str, query: str) -> None:
    assert find_published(root, path, query) is None
    assert published_tree(root)(f"http://any{path}?{query}") == (404, b"")


def test_a_host_of_any_name(root: Path) -> None:
    fetch = published_tree(root)
    for url in ("http://cs/internalconf?version=6", "https://other:8443/internalconf?version=6"):
        assert fetch(url) == (200, b"V6/internalconf")


@pytest.mark.reference
def test_the_configuration_of_env_dev_v6(golden: Path) -> None:
    root = golden / "env-dev-v6"
    anchor = read_anchor((root / "configuration-anchor.xml").read_bytes())
    source = TreeSource(anchor, root / "globalconf-initial")
    now = datetime(2035, 11, 11, 3, 7, 40, tzinfo=UTC)
    loaded = source.fetch(now)
    conf = loaded.conf
    assert (conf.own, conf.version) == ("DEV", 6)
    assert conf.provider_addresses(ClientId("DEV", "COM", "4321", "TestClient")) == ("ss0", "ss1")
    assert conf.management.registration_url == "https://cs:4001/managementservice/"
    assert source.fetch(now) is loaded
    with pytest.raises(Fault, match="global_conf_outdated"):
        source.fetch(now.replace(second=41))
