"""Optional parts: the reference's valid ones are read, its invalid ones refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.generate import (
    write_fetch_interval,
    write_monitoring_client,
    write_verify_next_update,
)
from xgate.globalconf.optional import (
    Settings,
    read_fetch_interval,
    read_monitoring_client,
    read_verify_next_update,
)
from xgate.ids import ClientId

READERS = (read_fetch_interval, read_monitoring_client, read_verify_next_update)


@pytest.mark.reference
def test_valid_parts(golden: Path) -> None:
    parts = golden / "globalconf/parts"
    assert read_fetch_interval((parts / "valid-fetchinterval-params.xml").read_bytes()) == 500
    monitoring = read_monitoring_client((parts / "valid-monitoring-params.xml").read_bytes())
    assert monitoring == ClientId("fdev", "GOV", "66655666")
    stored = read_monitoring_client((parts / "monitoring-params-EE.xml").read_bytes())
    assert stored == ClientId("EE", "BUSINESS", "producer")


@pytest.mark.reference
def test_invalid_parts(golden: Path) -> None:
    parts = golden / "globalconf/parts"
    with pytest.raises(Fault, match="malformed_global_conf"):
        read_monitoring_client((parts / "invalid-monitoring-params.xml").read_bytes())
    with pytest.raises(Fault, match="malformed_global_conf"):
        read_verify_next_update((parts / "invalid-nextupdate-params.xml").read_bytes())


def test_defaults() -> None:
    assert Settings() == Settings(1200, verify_next_update=True, monitoring_client=None)


@given(st.integers(1, 2**31 - 1), st.booleans())
def test_what_is_written_is_read(seconds: int, verify: bool) -> None:
    assert read_fetch_interval(write_fetch_interval(seconds)) == seconds
    assert read_verify_next_update(write_verify_next_update(verify)) is verify


@pytest.mark.parametrize("client", [None, ClientId("a", "b", "c"), ClientId("a", "b", "c", "d")])
def test_a_monitoring_client_or_none(client: ClientId | None) -> None:
    assert read_monitoring_client(write_monitoring_client(client)) == client


@pytest.mark.parametrize("read", READERS)
def test_a_part_of_another_kind_is_refused(read: Callable[[bytes], object]) -> None:
    for data in (
        write_fetch_interval(0),
        write_fetch_interval(2**31),
        write_verify_next_update(True).replace(b"true", b"yes"),
        write_monitoring_client(ClientId("a", "b", "c")).replace(b"MEMBER", b"SERVICE"),
    ):
        with pytest.raises(Fault, match="malformed_global_conf"):
            read(data)


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(READERS))
def test_garbage_gives_only_faults(data: bytes, read: Callable[[bytes], object]) -> None:
    with pytest.raises(Fault, match="malformed_global_conf"):
        read(data)
