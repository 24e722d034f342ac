"""The settings of the ways to peers: the reference's values, and bounds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from xgate.securityserver.peer_settings import PeerSettings


def test_the_defaults_are_the_references() -> None:
    settings = PeerSettings()
    assert (settings.server_port, settings.ocsp_port) == (5500, 5577)
    assert (settings.connect_timeout, settings.remember_seconds) == (30, 3600)
    assert settings.idle_seconds < 30  # after which the reference closes


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("server-port", 65535, 65536),
        ("connect-timeout", 600, 601),
        ("patience-seconds", 0.1, 0),
        ("remember-seconds", 0, -1),
        ("answer-seconds", 0, -1),
        ("rest-seconds", 0, -1),
        ("idle-seconds", 3600, 3601),
        ("idle-per-provider", 0, -1),
        ("idle-connections", 0, -1),
    ],
)
def test_values_have_bounds(key: str, good: Any, bad: Any) -> None:
    read = msgspec.convert({key: good}, PeerSettings)
    assert getattr(read, key.replace("-", "_")) == good
    with pytest.raises(msgspec.ValidationError, match=key):
        msgspec.convert({key: bad}, PeerSettings)
