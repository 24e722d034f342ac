"""``[ocsp]``: as the reference asks by default; what makes no sense is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from xgate.securityserver.ocsp_settings import OcspSettings


def test_by_default_it_is_as_the_reference_does() -> None:
    settings = OcspSettings()
    assert (settings.prioritization, settings.fetch, settings.retry_seconds) == ("none", True, 60)
    assert (settings.connect_seconds, settings.answer_seconds) == (20, 60)
    assert settings.cache_directory == "ocsp-cache"


@pytest.mark.parametrize(
    "table",
    [
        {"prioritization": "cheapest"},
        {"prioritization": "FREE_FIRST"},
        {"retry-seconds": 0.5},
        {"connect-seconds": 0},
        {"cache-responses": 0},
        {"cache-folder": "x"},
    ],
)
def test_what_makes_no_sense_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, OcspSettings)
