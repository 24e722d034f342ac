"""The OpenSSL provider: found where it was built, and loaded as its configuration says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from xgate._native import provider
from xgate._native.provider import find_provider, provider_environment, provider_is_named


def test_it_is_named_for_other_processes() -> None:
    environment = provider_environment()
    assert Path(environment["XGATE_PROVIDER"]) == find_provider()
    assert "[xgate_provider]" in Path(environment["OPENSSL_CONF"]).read_text()


def test_whether_this_process_has_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENSSL_CONF", raising=False)
    assert not provider_is_named()
    monkeypatch.setenv("OPENSSL_CONF", provider_environment()["OPENSSL_CONF"])
    assert provider_is_named()


def test_without_it_the_mend_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(provider, "_FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="install xgate with its C parts"):
        provider_environment()


def test_the_systems_openssl_loads_it_beside_its_own() -> None:
    environment = {**os.environ, **provider_environment()}
    done = subprocess.run(
        ["openssl", "list", "-providers"], env=environment, capture_output=True, check=True
    )
    assert b"xgate: keys that the signer holds" in done.stdout
    assert b"OpenSSL Default Provider" in done.stdout
