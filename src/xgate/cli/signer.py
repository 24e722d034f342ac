"""``xgate signer``: hold the keys of servers until told to stop."""

from __future__ import annotations

from pathlib import Path

from xgate.cli.process import read_settings, run_until_told
from xgate.securityserver.signer_process import run_signer
from xgate.signer.hardening import harden_process

__all__ = ["signer"]


def signer(*, config: Path) -> int:
    """Hold the keys of servers, and sign for them, in a process of its own.

    It opens the tokens of the settings file and serves the Unix socket named there ([keys] signer);
    `xgate serve` with the same file then holds no keys. SIGTERM or SIGINT makes it answer what was
    asked and exit with 0; a second one stops it at once.

    :param config: The settings file (TOML) of the server; relative paths in it start at its folder.
    """
    settings = read_settings(config)
    return run_until_told(run_signer, settings, config, harden_process())
