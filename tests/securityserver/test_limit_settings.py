"""The limits: safe by default, and never without bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.section import SettingsError, read_table

BOUNDS: dict[str, tuple[Any, Any]] = {
    "head-bytes": (1024, 65_536),
    "answer-head-bytes": (1024, 65_536),
    "head-fields": (10, 1000),
    "soap-bytes": (1024, 1 << 30),
    "soap-seconds": (0.1, 86_400),
    "rest-head-bytes": (1024, 65_536),
    "xml-depth": (10, 250),
    "xml-nodes": (1000, 100_000_000),
    "xml-header-elements": (100, 100_000),
    "xml-namespace-chars": (100, 2048),
    "attachments": (0, 1_000_000),
    "part-head-bytes": (1024, 64 << 20),
    "part-heads-bytes": (1024, 1 << 30),
    "part-head-fields": (10, 100_000),
    "part-line-bytes": (100, 16 << 10),
    "part-field-bytes": (100, 1 << 20),
    "multipart-depth": (1, 100),
    "multiparts": (0, 10_000),
    "ocsp-parts": (1, 32),
    "ocsp-bytes": (1024, 65_536),
    "signature-bytes": (16 << 10, 1 << 20),
    "chain-result-bytes": (1024, 4 << 20),
    "chain-bytes": (16 << 10, 4 << 20),
    "fault-bytes": (1024, 16 << 20),
    "body-bytes": (1, 1 << 40),
    "connections": (1, 1_000_000),
    "connections-per-address": (1, 1_000_000),
    "connections-per-server": (1, 1_000_000),
    "idle-seconds": (0.1, 86_400),
    "handshake-seconds": (0.1, 86_400),
    "head-seconds": (0.1, 86_400),
    "pause-seconds": (0.1, 86_400),
    "bytes-per-second": (0, 1 << 30),
    "request-seconds": (0, 86_400),
    "exchanges": (1, 1_000_000),
    "exchanges-waiting": (1, 1_000_000),
    "wait-seconds": (0.1, 86_400),
    "memory-bytes": (1 << 20, 1 << 40),
    "late-seconds": (0.1, 86_400),
    "slow-log-seconds": (0.1, 86_400),
    "drain-seconds": (0, 86_400),
}


@pytest.mark.parametrize("key", BOUNDS)
def test_a_limit_has_bounds(key: str) -> None:
    least, most = BOUNDS[key]
    name = key.replace("-", "_")
    for good in (least, most):
        assert getattr(msgspec.convert({key: good}, LimitSettings), name) == good
    for bad in (least - 1, most + 1):
        with pytest.raises(msgspec.ValidationError, match=key):
            msgspec.convert({key: bad}, LimitSettings)


def test_no_limit_is_without_bounds() -> None:
    assert set(BOUNDS) == set(LimitSettings.__struct_encode_fields__)


def test_a_value_out_of_bounds_is_told_with_its_key(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text("xml-depth = 251\n")
    with pytest.raises(SettingsError, match=r"<= 250 - at `\$\.xml-depth`, and it is 251"):
        read_table(file, LimitSettings)
    file.write_text("xml-deph = 100\n")
    with pytest.raises(SettingsError, match="unknown key 'xml-deph'; did you mean 'xml-depth'"):
        read_table(file, LimitSettings)


def test_every_time_is_bounded_by_default() -> None:
    settings = LimitSettings()
    for name in ("idle", "handshake", "head", "soap", "pause"):
        assert 0 < getattr(settings, f"{name}_seconds") <= 30
    assert settings.bytes_per_second
