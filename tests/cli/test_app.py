"""The command as a whole: what it offers, how it refuses, how it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import xgate as package
from xgate.cli import app as module
from xgate.errors import Fault

Run = Callable[..., Any]


def test_it_tells_its_version(xgate: Run) -> None:
    ran = xgate("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"{package.__version__}\n", "")


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_lists_the_commands_and_the_exit_codes(xgate: Run, arguments: tuple[str]) -> None:
    ran = xgate(*arguments)
    assert ran.code == 0
    for name in ("serve", "demo", "verify", "keys", "globalconf"):
        assert f" {name} " in ran.out
    assert "Exit codes: 0" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve",),
        ("demo",),
        ("verify",),
        ("keys", "import"),
        ("keys", "list"),
        ("globalconf", "verify"),
    ],
)
def test_every_command_tells_its_exit_codes_and_options(
    xgate: Run, arguments: tuple[str, ...]
) -> None:
    ran = xgate(*arguments, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert f"Usage: xgate {' '.join(arguments)}" in ran.out
    assert "Exit codes: 0" in ran.out
    assert "--no-" not in ran.out


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (("verfy",), 'Did you mean "verify"?'),
        (("keys", "imprt"), 'Did you mean "import"?'),
        (("keys", "list", "--stor", "x"), "Did you mean --store?"),
    ],
)
def test_a_slip_gets_a_suggestion(xgate: Run, arguments: tuple[str, ...], suggestion: str) -> None:
    ran = xgate(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert suggestion in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("ends", "code", "said"),
    [
        (lambda: None, 0, ""),
        (lambda: 3, 3, ""),
        (Fault("internal_error", "Broken"), 1, "xgate: internal_error: Broken\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_how_a_command_ends(
    xgate: Run, monkeypatch: pytest.MonkeyPatch, ends: Any, code: int, said: str
) -> None:
    def run(*_: object, **__: object) -> object:
        if isinstance(ends, BaseException):
            raise ends
        return ends()

    monkeypatch.setattr(module, "app", run)
    ran = xgate()
    assert (ran.code, ran.err) == (code, said)


def test_a_command_costs_only_what_it_needs() -> None:
    """Asking for the version imports neither TLS nor a server."""
    program = (
        "import sys\n"
        "from xgate.cli import main\n"
        "try:\n    main(['--version'])\n"
        "except SystemExit:\n    pass\n"
        "print(sorted({'trio', 'OpenSSL', 'lxml', 'cryptography'} & set(sys.modules)))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"


def test_the_command_as_a_program() -> None:
    script = Path(sys.executable).parent / "xgate"
    for program in ([sys.executable, "-m", "xgate"], [str(script)]):
        ran = subprocess.run([*program, "--bogus"], capture_output=True, text=True, check=False)
        assert ran.returncode == 2
        assert ran.stdout == ""
        assert ran.stderr.startswith('xgate: Unknown command "--bogus".')
