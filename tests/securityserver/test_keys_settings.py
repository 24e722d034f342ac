"""``[keys]``: a key store beside the settings, and no PIN unless one is named."""

from __future__ import annotations

from xgate.securityserver.keys_settings import KeysSettings


def test_no_pin_is_taken_from_anywhere_by_default() -> None:
    assert KeysSettings() == KeysSettings(store="keys.xgate", pin_file="", pin_env="")
