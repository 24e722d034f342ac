"""What a log store takes in: ``python store.py --help``.

The rule: real stores on a real disk, every batch durable when it counts; records as exchanges make
them (a signature document for each batch, a hash chain for each message, 4 KB of body that does not
compress). PostgreSQL is a server of our own in the folder for temporary files. Speed is told
together with what the disk did at that moment: a batch costs at least one sync.
"""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from gauges import commit_now, fsync_p50_ms, machine
from xgate.ids import ClientId
from xgate.messagelog.postgres import PostgresStore
from xgate.messagelog.record import Record, new_key
from xgate.messagelog.record_keys import RecordKeys
from xgate.messagelog.sealed import SealedStore
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.store import LogStore
from xgate.testing.postgres import Cluster, find_postgres
from xgate.trust.verify import Evidence

__all__ = ["BATCHES", "measure"]

BATCHES = (1, 10, 100)
_BODY_OCTETS = 4096
_SIGNATURE_OCTETS, _CHAIN_OCTETS, _RESULT_OCTETS = 6000, 900, 600
_OWNER = ClientId("XG", "COM", "777", "app")
_RECORDS_PER_EXCHANGE = 2  # at one server
Opened = tuple[LogStore, Callable[[], int]]
"""A store, and how many octets it takes on the disk now."""


def records(count: int) -> list[Record]:
    """One batch: as the signer merges it, and as the log gets it."""
    many = count > 1
    signature, result = _text(_SIGNATURE_OCTETS), _text(_RESULT_OCTETS) if many else None
    return [
        Record(
            time=datetime.now(UTC),
            owner=_OWNER,
            query_id=secrets.token_hex(16),
            request_id=secrets.token_hex(18),
            response=bool(number % 2),
            message=_text(_BODY_OCTETS),
            attachments=(),
            evidence=Evidence(signature, result, _text(_CHAIN_OCTETS) if many else None),
            client=_OWNER,
            service="XG/GOV/200/registry/look",
            key=new_key(),
        )
        for number in range(count)
    ]


def measure(opened: Opened, batch: int, seconds: float) -> dict[str, float]:
    """Append batches of one size for a while."""
    store, size = opened
    store.append(records(batch))
    took: list[float] = []
    before, count = size(), 0
    while sum(took) < seconds:
        made = records(batch)
        began = time.perf_counter()
        store.append(made)
        took.append(time.perf_counter() - began)
        count += batch
    return {
        "rows_per_s": count / sum(took),
        "commit_p50_ms": 1000 * statistics.median(took),
        "commit_p99_ms": 1000 * sorted(took)[int(len(took) * 0.99)],
        "bytes_per_exchange": _RECORDS_PER_EXCHANGE * (size() - before) / count,
    }


def _text(octets: int) -> bytes:
    return base64.b64encode(secrets.token_bytes(octets * 3 // 4))[:octets]


@contextmanager
def _sqlite(folder: Path, keys: RecordKeys) -> Iterator[Opened]:
    path = folder / f"{secrets.token_hex(4)}.sqlite"
    store = SqliteStore(path)

    def size() -> int:
        # A reader of its own: what is in the write-ahead log counts, what it has over does not.
        with closing(sqlite3.connect(path)) as db:
            return int(db.execute("PRAGMA page_count").fetchone()[0]) * 4096

    try:
        yield SealedStore(store, keys), size
    finally:
        store.close()


@contextmanager
def _postgres(conninfo: str) -> Iterator[Opened]:
    store = PostgresStore(conninfo)

    def size() -> int:
        with psycopg.connect(conninfo) as db:
            (octets,) = db.execute("SELECT pg_database_size(current_database())").fetchall()[0]
            return int(octets)

    try:
        yield store, size
    finally:
        store.close()


def _measure_all(folder: Path, seconds: float, told: Sequence[str]) -> dict[str, Any]:
    clear, aes = RecordKeys({}), RecordKeys({"k": secrets.token_bytes(32)}, "k")
    stores: dict[str, Callable[[], Any]] = {
        "sqlite": lambda: _sqlite(folder, clear),
        "sqlite, encrypted": lambda: _sqlite(folder, aes),
    }
    with ExitStack() as stack:
        programs = find_postgres()
        if programs is not None and "postgres" in told:
            cluster = stack.enter_context(Cluster(programs))
            stores["postgres"] = lambda: _postgres(cluster.empty_database())
        found: dict[str, Any] = {}
        for name, open_store in stores.items():
            if name in told:
                found[name] = {}
                for batch in BATCHES:
                    with open_store() as opened:
                        found[name][str(batch)] = measure(opened, batch, seconds)
        return found


def main() -> int:
    """Measure all stores and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each batch size")
    parser.add_argument("--folder", type=Path, help="where the disk to be measured is")
    names = ("sqlite", "sqlite, encrypted", "postgres")
    parser.add_argument("--stores", nargs="+", default=names, choices=names)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        sync_ms = fsync_p50_ms(Path(folder))
        found = _measure_all(Path(folder), options.seconds, options.stores)
    if options.json:
        facts = {"fsync_p50_ms": sync_ms, **machine(), **commit_now()}
        print(json.dumps({"stores": found, "body_octets": _BODY_OCTETS, **facts}))
        return 0
    print(f"one sync of this disk now: {sync_ms:.2f} ms (median)")
    for name, batches in found.items():
        for batch, numbers in batches.items():
            print(
                f"{name:18} batch of {batch:>3}: {numbers['rows_per_s']:9,.0f} rows/s, "
                f"commit {numbers['commit_p50_ms']:7.2f} ms (p99 {numbers['commit_p99_ms']:7.2f}), "
                f"{numbers['bytes_per_exchange']:9,.0f} bytes per exchange"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
