"""What a change of a large global configuration costs: CPU, the loop's longest stall, memory.

A synthetic country is written as a configuration client keeps it; a loader as that of ``xgate
serve`` takes it up in a thread, and then takes up a changed one, while a task of the loop looks at
the clock every millisecond. The stall is by how much the loop was late at most.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import trio

from gauges import commit_now, machine
from reload import reload_under_load
from workload import TOKENS
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.disk import DiskSource, write_metadata
from xgate.globalconf.generate import write_private, write_shared
from xgate.globalconf.private import ManagementService, PrivateParameters
from xgate.globalconf.shared import (
    GlobalGroup,
    Member,
    MemberClass,
    SecurityServer,
    SharedParameters,
    Source,
    Subsystem,
)
from xgate.globalconf.source import StoredPart
from xgate.ids import ClientId, GlobalGroupId, ServerId

_NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
_INSTANCE = "XX"
_MEMBERS_OF_SERVER = 20
_TICK = 0.001
_LOOKUPS = 20_000
_BATCH = 100


def make_country(members: int, instance: str = _INSTANCE) -> SharedParameters:
    """A country: every member has a subsystem, every 20 share a server, every tenth is in a group.

    Half a kilobyte of XML for each member.
    """
    companies = MemberClass("COM", "Companies")
    owners = [ClientId(instance, "COM", f"{10_000_000 + n}") for n in range(members)]
    clients = [msgspec.structs.replace(owner, subsystem_code="main") for owner in owners]
    named = (Subsystem("main", "Main"),)
    servers = [
        SecurityServer(
            owners[first],
            f"SS{first}",
            f"ss{first}.example.org",
            (hashlib.sha256(b"%d" % first).digest(),),
            tuple(clients[first : first + _MEMBERS_OF_SERVER]),
        )
        for first in range(0, members, _MEMBERS_OF_SERVER)
    ]
    return SharedParameters(
        instance,
        (Source("cs.example.org", (b"1",), (b"2",)),),
        members=tuple(
            Member(companies, owner.member_code, f"Company number {n}", named)
            for n, owner in enumerate(owners)
        ),
        servers=tuple(servers),
        groups=(GlobalGroup("tenth", "Every tenth", tuple(clients[::10])),),
        member_classes=(companies,),
    )


def keep(root: Path, country: SharedParameters) -> int:
    """Write it where a configuration client would; the octets of its shared parameters."""
    (root / _INSTANCE).mkdir(parents=True, exist_ok=True)
    (root / "instance-identifier").write_text(_INSTANCE)
    management = ManagementService("https://cs", ClientId(_INSTANCE, "COM", "1"))
    private = PrivateParameters(_INSTANCE, management, 60)
    expires = _NOW + timedelta(days=1)
    octets = write_shared(country)
    for name, content in (
        ("shared-params.xml", octets),
        ("private-params.xml", write_private(private)),
    ):
        part = StoredPart(_INSTANCE, name, content, version=6, expires=expires)
        (root / _INSTANCE / name).write_bytes(content)
        (root / _INSTANCE / f"{name}.metadata").write_bytes(write_metadata(part))
    return len(octets)


def start(folder: Path, members: int) -> dict[str, float]:
    """Take a configuration up as a server does that starts; for a process of its own."""
    rss = _memory("Rss:")
    began, used = time.perf_counter(), time.process_time()
    source = DiskSource(folder / "globalconf", folder / "snapshots")
    conf = source.fetch(_NOW).conf
    took, cpu = time.perf_counter() - began, time.process_time() - used
    return {
        "start_ms": took * 1000,
        "start_cpu_ms": cpu * 1000,
        **look_ups(conf, members),
        "grown_mb": _memory("Rss:") - rss,
        "dirty_mb": _memory("Private_Dirty:"),
    }


def look_ups(conf: GlobalConf, members: int) -> dict[str, float]:
    """What questions cost: of many clients in random order, each asked about once, and again."""
    draw = Random(1)
    codes = [10_000_000 + number for number in draw.sample(range(members), members)[:_LOOKUPS]]
    nobodies = [draw.randrange(10_000_000) for _ in codes]
    few = codes[:_BATCH] * (len(codes) // _BATCH)
    group = GlobalGroupId(_INSTANCE, "tenth")
    server = ServerId(ClientId(_INSTANCE, "COM", "10000000"), "SS0")
    return {
        "look_up_first_ns": _median_ns(conf.find_member, codes),
        "look_up_again_ns": _median_ns(conf.find_member, few),
        "look_up_nobody_ns": _median_ns(conf.find_member, nobodies),
        "known_ns": _median_ns(conf.knows_member, codes),
        "addresses_first_ns": _median_ns(conf.provider_addresses, codes),
        "addresses_again_ns": _median_ns(conf.provider_addresses, few),
        "in_group_ns": _median_ns(lambda client: conf.is_in_group(client, group), codes),
        "on_server_ns": _median_ns(lambda client: conf.is_client_of(client, server), codes),
    }


def _median_ns(ask: Callable[[ClientId], object], codes: list[int]) -> float:
    """Of batches; a client is new when it is asked about, as in a message."""
    took = []
    for start in range(0, len(codes), _BATCH):
        batch = codes[start : start + _BATCH]
        clients = [ClientId(_INSTANCE, "COM", str(code), "main") for code in batch]
        began = time.thread_time_ns()
        for client in clients:
            ask(client)
        took.append((time.thread_time_ns() - began) / len(clients))
    return statistics.median(took)


async def reload(folder: Path, country: SharedParameters) -> dict[str, Any]:
    """Take one configuration up, and a changed one while the loop's lateness is watched."""
    source = DiskSource(folder / "globalconf", folder / "snapshots")
    await trio.to_thread.run_sync(source.fetch, _NOW)
    quiet = await _longest_stall(trio.sleep, 1.0)
    keep(folder / "globalconf", msgspec.structs.replace(country, ocsp_freshness_seconds=61))
    child = _children_cpu()
    here: list[float] = []
    began = time.perf_counter()
    stall = await _longest_stall(trio.to_thread.run_sync, _fetch, source, here)
    return {
        "reload_s": time.perf_counter() - began,
        "reload_cpu_apart_s": _children_cpu() - child,
        "reload_cpu_here_s": here[0],
        "longest_stall_ms": stall * 1000,
        "longest_stall_quiet_ms": quiet * 1000,
    }


def _fetch(source: DiskSource, used: list[float]) -> None:
    began = time.thread_time()
    source.fetch(_NOW)
    used.append(time.thread_time() - began)


async def _longest_stall(work: Any, *arguments: Any) -> float:
    """By how many seconds a task that sleeps a millisecond woke up late, at most, meanwhile."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = time.perf_counter()
            await trio.sleep(_TICK)
            longest = max(longest, time.perf_counter() - began - _TICK)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await work(*arguments)
        nursery.cancel_scope.cancel()
    return longest


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(name: str) -> float:
    text = Path("/proc/self/smaps_rollup").read_text()
    (kilobytes,) = (line.split()[1] for line in text.splitlines() if line.startswith(name))
    return int(kilobytes) / 1024


def measure(members: int, folder: Path) -> dict[str, Any]:
    """All numbers of a country of this size."""
    country = make_country(members)
    octets = keep(folder / "globalconf", country)
    reloaded = trio.run(reload, folder, country)
    snapshots = sum(path.stat().st_size for path in (folder / "snapshots").glob("*"))
    command = [sys.executable, __file__, "--start", os.fspath(folder), "--members", str(members)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {
        "members": members,
        "xml_mb": octets / 1e6,
        "snapshots_mb": snapshots / 1e6,
        **reloaded,
        **json.loads(done.stdout),
    }


def main() -> int:
    """Measure each size once and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--members", type=int, nargs="+", default=[1_000, 52_000, 200_000])
    parser.add_argument("--messages", action="store_true", help="two servers, under load")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load")
    parser.add_argument("--rate", type=float, default=50.0, help="messages per second")
    parser.add_argument("--token", choices=sorted(TOKENS), default="rsa", help="all keys' kind")
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.start is not None:
        print(json.dumps(start(options.start, *options.members)))
        return 0
    sizes = []
    for members in options.members:
        with tempfile.TemporaryDirectory(prefix="xgate-bench-") as folder:
            if options.messages:
                more = make_country(members, "XG")
                under_load = trio.run(reload_under_load, options, more, Path(folder))
                sizes.append({"members": members, **under_load})
            else:
                sizes.append(measure(members, Path(folder)))
    if options.json:
        print(json.dumps({"sizes": sizes, **machine(), **commit_now()}))
    elif options.messages:
        for size in sizes:
            _print_loads(size)
    else:
        for name in sizes[0]:
            print(f"{name:24}" + "".join(f"{size[name]:>14,.2f}" for size in sizes))
    failed = [load for size in sizes for load in (size.get("quiet"), size.get("reload")) if load]
    return 1 if any(load["failed"] for load in failed) else 0


def _print_loads(size: dict[str, Any]) -> None:
    """Both loads of one size, side by side."""
    told = f"{size['members']:,} members, {size['token']}, {size['rate']:g} messages/s"
    print(f"{told:44}{'quiet':>14}{'reload':>14}")
    for name, quiet in size["quiet"].items():
        shown = (
            f"{value:,.1f}" if isinstance(value, float) else str("" if value is None else value)
            for value in (quiet, size["reload"][name])
        )
        print(f"{name:44}" + "".join(f"{text:>14}" for text in shown))


if __name__ == "__main__":
    sys.exit(main())
