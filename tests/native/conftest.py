"""The C files and fuzz targets, built with the system compiler once per run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

CSRC = Path(__file__).resolve().parents[2] / "csrc"
TARGETS = sorted((CSRC / "fuzz").glob("fuzz_*.c"))
FLAGS = [
    "-std=c11",
    "-g",
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
    "-Wall",
    "-Wextra",
    "-Werror",
    f"-I{CSRC}",
]

WRAPS = "-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc"

Run = Callable[..., str]  # (target, *arguments) -> what the program said


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        metafunc.parametrize("target", TARGETS, ids=lambda path: path.stem)


def said_by(command: list[str | Path]) -> str:
    """The output of a command; one that fails is quoted."""
    options = {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=8:allocator_may_return_null=1"}
    done = subprocess.run(command, capture_output=True, timeout=300, check=False, env=options)
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{said[-6000:]}"
    return said


def compiler(*names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no C compiler here ({', '.join(names)})")


def runner(folder: Path, compile_with: list[str], link_with: list[str], *extra: Path) -> Run:
    """Builds a target over all C files, each of them once, and runs it."""
    built: set[Path] = set()

    def object_of(source: Path) -> Path:
        made = folder / f"{source.stem}.o"
        if made not in built:
            said_by([*compile_with, "-c", source, "-o", made])
            built.add(made)
        return made

    def run(target: Path, *arguments: str | Path) -> str:
        program = folder / target.stem
        if program not in built:
            objects = map(object_of, [*sorted(CSRC.glob("*.c")), *extra, target])
            said_by([*compile_with, *objects, *link_with, "-lcrypto", "-o", program])
            built.add(program)
        return said_by([program, *arguments])

    return run


@pytest.fixture(scope="session")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a target under ``main.c``: inputs against protected pages, allocations that fail."""
    folder = tmp_path_factory.mktemp("standalone")
    cc = compiler("gcc", "cc", "clang")
    return runner(folder, [cc, *FLAGS], [WRAPS], CSRC / "fuzz" / "main.c")


@pytest.fixture(scope="session")
def libfuzzer(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a target under libFuzzer, where clang has it."""
    folder = tmp_path_factory.mktemp("libfuzzer")
    compile_with = [compiler("clang"), *FLAGS, "-fsanitize=fuzzer"]
    probe = folder / "probe.c"
    probe.write_text("int LLVMFuzzerTestOneInput(void) { return 0; }\n")
    tried = subprocess.run(
        [*compile_with, probe, "-o", folder / "probe"], capture_output=True, check=False
    )
    if tried.returncode:
        pytest.skip("this clang has no libFuzzer; test_sanitizers runs the targets without it")
    return runner(folder, compile_with, [])


@pytest.fixture
def seeds(target: Path) -> Path:
    """The corpus of a target, ``corpus/<name>/``."""
    folder = CSRC / "fuzz" / "corpus" / target.stem.removeprefix("fuzz_")
    assert list(folder.glob("*")), f"{target.name} has no seeds in {folder}"
    return folder
