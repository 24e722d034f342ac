"""``xgate globalconf fetch``: over HTTP, proven, kept as the reference keeps it, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from xgate.clock import SystemClock
from xgate.globalconf.disk import read_disk
from xgate.globalconf.file_source import find_published
from xgate.sandbox.country import Country, found_country
from xgate.sandbox.publication import publish_country

Run = Callable[..., Any]
NOW = SystemClock().now()


@contextmanager
def served(root: Path, port: int) -> Iterator[None]:
    """The web root, as a central server publishes it."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            found = find_published(root, path, query)
            body = b"" if found is None else found.read_bytes()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Answers)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def country(tmp_path: Path) -> Iterator[Country]:
    folder = tmp_path / "country"
    folder.mkdir()
    country = found_country(folder, NOW, kind="P-256")
    with served(country.web_root, country.ports.authority):
        yield country


def anchor_of(country: Country) -> Path:
    return country.folder / "configuration-anchor.xml"


def test_it_is_proven_and_kept(xgate: Run, country: Country, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    ran = xgate("globalconf", "fetch", anchor_of(country), kept)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("kept  configuration of XG\n")
    assert "  part         XG/shared-params.xml" in ran.out
    assert read_disk(kept, NOW).conf.valid_at(NOW)
    assert xgate("globalconf", "diff", kept, country.verification).code == 0
    said = json.loads(xgate("globalconf", "fetch", anchor_of(country), kept, "--json").out)
    assert (said["instance"], said["version"], said["partners"]) == ("XG", 6, [])


def test_a_check_writes_nothing(xgate: Run, country: Country, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    ran = xgate("globalconf", "fetch", anchor_of(country), "--check", "--internal")
    assert (ran.code, ran.out.split()[0]) == (0, "holds")
    assert sorted(tmp_path.rglob("*")) == before
    refused = xgate("globalconf", "fetch", anchor_of(country), "--check", "--external")
    assert refused.code == 1
    assert "not an external one" in refused.err


def test_a_version_may_be_asked_for(xgate: Run, country: Country) -> None:
    assert xgate("globalconf", "fetch", anchor_of(country), "--check", "--version", "6").code == 0
    other = xgate("globalconf", "fetch", anchor_of(country), "--check", "--version", "5")
    assert other.code == 1
    assert "status 404" in other.err or "publishes no version" in other.err
    assert xgate("globalconf", "fetch", anchor_of(country), "--check", "--version", "9").code == 2


def test_an_older_one_is_refused_unless_it_is_accepted(
    xgate: Run, country: Country, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    assert xgate("globalconf", "fetch", anchor_of(country), kept).code == 0
    publish_country(country, NOW, valid_for=timedelta(days=1))
    refused = xgate("globalconf", "fetch", anchor_of(country), kept)
    assert (refused.code, "before the one in use" in refused.err) == (1, True)
    assert xgate("globalconf", "fetch", anchor_of(country), kept, "--accept-older").code == 0


def test_a_source_that_is_away_is_named(xgate: Run, tmp_path: Path) -> None:
    country = found_country(tmp_path, NOW, kind="P-256")
    ran = xgate("globalconf", "fetch", anchor_of(country), tmp_path / "kept")
    assert ran.code == 1
    assert "global_conf_download_url_connection_failure" in ran.err
    assert f"127.0.0.1:{country.ports.authority}" in ran.err
    assert not (tmp_path / "kept").exists()


def test_arguments_that_do_not_fit_are_refused(
    xgate: Run, country: Country, tmp_path: Path
) -> None:
    anchor = anchor_of(country)
    for arguments in (
        [anchor],
        [anchor, tmp_path, "--check"],
        [anchor, "--check", "--internal", "--external"],
        [anchor, anchor],
        [country.folder / "web" / "V6" / "internalconf", "--check"],
        [tmp_path / "none", "--check"],
    ):
        assert xgate("globalconf", "fetch", *arguments).code == 2
