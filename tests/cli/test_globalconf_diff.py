"""``xgate globalconf diff``: folders and published trees, and what differs between them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xgate.clock import SystemClock
from xgate.sandbox.country import Country, found_country
from xgate.sandbox.publication import describe_country, publish_country

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def now() -> datetime:
    return SystemClock().now()


@pytest.fixture(scope="session")
def country(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Country:
    return found_country(tmp_path_factory.mktemp("country"), now, kind="P-256")


@pytest.fixture
def changed(tmp_path: Path, country: Country, now: datetime) -> Country:
    """The country after its registry has changed."""
    shared = describe_country(country)
    first, *others = shared.servers
    moved = msgspec.structs.replace(first, address="10.0.0.1", maintenance="until noon")
    changed = msgspec.structs.replace(
        shared, servers=(moved, *others), timestamping_services=(), ocsp_freshness_seconds=60
    )
    other = msgspec.structs.replace(country, folder=tmp_path)
    publish_country(other, now, changed)
    return other


def test_what_differs_is_told_line_by_line(xgate: Run, country: Country, changed: Country) -> None:
    ran = xgate("globalconf", "diff", country.verification, changed.verification)
    lines = ran.out.splitlines()
    assert ran.code == 1
    assert "~ XG: server XG/COM/100/CONSUMER address: 127.0.0.2 -> 10.0.0.1" in lines
    assert "+ XG: server XG/COM/100/CONSUMER in maintenance: until noon" in lines
    assert any(line.startswith("- XG: timestamping service http://127.0.0.1:") for line in lines)
    assert "~ XG: OCSP freshness: 3600 s -> 60 s" in lines
    said = json.loads(
        xgate("globalconf", "diff", country.verification, changed.verification, "--json").out
    )
    assert said["same"] is False
    assert {"what", "before", "after"} == set(said["changes"][0])


def test_the_same_is_the_same(xgate: Run, country: Country) -> None:
    ran = xgate("globalconf", "diff", country.verification, country.verification)
    assert (ran.code, ran.out) == (0, "They say the same.\n")


def test_published_trees_are_proven_and_compared_with_what_a_client_has_kept(
    xgate: Run, country: Country, changed: Country
) -> None:
    anchor = country.folder / "configuration-anchor.xml"
    kept = xgate("globalconf", "diff", country.verification, changed.verification)
    for before, after in (
        (country.web_root, changed.web_root),
        (country.verification, changed.web_root),
        (country.web_root, changed.verification),
    ):
        ran = xgate("globalconf", "diff", before, after, "--anchor", anchor)
        assert (ran.code, ran.out) == (1, kept.out)
    same = xgate("globalconf", "diff", country.web_root, country.verification, "--anchor", anchor)
    assert (same.code, same.out) == (0, "They say the same.\n")


def test_a_tree_needs_its_anchor_and_what_that_proves(
    xgate: Run, country: Country, tmp_path: Path
) -> None:
    anchor = country.folder / "configuration-anchor.xml"
    ran = xgate("globalconf", "diff", country.web_root, country.verification)
    assert ran.code == 2
    assert "for a published one give its --anchor" in ran.err
    ran = xgate("globalconf", "diff", country.verification, tmp_path, "--anchor", anchor)
    assert ran.code == 2
    assert f"{tmp_path} holds no configuration: global_conf_get_version_failed" in ran.err
    late = ("--anchor", anchor, "--at", "2099-01-01")
    ran = xgate("globalconf", "diff", country.web_root, country.web_root, *late)
    assert ran.code == 2
    assert "global_conf_outdated" in ran.err


@pytest.mark.reference
def test_the_references_rotation_is_followed(xgate: Run, golden: Path) -> None:
    """The second tree is proven by a key that only the first one tells of."""
    root = golden / "env-dev-v6"
    anchor = ("--anchor", root / "configuration-anchor.xml")
    initial, rotated = root / "globalconf-initial", root / "globalconf-rotated"
    ran = xgate("globalconf", "diff", initial, rotated, *anchor)
    assert (ran.code, ran.err) == (1, "")
    assert "- DEV: certification service New CA ACME: http://testca:8887" in ran.out.splitlines()
    ran = xgate("globalconf", "diff", rotated, initial, *anchor)
    assert ran.code == 2
    assert "global_conf_missing_verification_cert" in ran.err
