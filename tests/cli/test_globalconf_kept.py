"""``xgate globalconf show`` and ``diff``: what folders hold, and what differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xgate.clock import SystemClock
from xgate.globalconf.disk import read_disk
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
def changed(tmp_path: Path, country: Country, now: datetime) -> Path:
    """The country's folder after its registry has changed."""
    shared = describe_country(country)
    first, *others = shared.servers
    moved = msgspec.structs.replace(first, address="10.0.0.1", maintenance="until noon")
    changed = msgspec.structs.replace(
        shared, servers=(moved, *others), timestamping_services=(), ocsp_freshness_seconds=60
    )
    other = msgspec.structs.replace(country, folder=tmp_path)
    publish_country(other, now, changed)
    return other.verification


def test_a_folder_that_is_valid_is_shown(xgate: Run, country: Country) -> None:
    ran = xgate("globalconf", "show", country.verification, "--members", "--servers")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("valid  XG (own instance)\n  lists        2 members, 2 subsystems\n")
    assert "  XG/GOV/200/registry: Registry" in ran.out
    assert "  XG/COM/100/CONSUMER: 127.0.0.2" in ran.out
    assert "shared-params.xml" in ran.out


def test_a_script_gets_one_object(xgate: Run, country: Country) -> None:
    said = json.loads(xgate("globalconf", "show", country.verification, "--facts", "--json").out)
    (instance,) = said["instances"]
    assert (instance["instance"], instance["own"], instance["valid"]) == ("XG", True, True)
    assert instance["servers"] == 2
    assert said["facts"]["own instance"] == "XG"


def test_one_that_has_expired_is_shown_and_not_valid(
    xgate: Run, country: Country, tmp_path: Path, now: datetime
) -> None:
    other = msgspec.structs.replace(country, folder=tmp_path)
    publish_country(other, now - timedelta(days=60))
    ran = xgate("globalconf", "show", other.verification)
    assert ran.code == 1
    assert ran.out.startswith("NOT VALID  XG (own instance)")


@pytest.mark.parametrize("command", ["show", "diff"])
def test_a_folder_without_a_configuration_is_named(
    xgate: Run, command: str, tmp_path: Path
) -> None:
    ran = xgate("globalconf", command, tmp_path, *([tmp_path] if command == "diff" else []))
    assert ran.code == 2
    assert "holds no configuration" in ran.err


def test_what_differs_is_told_line_by_line(xgate: Run, country: Country, changed: Path) -> None:
    ran = xgate("globalconf", "diff", country.verification, changed)
    lines = ran.out.splitlines()
    assert ran.code == 1
    assert "~ XG: server XG/COM/100/CONSUMER address: 127.0.0.2 -> 10.0.0.1" in lines
    assert "+ XG: server XG/COM/100/CONSUMER in maintenance: until noon" in lines
    assert any(line.startswith("- XG: timestamping service http://127.0.0.1:") for line in lines)
    assert "~ XG: OCSP freshness: 3600 s -> 60 s" in lines
    said = json.loads(xgate("globalconf", "diff", country.verification, changed, "--json").out)
    assert said["same"] is False
    assert {"what", "before", "after"} == set(said["changes"][0])


def test_the_same_is_the_same(xgate: Run, country: Country) -> None:
    ran = xgate("globalconf", "diff", country.verification, country.verification)
    assert (ran.code, ran.out) == (0, "They say the same.\n")


@pytest.mark.reference
def test_a_folder_of_the_references_client_is_shown(xgate: Run, golden: Path) -> None:
    folder = golden / "globalconf" / "good_v6"
    said = json.loads(xgate("globalconf", "show", folder, "--json").out)
    assert {one["instance"] for one in said["instances"]} == set(
        read_disk(folder, SystemClock().now()).conf.instances
    )
    assert {"EE", "foo_v2", "baz_v3", "quux_v5"} < {one["instance"] for one in said["instances"]}
