"""What ``[tls]`` says when it says nothing."""

from __future__ import annotations

from xgate.securityserver.tls_settings import TlsSettings


def test_the_defaults_are_the_references() -> None:
    settings = TlsSettings()
    assert (settings.certificate, settings.key) == ("", "")
    assert settings.verify_clients
    assert not settings.refuse_expired_clients
    assert not settings.log_clients
