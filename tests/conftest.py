"""What every test may ask for: the reference's data and a database, or why they are absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from xgate.testing.postgres import Cluster, find_postgres
from xgate.testing.softhsm import SoftHsm, find_softhsm

# How long an example takes says what else the machine does; speed is measured in benches.
hypothesis.settings.register_profile("xgate", deadline=None)
hypothesis.settings.load_profile("xgate")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of data that the reference implementation made, beside the project."""
    folder = SHARED / "golden"
    if folder.is_dir():
        return folder
    if os.environ.get("CI"):
        pytest.fail(f"the reference data must be present in CI, and {folder} is not there")
    pytest.skip("the reference data (../shared/golden) is not beside this checkout")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server of the tests' own; each test empties its database first."""
    programs = find_postgres()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL must be installed in CI (Debian's package postgresql)")
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    with Cluster(programs) as cluster:
        yield cluster


@pytest.fixture
def softhsm(tmp_path: Path) -> Iterator[SoftHsm]:
    """A SoftHSM2 store of the test's own, which modules that are opened in this process use."""
    library = find_softhsm()
    if library is None:
        if os.environ.get("CI"):
            pytest.fail("SoftHSM2 must be installed in CI (Debian's package softhsm2)")
        pytest.skip("SoftHSM2 is not installed (Debian's package softhsm2)")
    store = SoftHsm(library, tmp_path / "softhsm")
    with store.in_this_process():
        yield store
