"""What is handed out can be built elsewhere: the source distribution holds all it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BACKEND = """import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"""


def build(kind: str, source: Path, target: Path) -> Path:
    """Call the build backend as an installer would; the path of what it made."""
    command = [sys.executable, "-W", "ignore", "-c", BACKEND, kind, str(target)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target / done.stdout.strip().rpartition("\n")[2]


def tracked(target: Path) -> Path:
    """A copy of the files under version control, so that no local leftover can help the build."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def test_a_wheel_can_be_built_from_the_source_distribution(tmp_path: Path) -> None:
    checkout = tracked(tmp_path / "checkout")
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    archive = build("build_sdist", checkout, tmp_path)
    subprocess.run(["tar", "-xzf", archive, "-C", unpacked], check=True)
    (source,) = unpacked.iterdir()
    with zipfile.ZipFile(build("build_wheel", source, tmp_path)) as wheel:
        names = set(wheel.namelist())
    assert {"xgate/py.typed", "xgate/__main__.py", "xgate/securityserver/run.py"} <= names
    assert any(name.startswith("xgate/_native/_xg.") for name in names)
    assert any(name.startswith("xgate/_native/_provider.") for name in names)
    assert "xgate/_native/provider.cnf" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "csrc/", "benches/")) for name in names)
