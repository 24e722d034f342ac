"""Where the configuration comes from: three kinds of place, kept over a restart."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from cryptography import x509
from msgspec.structs import replace
from trio.testing import MockClock

from xgate.algorithms import digest_named
from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.directory import PRIVATE_PARAMETERS, SHARED_PARAMETERS
from xgate.globalconf.disk import DiskSource, read_disk, write_disk
from xgate.globalconf.file_source import find_published
from xgate.globalconf.generate import Boundaries, software_signer
from xgate.globalconf.publish import PublishedPart
from xgate.globalconf.publish import publish as publish_generation
from xgate.globalconf.source import ConfSource, LoadedConf
from xgate.net.context import TlsIdentity, information_system_context
from xgate.net.fetch import _system_roots
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.net.stream import SocketStream
from xgate.net.tls import accept_tls
from xgate.sandbox.country import Country, found_country
from xgate.securityserver import conf_source
from xgate.securityserver.conf_source import (
    Loader,
    at_mapped_host,
    begin_soon,
    fetch_from,
    open_loader,
)
from xgate.securityserver.settings import GlobalconfSettings, SettingsError
from xgate.testing.network import make_identity

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def country(tmp_path: Path) -> Country:
    return found_country(tmp_path, NOW, kind="P-256")


def loader(country: Country, now: datetime = NOW, **settings: Any) -> Loader:
    section = GlobalconfSettings(anchor="configuration-anchor.xml", **settings)
    return open_loader(section, country.folder, lambda: now, {})


async def load(source: Loader) -> GlobalConf:
    return await trio.to_thread.run_sync(source.load)


@pytest.mark.parametrize(("use", "directory"), [("disk", "globalconf"), ("published", "web")])
def test_files_on_disk_are_read_and_proven(country: Country, use: str, directory: str) -> None:
    source = loader(country, use=use, directory=directory)
    conf = source.load()
    assert conf.own == "XG"
    assert source.load() is conf  # nothing has changed


def test_weak_digests_count_only_where_the_settings_say_so(country: Country) -> None:
    sha1 = digest_named("SHA-1")
    assert sha1 is not None
    (shared,) = country.web_root.glob("V6/*/shared-params.xml")
    names = {"private-params.xml": PRIVATE_PARAMETERS, "shared-params.xml": SHARED_PARAMETERS}
    files = publish_generation(
        "XG",
        [PublishedPart(i, n, shared.with_name(n).read_bytes()) for n, i in names.items()],
        software_signer(country.configuration.key, country.configuration.certificate.der, sha1),
        Boundaries("outer", "inner"),
        generation="weak",
        expires=NOW + timedelta(days=1),
    )
    for name, octets in files.items():
        (country.web_root / name).parent.mkdir(exist_ok=True)
        (country.web_root / name).write_bytes(octets)
    with pytest.raises(Fault, match="signature-algorithm-id"):
        loader(country, use="published", directory="web").load()
    taking = loader(country, use="published", directory="web", accept_weak_digests=True)
    assert taking.load().own == "XG"


async def hand_out_tree(root: Path, exchange: Exchange) -> None:
    """As the web server of a central server."""
    path, _, query = exchange.target.partition("?")
    found = find_published(root, path, query)
    body = b"" if found is None else await trio.Path(found).read_bytes()
    await exchange.respond(404 if found is None else 200, [], body)


async def publish(country: Country, serve: Serve) -> None:
    """Serve the web root at the place that the anchor names."""
    port = await serve(partial(hand_out_tree, country.web_root))
    anchor = trio.Path(country.folder / "configuration-anchor.xml")
    text = await anchor.read_text()
    await anchor.write_text(text.replace(f":{country.ports.authority}/", f":{port}/"))


async def test_what_was_downloaded_serves_a_start_without_its_source(
    country: Country, serve: Serve
) -> None:
    with pytest.raises(Fault, match="connection_failure"):
        await trio.to_thread.run_sync(loader(country, use="http", directory="kept").begin)
    await publish(country, serve)
    conf = await load(loader(country, use="http", directory="kept"))
    (country.folder / "web").rename(country.folder / "gone")
    restarted = loader(country, use="http", directory="kept")
    with pytest.raises(Fault):
        await load(restarted)
    kept = await trio.to_thread.run_sync(restarted.begin)
    assert kept.instances["XG"].shared == conf.instances["XG"].shared
    assert not kept.valid_at(NOW + timedelta(days=31))


def test_an_anchor_that_cannot_be_used_is_named(country: Country) -> None:
    (country.folder / "configuration-anchor.xml").write_text("<a/>")
    with pytest.raises(SettingsError, match=r"the anchor .*configuration-anchor\.xml"):
        loader(country, use="http")
    (country.folder / "configuration-anchor.xml").unlink()
    with pytest.raises(SettingsError, match="No such file"):
        loader(country, use="published")


@pytest.mark.parametrize(
    ("url", "mapped"),
    [
        ("http://cs/internalconf?version=6", "http://10.0.0.1/internalconf?version=6"),
        ("http://cs:8888/", "http://10.0.0.1:8888/"),
        ("http://six:80/", "http://[::1]:80/"),
        ("http://other/", "http://other/"),
        ("https://cs/", "https://cs/"),  # its certificate names the host
    ],
)
def test_names_are_mapped_where_no_certificate_depends_on_them(url: str, mapped: str) -> None:
    assert at_mapped_host(url, {"cs": "10.0.0.1", "six": "::1"}) == mapped


def test_a_source_of_another_package_gets_its_options(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[Mapping[str, Any], Path]] = []

    def open_mine(options: Mapping[str, Any], folder: Path) -> ConfSource:
        opened.append((options, folder))
        return DiskSource(country.verification)

    monkeypatch.setattr(conf_source, "find_source", {"mine": open_mine}.get)
    source = loader(country, use="mine", directory="kept", options={"a": 1})
    conf = source.load()
    assert opened == [({"a": 1}, country.folder)]
    assert read_disk(country.folder / "kept", NOW).conf.own == conf.own  # kept for a restart


def test_a_source_that_there_is_not_is_named_with_those_there_are(country: Country) -> None:
    with pytest.raises(SettingsError, match="use = 'ftp' is no source; known: disk, http, publi"):
        loader(country, use="ftp")


async def redirecting(serve: Serve, target: Callable[[str], str]) -> Callable[[], Any]:
    """Fetches ``/start`` of a server that sends everybody on, but from ``/end``."""

    async def answer(exchange: Exchange) -> None:
        if exchange.target == "/end":
            await exchange.respond(200, [], b"here")
            return
        await exchange.respond(302, [("Location", target(exchange.target))])

    url = f"http://127.0.0.1:{await serve(answer)}/start"
    fetch = fetch_from(GlobalconfSettings(), {})
    return lambda: fetch(url)


async def test_redirects_within_a_scheme_are_followed_but_not_for_ever(serve: Serve) -> None:
    there = await redirecting(serve, lambda _: "end")
    assert await trio.to_thread.run_sync(there) == (200, b"here")
    elsewhere = await redirecting(serve, lambda _: "https://127.0.0.1/end")
    assert (await trio.to_thread.run_sync(elsewhere))[0] == 302
    round_and_round = await redirecting(serve, lambda path: path)
    with pytest.raises(OSError, match="redirects too often"):
        await trio.to_thread.run_sync(round_and_round)


class Scripted:
    """A source of another package that does what it is told."""

    def __init__(self, *deeds: Callable[[], Any]) -> None:
        self._deeds = list(deeds)

    def fetch(self, now: datetime) -> LoadedConf:
        return cast("LoadedConf", self._deeds.pop(0)())


def fail(error: Exception) -> Callable[[], Any]:
    def deed() -> None:
        raise error

    return deed


def test_what_would_be_worse_is_refused_and_the_last_one_stays(country: Country) -> None:
    good = DiskSource(country.verification).fetch(NOW)
    bare = replace(good, conf=GlobalConf("XG", {}))
    strange = replace(good, conf=GlobalConf("ZZ", good.conf.instances))
    nobody = replace(good, conf=cast("GlobalConf", None))
    refusals = {
        "expired or incomplete": lambda: bare,
        "speaks for instance ZZ; this server has begun in XG": lambda: strange,
        "something else than": lambda: None,
        "something else": lambda: nobody,
        "fails by itself: ZeroDivisionError: x": fail(ZeroDivisionError("x")),
        "fails by itself: StopIteration": fail(StopIteration()),
    }
    source = Loader(Scripted(lambda: good, *refusals.values(), lambda: good), lambda: NOW)
    assert source.begin() is good.conf
    for text in refusals:
        with pytest.raises(Fault, match=text):
            source.load()
        assert source.loaded is good
    assert source.load() is good.conf


def test_a_source_that_fails_at_the_start_leaves_what_was_kept(
    country: Country, tmp_path: Path
) -> None:
    kept = DiskSource(country.verification).fetch(NOW)
    for error in (ZeroDivisionError("x"), OSError("y"), Fault("z", "z")):
        source = Loader(Scripted(fail(error)), lambda: NOW, tmp_path / "kept", kept)
        assert source.begin() == kept.conf
        assert source.loaded.parts == kept.parts
    with pytest.raises(Fault, match="fails by itself"):
        Loader(Scripted(fail(ZeroDivisionError("x"))), lambda: NOW).begin()


def test_what_cannot_be_kept_counts_all_the_same(country: Country, tmp_path: Path) -> None:
    good = DiskSource(country.verification).fetch(NOW)
    folder = tmp_path / "kept"
    folder.write_text("in the way")
    source = Loader(Scripted(*[lambda: good] * 3), lambda: NOW, folder)
    conf = source.load()
    assert conf.instances == good.conf.instances
    assert conf.warnings == (f"the configuration cannot be kept in {folder}: File exists",)
    assert source.load() is conf
    folder.unlink()
    assert source.load().warnings == ()
    assert read_disk(folder, NOW).conf.own == "XG"


async def test_what_was_kept_of_another_instance_is_not_begun_with(
    country: Country, serve: Serve
) -> None:
    write_disk(country.folder / "kept", DiskSource(country.verification).fetch(NOW))
    anchor = trio.Path(country.folder / "configuration-anchor.xml")
    text = await anchor.read_text()
    await anchor.write_text(text.replace("Identifier>XG<", "Identifier>ZZ<"))
    with pytest.raises(Fault, match="connection_failure"):
        await trio.to_thread.run_sync(loader(country, use="http", directory="kept").begin)


async def test_all_fetches_from_a_partner_together_have_a_time(serve: Serve) -> None:
    asked: list[str] = []

    async def answer(exchange: Exchange) -> None:
        asked.append(exchange.target)
        if exchange.target == "/silent":
            await trio.sleep_forever()
        await exchange.respond(200, [], b"here")

    place = f"http://127.0.0.1:{await serve(answer)}"
    fetch = fetch_from(GlobalconfSettings(), {}, within=0.5)
    assert await trio.to_thread.run_sync(fetch, f"{place}/quick") == (200, b"here")
    for path in ("/silent", "/quick"):
        with pytest.raises(OSError, match="the time for this partner is over"):
            await trio.to_thread.run_sync(fetch, place + path)
    assert asked == ["/quick", "/silent"]


async def test_a_silent_source_does_not_hold_up_a_start_that_can_do_without_it(
    country: Country, tmp_path: Path, autojump_clock: MockClock
) -> None:
    kept = DiskSource(country.verification).fetch(NOW)
    heard = threading.Event()
    fresh = replace(kept, conf=GlobalConf("XG", kept.conf.instances))

    def answer_late() -> LoadedConf:
        heard.wait()
        return fresh

    source = Loader(Scripted(answer_late, lambda: fresh), lambda: NOW, tmp_path / "kept", kept)
    assert (await begin_soon(source)).instances == kept.conf.instances
    assert trio.current_time() == 10
    heard.set()
    assert await trio.to_thread.run_sync(source.load) is fresh.conf  # after the one that was late


async def test_a_start_with_nothing_kept_waits_for_its_source(
    country: Country, autojump_clock: MockClock
) -> None:
    good = DiskSource(country.verification).fetch(NOW)
    heard = threading.Event()

    def answer_late() -> LoadedConf:
        heard.wait()
        return good

    async def let_hear() -> None:
        await trio.sleep(3600)
        heard.set()

    source = Loader(Scripted(answer_late), lambda: NOW)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_hear)
        assert (await begin_soon(source)) is good.conf


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TlsIdentity]:
    """The only CA that the system trusts."""
    ca = make_identity("ca", ca=True)
    roots = tmp_path / "roots.pem"
    roots.write_text(ssl.DER_cert_to_PEM_cert(ca.chain[0]))
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    _system_roots.cache_clear()
    yield ca
    _system_roots.cache_clear()


@pytest.mark.parametrize(
    ("server", "settings", "cause"),
    [
        ("known", {}, None),
        ("elsewhere", {}, "certificate of 127.0.0.1 is not trusted"),
        ("elsewhere", {"hostname_verification": False}, None),
        ("stranger", {"hostname_verification": False}, "is not trusted"),
        ("stranger", {"tls_verification": False}, None),
    ],
)
async def test_https_sources_are_verified_as_the_settings_say(
    country: Country,
    nursery: trio.Nursery,
    trusted: TlsIdentity,
    server: str,
    settings: dict[str, Any],
    cause: str | None,
) -> None:
    """The anchor names nothing but an https place."""
    here = [x509.IPAddress(IPv4Address("127.0.0.1"))]
    identity = {
        "known": make_identity("a", issuer=trusted, names=here),
        "elsewhere": make_identity("b", issuer=trusted, names=[x509.DNSName("elsewhere.example")]),
        "stranger": make_identity("c", names=here),
    }[server]
    answer = partial(hand_out_tree, country.web_root)

    async def serve_one(plain: SocketStream) -> None:
        stream = await accept_tls(plain, information_system_context(identity))
        await serve_connection(stream, answer, ServerLimits(), SystemClock())

    listeners = await listen_on("127.0.0.1", 0)
    await nursery.start(serve_listeners, listeners, serve_one)
    place = f"https://127.0.0.1:{listeners[0].getsockname()[1]}/"
    anchor = country.folder / "configuration-anchor.xml"
    mark = "<downloadURL>"
    anchor.write_text(re.sub(rf"{mark}https?://[^/]*/", mark + place, anchor.read_text()))

    source = loader(country, directory="kept", **settings)
    if cause is None:
        assert (await load(source)).own == "XG"
    else:
        with pytest.raises(Fault, match=f"connection_failure.*{cause}"):
            await load(source)
