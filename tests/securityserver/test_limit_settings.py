"""The limits: safe by default, and never without bounds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from xgate.securityserver.limit_settings import LimitSettings

BOUNDS: dict[str, tuple[Any, Any]] = {
    "head-bytes": (1024, 65_536),
    "head-fields": (10, 1000),
    "soap-bytes": (1024, 1 << 30),
    "attachments": (0, 1_000_000),
    "part-head-bytes": (1024, 64 << 20),
    "part-heads-bytes": (1024, 1 << 30),
    "multipart-depth": (1, 100),
    "body-bytes": (1, 1 << 40),
    "connections": (1, 1_000_000),
    "connections-per-address": (1, 1_000_000),
    "connections-per-server": (1, 1_000_000),
    "pause-seconds": (0.1, 86_400),
    "bytes-per-second": (0, 1 << 30),
    "request-seconds": (0, 86_400),
    "exchanges": (1, 1_000_000),
    "exchanges-waiting": (1, 1_000_000),
    "wait-seconds": (0.1, 86_400),
    "memory-bytes": (1 << 20, 1 << 40),
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


def test_every_time_is_bounded_by_default() -> None:
    settings = LimitSettings()
    for name in ("idle", "handshake", "head", "pause"):
        assert 0 < getattr(settings, f"{name}_seconds") <= 30
    assert settings.bytes_per_second
