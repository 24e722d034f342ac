"""A source over time: keys rotate, locations come and go, and nothing learnt adds trust."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor, AnchorSource, read_anchor
from xgate.globalconf.directory import PRIVATE_PARAMETERS, SHARED_PARAMETERS
from xgate.globalconf.disk import read_disk, write_disk
from xgate.globalconf.file_source import published_tree
from xgate.globalconf.generate import (
    Boundaries,
    DirectorySigner,
    write_private,
    write_shared,
)
from xgate.globalconf.http_source import HttpSource
from xgate.globalconf.private import ManagementService, PrivateParameters
from xgate.globalconf.publish import PublishedPart, publish
from xgate.globalconf.shared import SharedParameters, Source
from xgate.globalconf.source import LoadedConf
from xgate.ids import ClientId

Fetch = Callable[[str], tuple[int, bytes]]


class CentralServer:
    """Publishes a configuration at its host names; everything else refuses to connect."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts
        self.asked: list[str] = []
        self.files: dict[str, bytes] = {}

    def publish(self, shared: SharedParameters, signer: DirectorySigner, expires: datetime) -> None:
        part = PublishedPart(SHARED_PARAMETERS, "shared-params.xml", write_shared(shared))
        self.files = publish(
            shared.instance, [part], signer, Boundaries("o", "i"), generation="1", expires=expires
        )

    def fetch(self, url: str) -> tuple[int, bytes]:
        self.asked.append(url)
        host, _, path = url.partition("://")[2].partition("/")
        if host not in self.hosts or url.startswith("https"):
            raise ConnectionRefusedError(host)
        name = path.replace("internalconf?version=6", "V6/internalconf")
        return (200, self.files[name]) if name in self.files else (404, b"")


def knowing(country: SharedParameters, address: str, *certificates: bytes) -> SharedParameters:
    return msgspec.structs.replace(country, sources=(Source(address, certificates),))


def test_a_rotated_key_is_learnt_in_time(
    country: SharedParameters,
    signer: DirectorySigner,
    new_signer: Callable[[str], DirectorySigner],
    now: datetime,
) -> None:
    server = CentralServer("cs")
    fresh = new_signer("fresh")
    anchor = Anchor("XX", (AnchorSource("http://cs/internalconf", (signer.certificate,)),))
    source = HttpSource(anchor, server.fetch)
    both = knowing(country, "cs", signer.certificate, fresh.certificate)

    server.publish(both, fresh, now)  # too early: nobody knows the key
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        source.fetch(now)
    server.publish(both, signer, now)
    first = source.fetch(now)
    server.publish(both, fresh, now)  # now it is known from the shared parameters
    assert source.fetch(now) is first
    only = knowing(country, "cs", fresh.certificate)
    server.publish(only, fresh, now)
    assert source.fetch(now).conf.instances["XX"].shared == only
    # A client that starts anew needs the last configuration beside its old anchor.
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        HttpSource(anchor, server.fetch).fetch(now)
    assert HttpSource(anchor, server.fetch, known=first).fetch(now)


def test_a_moved_server_is_found_by_its_new_address(
    country: SharedParameters, signer: DirectorySigner, now: datetime
) -> None:
    server = CentralServer("cs")
    anchor = Anchor("XX", (AnchorSource("http://cs/internalconf", (signer.certificate,)),))
    source = HttpSource(anchor, server.fetch)
    server.publish(knowing(country, "new", signer.certificate), signer, now)
    source.fetch(now)
    server.hosts = ("new",)
    assert source.fetch(now)


def test_what_answered_is_asked_first(
    country: SharedParameters, signer: DirectorySigner, now: datetime
) -> None:
    server = CentralServer("b")
    sources = tuple(
        AnchorSource(f"http://{host}/internalconf", (signer.certificate,)) for host in "ab"
    )
    server.publish(knowing(country, "dead", signer.certificate), signer, now)
    source = HttpSource(Anchor("XX", sources), server.fetch)
    source.fetch(now)
    server.asked.clear()
    source.fetch(now)
    assert server.asked == ["http://b/internalconf?version=6"]
    server.hosts = ()
    with pytest.raises(Fault, match="global_conf_download_url_connection_failure"):
        source.fetch(now)
    server.hosts = ("b",)
    server.asked.clear()
    source.fetch(now)
    assert server.asked[0] == "https://dead/internalconf?version=6"  # forgotten: from the start


def test_a_certificate_of_one_location_does_not_count_at_another(
    country: SharedParameters,
    signer: DirectorySigner,
    new_signer: Callable[[str], DirectorySigner],
    now: datetime,
) -> None:
    other = new_signer("other")
    server = CentralServer("a")
    server.publish(country, other, now)
    sources = (
        AnchorSource("http://a/internalconf", (signer.certificate,)),
        AnchorSource("http://b/internalconf", (other.certificate,)),
    )
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        HttpSource(Anchor("XX", sources), server.fetch).fetch(now)


@pytest.mark.reference
def test_the_rotation_of_env_dev_v6(golden: Path, now: datetime) -> None:
    root = golden / "env-dev-v6"
    anchor = read_anchor((root / "configuration-anchor.xml").read_bytes())
    rotated = published_tree(root / "globalconf-rotated")
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        HttpSource(anchor, rotated).fetch(now)
    initial = HttpSource(anchor, published_tree(root / "globalconf-initial")).fetch(now)
    after = HttpSource(anchor, rotated, known=initial).fetch(now)
    assert after.parts[0].location == "/V6/20251110170100462771000/shared-params.xml"
    assert after.conf.valid_at(now)


# federation partners


class Federation:
    """Two countries, each with a central server of its own; XX knows YY's external source."""

    def __init__(
        self, country: SharedParameters, signer: DirectorySigner, foreign: DirectorySigner
    ) -> None:
        self.country = country
        self.signer = signer
        self.foreign = foreign
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.away: set[str] = set()
        self.partners: tuple[Anchor, ...] = (self.anchor("YY"),)
        self.anchor_of_ours = Anchor(
            "XX", (AnchorSource("http://xx/internalconf", (signer.certificate,)),)
        )

    def anchor(self, instance: str) -> Anchor:
        url = f"http://{instance.lower()}/externalconf"
        return Anchor(instance, (AnchorSource(url, (self.foreign.certificate,)),))

    def publish_ours(self, expires: datetime) -> None:
        management = ManagementService("https://cs/", ClientId("XX", "GOV", "1"))
        private = PrivateParameters("XX", management, 60, self.partners)
        shared = knowing(self.country, "xx", self.signer.certificate)
        parts = [
            PublishedPart(PRIVATE_PARAMETERS, "private-params.xml", write_private(private)),
            PublishedPart(SHARED_PARAMETERS, "shared-params.xml", write_shared(shared)),
        ]
        self._put("xx", publish("XX", parts, self.signer, BOUNDS, generation="1", expires=expires))

    def publish_theirs(
        self, expires: datetime, *more: PublishedPart, freshness: int = 600, instance: str = "YY"
    ) -> None:
        shared = SharedParameters(
            instance,
            sources=(Source("yy", (), (self.foreign.certificate,)),),
            ocsp_freshness_seconds=freshness,
        )
        part = PublishedPart(SHARED_PARAMETERS, "shared-params.xml", write_shared(shared))
        files = publish(
            instance, [part, *more], self.foreign, BOUNDS, generation="1", expires=expires
        )
        renamed = {name.replace("internalconf", "externalconf"): o for name, o in files.items()}
        self._put("yy", renamed)

    def source(self, *allowed: str, known: LoadedConf | None = None) -> HttpSource:
        return HttpSource(self.anchor_of_ours, self.fetch, known=known, allowed=allowed)

    def fetch(self, url: str) -> tuple[int, bytes]:
        self.asked.append(url)
        host, _, path = url.partition("://")[2].partition("/")
        if host in self.away or url.startswith("https"):
            raise ConnectionRefusedError(host)
        kind, mark, version = path.partition("?version=")
        name = f"{host}/V{version}/{kind}" if mark else f"{host}/{path}"
        return (200, self.files[name]) if name in self.files else (404, b"")

    def _put(self, host: str, files: dict[str, bytes]) -> None:
        self.files |= {f"{host}/{name}": octets for name, octets in files.items()}


BOUNDS = Boundaries("o", "i")


@pytest.fixture
def federation(
    country: SharedParameters,
    signer: DirectorySigner,
    new_signer: Callable[[str], DirectorySigner],
    expires: datetime,
) -> Federation:
    federation = Federation(country, signer, new_signer("foreign"))
    federation.publish_ours(expires)
    federation.publish_theirs(expires)
    return federation


def known_of(loaded: LoadedConf) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in loaded.parts:
        found.setdefault(part.instance, []).append(part.file_name)
    return {name: sorted(files) for name, files in found.items()}


def test_a_partner_that_is_allowed_is_known_by_its_shared_parameters_alone(
    federation: Federation, now: datetime, expires: datetime
) -> None:
    monitoring = PublishedPart("MONITORING", "monitoring-params.xml", b"<never-read/>")
    private = PublishedPart(PRIVATE_PARAMETERS, "private-params.xml", b"<never-read/>")
    federation.publish_theirs(expires, monitoring, private)

    loaded = federation.source("yy").fetch(now)

    assert known_of(loaded) == {
        "XX": ["private-params.xml", "shared-params.xml"],
        "YY": ["shared-params.xml"],
    }
    assert loaded.conf.own == "XX"
    assert loaded.conf.instances["YY"].private is None
    assert not any(
        "yy" in url and "params" in url and "shared" not in url for url in federation.asked
    )


@pytest.mark.parametrize("allowed", [(), ("none",), ("ZZ",), ("all", "none")])
def test_a_partner_that_is_not_allowed_is_not_even_asked(
    federation: Federation, now: datetime, allowed: tuple[str, ...]
) -> None:
    loaded = federation.source(*allowed).fetch(now)
    assert set(loaded.conf.instances) == {"XX"}
    assert not any("yy" in url for url in federation.asked)


def test_a_partner_that_fails_keeps_what_it_said_until_that_expires(
    federation: Federation, now: datetime, expires: datetime
) -> None:
    source = federation.source("all")
    federation.publish_ours(expires + timedelta(hours=1))
    first = source.fetch(now)
    federation.away.add("yy")
    kept = source.fetch(now + timedelta(minutes=5))
    assert kept.conf.instances["YY"] == first.conf.instances["YY"]
    assert any("partner YY is not refreshed" in text for text in kept.conf.warnings)
    gone = source.fetch(expires)
    assert set(gone.conf.instances) == {"XX"}
    federation.away.clear()
    federation.publish_theirs(expires + timedelta(hours=1), freshness=700)
    back = source.fetch(expires)
    shared = back.conf.instances["YY"].shared
    assert shared is not None
    assert shared.ocsp_freshness_seconds == 700
    assert back.conf.warnings == ()


def test_partners_are_not_asked_when_our_own_source_fails(
    federation: Federation, now: datetime
) -> None:
    federation.away.add("xx")
    with pytest.raises(Fault, match="connection_failure"):
        federation.source("all").fetch(now)
    assert not any("yy" in url for url in federation.asked)


def test_a_partner_cannot_speak_for_us(
    federation: Federation, now: datetime, expires: datetime
) -> None:
    """Its directory, signed by its own key, holds our instance's parameters."""
    federation.publish_theirs(expires, freshness=99, instance="XX")
    loaded = federation.source("all").fetch(now)
    assert set(loaded.conf.instances) == {"XX"}
    assert loaded.conf.ocsp_freshness.total_seconds() == 600
    assert any("holds no shared parameters of instance YY" in t for t in loaded.conf.warnings)


def test_a_partners_key_proves_nothing_of_ours(
    federation: Federation, now: datetime, expires: datetime
) -> None:
    federation.signer = federation.foreign
    federation.publish_ours(expires)
    with pytest.raises(Fault, match="missing_verification_cert"):
        federation.source("all").fetch(now)


def test_a_partner_that_is_dropped_is_forgotten(
    federation: Federation, now: datetime, expires: datetime
) -> None:
    source = federation.source("all")
    assert set(source.fetch(now).conf.instances) == {"XX", "YY"}
    federation.partners = ()
    federation.publish_ours(expires)
    assert set(source.fetch(now).conf.instances) == {"XX"}


def test_an_older_directory_of_a_partner_is_not_taken(
    federation: Federation, now: datetime, expires: datetime
) -> None:
    source = federation.source("all")
    source.fetch(now)
    federation.publish_theirs(expires - timedelta(minutes=1), freshness=99)
    loaded = source.fetch(now)
    shared = loaded.conf.instances["YY"].shared
    assert shared is not None
    assert shared.ocsp_freshness_seconds == 600
    assert any("before the one in use" in text for text in loaded.conf.warnings)


def test_what_has_not_changed_is_the_same_value(federation: Federation, now: datetime) -> None:
    source = federation.source("all")
    assert source.fetch(now) is source.fetch(now)


def test_partners_are_kept_on_disk_and_read_again(
    federation: Federation, now: datetime, expires: datetime, tmp_path: Path
) -> None:
    loaded = federation.source("all").fetch(now)
    write_disk(tmp_path, loaded)
    assert sorted(path.name for path in (tmp_path / "YY").iterdir()) == [
        "shared-params.xml",
        "shared-params.xml.metadata",
    ]
    again = read_disk(tmp_path, now)
    assert again.conf.instances["YY"] == loaded.conf.instances["YY"]
    federation.away.add("yy")
    assert "YY" in federation.source("all", known=again).fetch(now).conf.instances
    assert set(read_disk(tmp_path, expires).conf.instances) == {"XX"}
    write_disk(tmp_path, federation.source("none").fetch(now))
    assert not (tmp_path / "YY").exists()
