"""``xgate globalconf show``: what folders hold."""

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
from xgate.sandbox.publication import publish_country

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def now() -> datetime:
    return SystemClock().now()


@pytest.fixture(scope="session")
def country(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Country:
    return found_country(tmp_path_factory.mktemp("country"), now, kind="P-256")


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


def test_a_folder_without_a_configuration_is_named(xgate: Run, tmp_path: Path) -> None:
    ran = xgate("globalconf", "show", tmp_path)
    assert ran.code == 2
    assert "holds no configuration" in ran.err


@pytest.mark.reference
def test_a_folder_of_the_references_client_is_shown(xgate: Run, golden: Path) -> None:
    folder = golden / "globalconf" / "good_v6"
    said = json.loads(xgate("globalconf", "show", folder, "--json").out)
    assert {one["instance"] for one in said["instances"]} == set(
        read_disk(folder, SystemClock().now()).conf.instances
    )
    assert {"EE", "foo_v2", "baz_v3", "quux_v5"} < {one["instance"] for one in said["instances"]}
