"""``[globalconf]``: by default downloaded by an anchor that lies beside the settings."""

from __future__ import annotations

from xgate.securityserver.conf_settings import GlobalconfSettings


def test_by_default_it_is_downloaded_every_minute() -> None:
    settings = GlobalconfSettings()
    assert (settings.use, settings.anchor) == ("http", "configuration-anchor.xml")
    assert (settings.directory, settings.refresh_seconds) == ("globalconf", 60.0)


def test_no_partner_is_asked_and_https_is_verified_unless_it_is_said() -> None:
    settings = GlobalconfSettings()
    assert (settings.allowed_federations, settings.accept_older) == ((), False)
    assert (settings.connect_seconds, settings.answer_seconds) == (10.0, 30.0)
    assert settings.tls_verification
    assert settings.hostname_verification
