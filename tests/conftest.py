"""What every test may ask for: the reference's data, or a clear reason why it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
