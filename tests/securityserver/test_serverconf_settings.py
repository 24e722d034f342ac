"""``[serverconf]``: in the settings file itself, unless a store is named."""

from __future__ import annotations

from xgate.securityserver.serverconf_settings import ServerconfSettings


def test_clients_stand_in_the_settings_by_default() -> None:
    settings = ServerconfSettings()
    assert (settings.use, settings.path) == ("settings", "serverconf.sqlite")
    assert (settings.conninfo, settings.watch_seconds) == ("", 2.0)
