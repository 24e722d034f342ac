"""A configuration proxy's settings: the reference's file is read, and ours is one of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.anchor import read_anchor
from xgate.globalconf.proxy_settings import (
    ProxySettings,
    read_proxy_settings,
    write_proxy_settings,
)

KEY_IDS = st.text("0123456789ABCDEF", min_size=1, max_size=40)


@pytest.mark.reference
def test_the_references_proxy(golden: Path) -> None:
    folder = golden / "configuration-proxy/PROXY1"
    active = "42AD4C9CB6C934DB0E2B62785137BBD099FEEF56"
    other = "7D62C49CD3FE763A73EB1499F244BB1F1DEED6BB"
    settings = read_proxy_settings((folder / "conf.ini").read_bytes())
    assert settings == ProxySettings(600, active, {1: active, 2: other, 3: active})
    assert read_anchor((folder / "anchor.xml").read_bytes()).sources


def test_keys_below_a_section_count_as_well() -> None:
    text = b"[configuration-proxy]\nvalidity-interval-seconds = 60\nsigning-key-id-2 = B\n"
    assert read_proxy_settings(text) == ProxySettings(60, None, {2: "B"})


def test_of_several_active_keys_the_first_counts() -> None:
    text = b"validity-interval-seconds=60\nactive-signing-key-id=A\nactive-signing-key-id=B\n"
    assert read_proxy_settings(text).active_key == "A"


@pytest.mark.parametrize("value", ["", "-1", "0", "ten", "1e3", "9999999999"])
def test_a_validity_that_is_none_is_named(value: str) -> None:
    with pytest.raises(Fault, match=f"validity-interval-seconds must be .*, not '{value}'"):
        read_proxy_settings(f"validity-interval-seconds = {value}\n".encode())


@given(
    st.builds(
        ProxySettings,
        st.integers(1, 10**6),
        st.none() | KEY_IDS,
        st.dictionaries(st.integers(1, 999_999), KEY_IDS, max_size=4).map(
            lambda keys: dict(sorted(keys.items()))
        ),
    )
)
def test_what_is_written_is_read(settings: ProxySettings) -> None:
    assert read_proxy_settings(write_proxy_settings(settings)) == settings
