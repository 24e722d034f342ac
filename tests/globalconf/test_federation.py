"""Federation: partners are asked that we allow, each for itself, and none can harm another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor, AnchorSource
from xgate.globalconf.directory import PRIVATE_PARAMETERS, SHARED_PARAMETERS
from xgate.globalconf.disk import read_disk, write_disk
from xgate.globalconf.federation import allowed_partners, allows
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
from xgate.globalconf.verification import write_verification_zip
from xgate.ids import ClientId

Fetch = Callable[[str], tuple[int, bytes]]


@pytest.mark.parametrize(
    ("allowed", "instance", "let_in"),
    [
        ([], "FI", False),
        (["FI"], "FI", True),
        (["fi"], "FI", True),
        ([" FI "], "FI", True),
        (["EE"], "FI", False),
        (["all"], "FI", True),
        (["ALL"], "FI", True),
        (["all", "None"], "FI", False),
        (["FI", "none"], "FI", False),
        ([""], "FI", False),
    ],
)
def test_the_list_lets_in_whom_it_names(allowed: list[str], instance: str, let_in: bool) -> None:
    assert allows(allowed, instance) is let_in


def anchor_of(instance: str, url: str = "http://cs/externalconf") -> Anchor:
    return Anchor(instance, (AnchorSource(url, (b"certificate",)),))


def test_partners_are_asked_in_the_order_of_the_file_and_each_once(
    private_parameters: PrivateParameters,
) -> None:
    anchors = (anchor_of("FI"), anchor_of("XX"), anchor_of("EE"), anchor_of("FI", "http://other/"))
    private = msgspec.structs.replace(private_parameters, anchors=anchors)
    assert allowed_partners("XX", private, ["all"]) == (anchors[0], anchors[2])
    assert allowed_partners("XX", private, ["ee"]) == (anchors[2],)
    assert allowed_partners("XX", private, []) == ()
    assert allowed_partners("XX", None, ["all"]) == ()


def knowing(country: SharedParameters, address: str, *certificates: bytes) -> SharedParameters:
    return msgspec.structs.replace(country, sources=(Source(address, certificates),))


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
        self,
        expires: datetime,
        *more: PublishedPart,
        freshness: int = 600,
        instance: str = "YY",
        signer: DirectorySigner | None = None,
    ) -> None:
        shared = SharedParameters(
            instance,
            sources=(Source("yy", (), (self.foreign.certificate,)),),
            ocsp_freshness_seconds=freshness,
        )
        part = PublishedPart(SHARED_PARAMETERS, "shared-params.xml", write_shared(shared))
        by = signer or self.foreign
        files = publish(instance, [part, *more], by, BOUNDS, generation="1", expires=expires)
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

    def rotate_theirs(self, fresh: DirectorySigner, expires: datetime) -> None:
        """Tell of the new key while the old one signs, which then signs no more."""
        old, self.foreign = self.foreign, fresh
        self.publish_theirs(expires, signer=old)

    def join(self, *instances: str) -> None:
        """More partners; nothing is published at their places."""
        self.partners = tuple(self.anchor(instance) for instance in instances)

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


def test_keys_learnt_from_a_partner_outlive_what_it_said(
    federation: Federation,
    new_signer: Callable[[str], DirectorySigner],
    now: datetime,
    expires: datetime,
    tmp_path: Path,
) -> None:
    """Its anchor's key has gone when it comes back after a time too long, and we start anew."""
    federation.rotate_theirs(new_signer("fresh"), expires)
    source = federation.source("all")
    source.fetch(now)
    much_later = expires + timedelta(hours=1)
    federation.publish_ours(much_later)
    federation.away.add("yy")
    gone = source.fetch(expires)
    assert set(gone.conf.instances) == {"XX"}
    assert gone.conf.warnings[-1] == "the configuration of partner YY has expired"
    assert source.fetch(expires) is gone
    write_disk(tmp_path, gone)
    assert set(read_disk(tmp_path, expires).conf.instances) == {"XX"}
    assert (tmp_path / "YY" / "shared-params.xml").is_file()
    assert b"YY/shared-params.xml" not in write_verification_zip(gone, now)

    federation.away.clear()
    federation.publish_theirs(much_later)
    for back in (source, federation.source("all", known=read_disk(tmp_path, None))):
        loaded = back.fetch(expires)
        assert set(loaded.conf.instances) == {"XX", "YY"}
        assert loaded.conf.warnings == ()
    with pytest.raises(Fault, match="missing_verification_cert"):
        HttpSource(federation.partners[0], federation.fetch).fetch(expires)


def test_partners_that_fail_take_turns_and_those_that_are_well_do_not_wait(
    federation: Federation, now: datetime, expires: datetime
) -> None:
    federation.join("A1", "A2", "A3", "A4", "A5", "YY")
    federation.publish_ours(expires)
    source = federation.source("all")

    def asked() -> list[str]:
        federation.asked.clear()
        source.fetch(now)
        hosts = (url.partition("://")[2].partition("/")[0] for url in federation.asked)
        return [host for host in dict.fromkeys(hosts) if host != "xx"]

    assert asked() == ["a1", "a2"]
    assert asked() == ["a3", "a4"]
    assert asked() == ["a5", "yy", "a1"]
    assert asked() == ["yy", "a2", "a3"]
    assert asked() == ["yy", "a4", "a5"]
    warnings = source.fetch(now).conf.warnings
    assert [text.partition(" is not")[0] for text in warnings] == [
        f"partner A{number}" for number in range(1, 6)
    ]


def test_what_fetches_from_partners_is_made_for_each_of_them(
    federation: Federation, now: datetime, expires: datetime
) -> None:
    federation.join("A1", "YY")
    federation.publish_ours(expires)
    made: list[list[str]] = []

    def make() -> Fetch:
        made.append([])
        urls = made[-1]

        def fetch(url: str) -> tuple[int, bytes]:
            urls.append(url)
            return federation.fetch(url)

        return fetch

    HttpSource(
        federation.anchor_of_ours, federation.fetch, allowed=["all"], partner_fetch=make
    ).fetch(now)
    assert [{url.partition("://")[2][:2] for url in urls} for urls in made] == [{"a1"}, {"yy"}]
