"""A source over time: keys rotate, locations come and go, and nothing learnt adds trust."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor, AnchorSource, read_anchor
from xgate.globalconf.directory import SHARED_PARAMETERS
from xgate.globalconf.file_source import published_tree
from xgate.globalconf.generate import (
    Boundaries,
    DirectorySigner,
    write_shared,
)
from xgate.globalconf.http_source import HttpSource
from xgate.globalconf.publish import PublishedPart, publish
from xgate.globalconf.shared import SharedParameters, Source

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
    server.asked.clear()
    server.hosts = ()
    with pytest.raises(Fault, match="global_conf_download_url_connection_failure"):
        source.fetch(now)
    assert server.asked[0] == "http://b/internalconf?version=6"
    assert len(server.asked) == len(set(server.asked)) == 6  # each place once
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


def test_what_another_instance_said_guides_nobody(
    country: SharedParameters,
    signer: DirectorySigner,
    new_signer: Callable[[str], DirectorySigner],
    now: datetime,
) -> None:
    """The folder may be from before the server got another anchor."""
    fresh = new_signer("fresh")
    server = CentralServer("cs")
    server.publish(knowing(country, "cs", fresh.certificate), signer, now)
    anchor = Anchor("XX", (AnchorSource("http://cs/internalconf", (signer.certificate,)),))
    known = HttpSource(anchor, server.fetch).fetch(now)
    server.publish(SharedParameters("ZZ", (Source("cs"),), ocsp_freshness_seconds=600), fresh, now)
    of_other = msgspec.structs.replace(anchor, instance="ZZ")
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        HttpSource(of_other, server.fetch, known=known).fetch(now)


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
