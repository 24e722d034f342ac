"""``[health]``: nobody is told unless a port is named, and no memory is too much."""

from __future__ import annotations

from xgate.securityserver.health_settings import HealthSettings


def test_it_is_off_by_default() -> None:
    settings = HealthSettings()
    assert not settings.hardware
    assert (settings.port, settings.admin_port, settings.memory_megabytes) == (None, None, 0)
