"""From an anchor to a configuration: where to ask, in which order, and whom to believe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor, AnchorSource, read_anchor
from xgate.globalconf.directory import PRIVATE_PARAMETERS, SHARED_PARAMETERS
from xgate.globalconf.download import Location, download, find_locations
from xgate.globalconf.elements import DOCUMENT_LIMIT
from xgate.globalconf.file_source import published_tree
from xgate.globalconf.generate import (
    Boundaries,
    DirectorySigner,
    describe_part,
    write_directory,
    write_private,
    write_shared,
)
from xgate.globalconf.private import PrivateParameters
from xgate.globalconf.publish import PublishedPart, publish
from xgate.globalconf.shared import SharedParameters, Source, read_shared

Web = dict[str, bytes | int]


class FakeWeb:
    """URLs and what they answer: octets, a status, or (not listed) 404; remembers the journey."""

    def __init__(self, answers: Web) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, url: str) -> tuple[int, bytes]:
        self.asked.append(url)
        answer = self.answers.get(url, 404)
        if answer == 0:
            raise ConnectionRefusedError("nobody there")
        return (answer, b"") if isinstance(answer, int) else (200, answer)


@pytest.fixture
def tree(
    country: SharedParameters,
    private_parameters: PrivateParameters,
    signer: DirectorySigner,
    expires: datetime,
) -> Callable[..., Web]:
    def make(host: str = "http://cs", version: int = 6, instance: str = "XX", age: int = 0) -> Web:
        parts = (
            PublishedPart(SHARED_PARAMETERS, "shared-params.xml", write_shared(country, version)),
            PublishedPart(
                PRIVATE_PARAMETERS, "private-params.xml", write_private(private_parameters)
            ),
        )
        files = publish(
            instance,
            parts,
            signer,
            Boundaries("o", "i"),
            generation="1",
            expires=expires - timedelta(seconds=age),
            version=version,
        )
        web: Web = {f"{host}/{name}": octets for name, octets in files.items()}
        web[f"{host}/internalconf?version={version}"] = web.pop(f"{host}/V{version}/internalconf")
        return web

    return make


@pytest.fixture
def anchor(signer: DirectorySigner) -> Anchor:
    return Anchor("XX", (AnchorSource("http://cs/internalconf", (signer.certificate,)),))


def plain(anchor: Anchor) -> tuple[Location, ...]:
    return tuple(Location(source.url, source.certificates) for source in anchor.sources)


# Where to ask


@pytest.mark.reference
@pytest.mark.parametrize(
    ("url", "learnt", "certificates"),
    [
        ("http://domainAddress/internalconf", "internalconf", 1),
        ("http://domainAddress/externalconf", "externalconf", 1),
        ("http://domainAddress/PROXY/conf", "PROXY/conf", 2),
    ],
)
def test_shared_parameters_teach_locations(
    golden: Path, url: str, learnt: str, certificates: int
) -> None:
    path = golden / "globalconf/federation/V3/EE/shared-params.xml"
    shared = read_shared(path.read_bytes())
    anchor = Anchor("EE", (AnchorSource(url, (b"given",)),))
    locations = find_locations(anchor, shared)
    assert [location.url for location in locations] == [
        f"https://node1/{learnt}",
        f"http://node1/{learnt}",
        url.replace("http:", "https:"),
        url,
    ]
    assert [len(location.certificates) for location in locations[:2]] == [certificates] * 2
    assert locations[3].certificates == (b"given",)


@pytest.mark.reference
def test_version_2_teaches_none(golden: Path) -> None:
    shared = read_shared((golden / "globalconf/federation/V2/EE/shared-params.xml").read_bytes())
    anchor = Anchor("EE", (AnchorSource("http://domainAddress/internalconf", (b"c",)),))
    assert find_locations(anchor, shared) == find_locations(anchor, None)


@pytest.mark.reference
def test_an_url_of_another_form_teaches_none(golden: Path) -> None:
    shared = read_shared((golden / "globalconf/federation/V3/EE/shared-params.xml").read_bytes())
    anchor = Anchor("EE", (AnchorSource("http://notMatchFormat", (b"c",)),))
    assert find_locations(anchor, shared) == find_locations(anchor, None)


def test_secure_first_and_an_anchor_with_only_https_is_used() -> None:
    sources = tuple(
        AnchorSource(url, (b"c",))
        for url in ("http://a/c", "https://a/c", "http://b/c", "ftp://x/c", "http:///c", "nonsense")
    )
    urls = [location.url for location in find_locations(Anchor("XX", sources), None)]
    assert urls == ["https://a/c", "https://b/c", "http://a/c", "http://b/c"]
    only = Anchor("XX", (AnchorSource("https://a/NAME/conf", (b"c",)),))
    shared = SharedParameters("XX", (Source("b", (b"i",), (b"e",)), Source("bad host", (b"i",))))
    assert find_locations(only, shared) == (
        Location("https://b/NAME/conf", (b"i", b"e")),
        Location("http://b/NAME/conf", (b"i", b"e")),
        Location("https://a/NAME/conf", (b"c",)),
    )


def test_the_load_is_spread_within_each_group() -> None:
    sources = tuple(AnchorSource(f"http://{host}/c", (b"c",)) for host in "ab")
    found = find_locations(Anchor("XX", sources), None, lambda group: group[::-1])
    assert [location.url for location in found] == [
        "https://b/c",
        "https://a/c",
        "http://b/c",
        "http://a/c",
    ]


# The journey


def test_the_newest_version_is_taken(
    tree: Callable[..., Web], anchor: Anchor, now: datetime, country: SharedParameters
) -> None:
    web = FakeWeb({**tree(version=6), **tree(version=5)})
    loaded, location = download(anchor, web, now, plain(anchor))
    assert web.asked == [
        "http://cs/internalconf?version=6",
        "http://cs/V6/1/shared-params.xml",
        "http://cs/V6/1/private-params.xml",
    ]
    assert location.url == "http://cs/internalconf"
    assert loaded.conf.instances["XX"].shared == country
    assert loaded.conf.valid_at(now)
    assert [part.location for part in loaded.parts] == [
        "/V6/1/shared-params.xml",
        "/V6/1/private-params.xml",
    ]


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_older_versions_are_looked_for(
    tree: Callable[..., Web], anchor: Anchor, now: datetime, version: int
) -> None:
    web = FakeWeb(tree(version=version))
    loaded, _ = download(anchor, web, now, plain(anchor))
    assert loaded.conf.version == version
    assert web.asked[: 7 - version] == [
        f"http://cs/internalconf?version={tried}" for tried in range(6, version - 1, -1)
    ]


def test_an_url_with_a_version_is_asked_as_it_is(
    tree: Callable[..., Web], anchor: Anchor, now: datetime
) -> None:
    web = FakeWeb({**tree(version=6), **tree(version=4)})
    fixed = Location("http://cs/internalconf?version=4", anchor.sources[0].certificates)
    assert download(anchor, web, now, (fixed,))[0].conf.version == 4


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (404, "global_conf_get_version_failed"),
        (500, "global_conf_download_url_connection_failure"),
        (0, "global_conf_download_url_connection_failure"),
        (304, "global_conf_download_url_connection_failure"),
        (b"<html>", "global_conf_parsing_downloaded_conf_directory_failure"),
    ],
)
def test_a_server_that_gives_no_directory(
    anchor: Anchor, now: datetime, answer: bytes | int, code: str
) -> None:
    web = FakeWeb({"http://cs/internalconf?version=6": answer})
    with pytest.raises(Fault) as caught:
        download(anchor, web, now, plain(anchor))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (404, "global_conf_part_download_failure"),
        (0, "global_conf_part_download_failure"),
        (b"another file", "global_conf_part_downloaded_file_integrity_failure"),
        (b" " * (DOCUMENT_LIMIT + 1), "global_conf_part_download_failure"),
    ],
    ids=["absent", "refused", "other octets", "huge"],
)
def test_a_part_that_does_not_come(
    tree: Callable[..., Web], anchor: Anchor, now: datetime, answer: bytes | int, code: str
) -> None:
    web = FakeWeb({**tree(), "http://cs/V6/1/shared-params.xml": answer})
    with pytest.raises(Fault) as caught:
        download(anchor, web, now, plain(anchor))
    assert caught.value.code == code


def test_the_next_location_helps_and_the_telling_reason_is_given(
    tree: Callable[..., Web], anchor: Anchor, now: datetime, ca: bytes
) -> None:
    dead = Location("http://dead/internalconf", anchor.sources[0].certificates)
    stranger = Location("http://cs/internalconf", (ca,))
    web = FakeWeb({**tree(), "http://dead/internalconf?version=6": 0})
    _, location = download(anchor, web, now, (dead, stranger, *plain(anchor)))
    assert location == plain(anchor)[0]
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        download(anchor, web, now, (dead, stranger))
    with pytest.raises(Fault, match="global_conf_download_url_connection_failure"):
        download(anchor, web, now, ())


def test_files_that_are_known_are_not_fetched_again(
    tree: Callable[..., Web], anchor: Anchor, now: datetime
) -> None:
    first, _ = download(anchor, FakeWeb(tree()), now, plain(anchor))
    web = FakeWeb(tree())
    second, _ = download(anchor, web, now, plain(anchor), known=first)
    assert web.asked == ["http://cs/internalconf?version=6"]
    assert second is first


def test_an_expired_directory_is_of_no_use(
    tree: Callable[..., Web], anchor: Anchor, expires: datetime
) -> None:
    download(anchor, FakeWeb(tree()), expires, plain(anchor))
    with pytest.raises(Fault, match="global_conf_outdated"):
        download(anchor, FakeWeb(tree()), expires + timedelta(seconds=1), plain(anchor))


def test_an_older_directory_is_not_taken_back(
    tree: Callable[..., Web], anchor: Anchor, now: datetime, expires: datetime
) -> None:
    def again(age: int, *, older: bool = False) -> datetime | None:
        web = FakeWeb(tree(age=age))
        loaded, _ = download(anchor, web, now, plain(anchor), known=known, older=older)
        return loaded.conf.instances["XX"].expires

    known, _ = download(anchor, FakeWeb(tree(age=60)), now, plain(anchor))
    assert again(0) == expires
    with pytest.raises(Fault, match="before the one in use"):
        again(61)
    assert again(61, older=True) == expires - timedelta(seconds=61)


# Whose configuration it is


def test_parts_of_another_instance_are_not_ours(
    tree: Callable[..., Web], anchor: Anchor, now: datetime
) -> None:
    web = FakeWeb(tree(instance="YY"))
    with pytest.raises(Fault, match="global_conf_part_invalid_instance_identifier"):
        download(anchor, web, now, plain(anchor))
    assert len(web.asked) == 1  # nothing of it was even fetched


def test_a_file_that_lies_about_its_instance_is_refused(
    country: SharedParameters, tree: Callable[..., Web], signer: DirectorySigner, now: datetime
) -> None:
    anchor = Anchor("YY", (AnchorSource("http://cs/internalconf", (signer.certificate,)),))
    with pytest.raises(Fault, match="global_conf_part_invalid_instance_identifier"):
        download(anchor, FakeWeb(tree(instance="YY")), now, plain(anchor))


def test_a_proxy_may_list_partners_too(
    country: SharedParameters, signer: DirectorySigner, anchor: Anchor, now: datetime
) -> None:
    foreign = msgspec.structs.replace(country, instance="YY", servers=())
    files = {
        f"/P/1/{shared.instance}/V6/7/shared-params.xml": write_shared(shared)
        for shared in (foreign, country)
    }
    entries = [
        describe_part(SHARED_PARAMETERS, path.split("/")[3], path, octets)
        for path, octets in files.items()
    ]
    data = write_directory(entries, signer, Boundaries("o", "i"), expires=now)
    web = FakeWeb({f"http://cs{path}": octets for path, octets in files.items()})
    web.answers["http://cs/internalconf?version=6"] = data
    loaded, _ = download(anchor, web, now, plain(anchor))
    assert list(loaded.conf.instances) == ["XX"]
    assert "http://cs/P/1/YY/V6/7/shared-params.xml" not in web.asked


# What the reference published


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "version"),
    [("v2-2023-06", 2), ("v3-2023-11-13", 3), ("v3-2024-04", 3), ("v4-2024-05", 4)],
)
def test_published_configurations_of_four_years(
    golden: Path, now: datetime, name: str, version: int
) -> None:
    root = golden / "globalconf-signed" / name
    anchor = read_anchor((root / "configuration-anchor.xml").read_bytes())
    loaded, _ = download(anchor, published_tree(root), now, find_locations(anchor, None))
    assert loaded.conf.version == version
    assert loaded.conf.valid_at(now)
    if name in ("v2-2023-06", "v3-2023-11-13"):
        assert loaded.conf.instances["CS"].settings.ocsp_fetch_interval_seconds == 10
    late = datetime(2040, 1, 1, tzinfo=UTC)
    with pytest.raises(Fault, match="global_conf_outdated"):
        download(anchor, published_tree(root), late, find_locations(anchor, None))


@pytest.mark.reference
def test_the_edited_external_source_is_refused(golden: Path, now: datetime) -> None:
    root = golden / "env-dev-v6/globalconf-initial"
    own = read_shared(next(root.rglob("shared-params.xml")).read_bytes()).sources[0]
    anchor = Anchor("DEV", (AnchorSource("http://cs/externalconf", own.external_certificates),))
    with pytest.raises(Fault, match="global_conf_part_downloaded_file_integrity_failure"):
        download(anchor, published_tree(root), now, find_locations(anchor, None))
