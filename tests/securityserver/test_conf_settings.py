"""``[globalconf]``: by default downloaded by an anchor that lies beside the settings."""

from __future__ import annotations

from xgate.securityserver.conf_settings import GlobalconfSettings


def test_by_default_it_is_downloaded_every_minute() -> None:
    settings = GlobalconfSettings()
    assert (settings.use, settings.anchor) == ("http", "configuration-anchor.xml")
    assert (settings.directory, settings.refresh_seconds) == ("globalconf", 60.0)
