"""Where the OpenSSL provider is that signs TLS handshakes by way of the signer's process.

The rule: OpenSSL reads its configuration once, before the first key; whoever needs the provider
starts a process with this environment. Nothing is loaded here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["find_provider", "provider_environment", "provider_is_named"]

_FOLDER = Path(__file__).resolve().parent
_CONFIGURATION = _FOLDER / "provider.cnf"


def find_provider() -> Path | None:
    """The shared object built from ``csrc/provider``, or None: it was not built."""
    return next(iter(sorted(_FOLDER.glob("_provider*.so"))), None)


def provider_environment() -> Mapping[str, str]:
    """The variables by which OpenSSL finds the provider.

    :raises FileNotFoundError: it was not built.
    """
    found = find_provider()
    if found is None:
        raise FileNotFoundError(f"no OpenSSL provider in {_FOLDER}: install xgate with its C parts")
    return {"OPENSSL_CONF": os.fspath(_CONFIGURATION), "XGATE_PROVIDER": os.fspath(found)}


def provider_is_named() -> bool:
    """Whether this process was started with the provider's environment."""
    return os.environ.get("OPENSSL_CONF") == os.fspath(_CONFIGURATION)
