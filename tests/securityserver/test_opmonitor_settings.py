"""``[opmonitor]``: a week in a file, as the reference keeps it, unless it is switched off."""

from __future__ import annotations

from xgate.securityserver.opmonitor_settings import OpmonitorSettings


def test_a_week_is_kept_in_a_file() -> None:
    settings = OpmonitorSettings()
    assert (settings.use, settings.keep_days, settings.taken) == ("sqlite", 7, 20_000)
    assert settings.free_bytes == 256 << 20


def test_nothing_is_taken_when_nothing_is_kept() -> None:
    assert OpmonitorSettings(use="none").taken == 0
    assert OpmonitorSettings(use="memory", buffer=5).taken == 5
