"""From files to a configuration: what must make sense, what may not, and what is not read twice."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from xgate.errors import Fault
from xgate.globalconf.generate import (
    write_fetch_interval,
    write_monitoring_client,
    write_private,
    write_shared,
    write_verify_next_update,
)
from xgate.globalconf.private import PrivateParameters
from xgate.globalconf.shared import SharedParameters
from xgate.globalconf.source import StoredPart, assemble
from xgate.ids import ClientId


@pytest.fixture
def parts(
    country: SharedParameters, private_parameters: PrivateParameters, expires: datetime
) -> tuple[StoredPart, ...]:
    return (
        StoredPart("XX", "shared-params.xml", write_shared(country), version=6, expires=expires),
        StoredPart("XX", "private-params.xml", write_private(private_parameters), expires=expires),
    )


def with_octets(part: StoredPart, octets: bytes) -> StoredPart:
    return msgspec.structs.replace(part, content=octets)


def test_files_make_a_configuration(
    parts: tuple[StoredPart, ...], country: SharedParameters, expires: datetime
) -> None:
    loaded = assemble("XX", parts)
    instance = loaded.conf.instances["XX"]
    assert (instance.shared, instance.version, instance.expires) == (country, 6, expires)
    assert loaded.conf.warnings == ()
    assert loaded.parts == parts
    assert loaded.find_part("XX", "shared-params.xml") == parts[0]
    assert loaded.find_part("YY", "shared-params.xml") is None


def test_the_earlier_end_counts(parts: tuple[StoredPart, ...], expires: datetime) -> None:
    early = expires - timedelta(minutes=5)
    shared, private = parts[0], msgspec.structs.replace(parts[1], expires=early)
    assert assemble("XX", (shared, private)).conf.instances["XX"].expires == early
    endless = msgspec.structs.replace(parts[1], expires=None)
    assert assemble("XX", (shared, endless)).conf.instances["XX"].expires == expires


def test_what_has_not_changed_is_the_same(parts: tuple[StoredPart, ...], expires: datetime) -> None:
    first = assemble("XX", parts)
    assert assemble("XX", list(parts), previous=first) is first
    later = [msgspec.structs.replace(p, expires=expires + timedelta(minutes=1)) for p in parts]
    second = assemble("XX", later, previous=first)
    assert second.conf.instances["XX"].shared is first.conf.instances["XX"].shared
    assert second.conf.instances["XX"].expires == expires + timedelta(minutes=1)


def test_a_file_must_speak_for_its_instance(parts: tuple[StoredPart, ...]) -> None:
    foreign = msgspec.structs.replace(parts[0], instance="YY")
    with pytest.raises(Fault, match="global_conf_part_invalid_instance_identifier"):
        assemble("XX", (foreign,))


def test_a_malformed_file_is_a_refusal(parts: tuple[StoredPart, ...]) -> None:
    with pytest.raises(Fault, match="malformed_global_conf"):
        assemble("XX", (with_octets(parts[0], b"xxx"), parts[1]))


def test_or_the_old_one_stays_with_its_old_end(
    parts: tuple[StoredPart, ...], country: SharedParameters, expires: datetime
) -> None:
    first = assemble("XX", parts)
    broken = StoredPart(
        "XX", "shared-params.xml", b"xxx", version=6, expires=expires + timedelta(days=1)
    )
    second = assemble("XX", (broken, parts[1]), previous=first, forgiving=True)
    assert second.conf.instances["XX"].shared == country
    assert second.conf.instances["XX"].expires == expires
    assert second.conf.warnings[0].startswith("shared-params.xml of XX is passed over")
    alone = assemble("XX", (broken, parts[1]), forgiving=True)
    assert alone.conf.instances["XX"].shared is None


def test_optional_parts_of_the_own_instance(parts: tuple[StoredPart, ...]) -> None:
    more = (
        StoredPart("XX", "fetchinterval-params.xml", write_fetch_interval(500)),
        StoredPart("XX", "nextupdate-params.xml", write_verify_next_update(False)),
        StoredPart("XX", "monitoring-params.xml", write_monitoring_client(ClientId("a", "b", "c"))),
    )
    conf = assemble("XX", (*parts, *more)).conf
    assert conf.ocsp_fetch_interval == timedelta(seconds=500)
    assert not conf.verify_next_update
    assert conf.monitoring_client == ClientId("a", "b", "c")
    abroad = [msgspec.structs.replace(part, instance="YY") for part in more]
    conf = assemble("XX", (*parts, *abroad)).conf
    assert conf.verify_next_update
    assert conf.monitoring_client is None


def test_a_broken_optional_part_leaves_the_default(parts: tuple[StoredPart, ...]) -> None:
    broken = StoredPart("XX", "nextupdate-params.xml", b"<no/>")
    conf = assemble("XX", (*parts, broken)).conf
    assert conf.verify_next_update
    assert conf.warnings[0].startswith("nextupdate-params.xml is passed over")
    assert conf.instances["XX"].shared is not None
