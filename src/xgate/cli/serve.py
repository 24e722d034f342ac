"""``xgate serve``: run a security server until it is told to stop.

The rule: a server whose keys are in the signer's process needs OpenSSL's provider from its first
moment, so it starts itself once more with the environment that names it.
"""

from __future__ import annotations

from pathlib import Path

from xgate._native.provider import provider_is_named
from xgate.cli.output import Unusable
from xgate.cli.process import read_settings, run_until_told, start_again_with_provider
from xgate.net.descriptors import take_descriptors
from xgate.securityserver.run import run_server
from xgate.signer.hardening import harden_process

__all__ = ["serve"]


def serve(*, config: Path) -> int:
    """Run a member's security server.

    It writes one JSON line per event and exchange to standard error. SIGTERM or SIGINT makes it
    finish the exchanges that are running and exit with 0; a second one stops it at once.

    :param config: The settings file (TOML); relative paths in it start at its folder.
    """
    settings = read_settings(config)
    if settings.keys.signer and not provider_is_named():
        try:
            start_again_with_provider()
        except FileNotFoundError as error:
            raise Unusable(f"[keys] signer: {error}") from None
    take_descriptors()
    hardened = harden_process(lock=not settings.keys.signer)
    return run_until_told(run_server, settings, config, hardened)
