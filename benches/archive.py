"""What archiving costs: ``python archive.py --help``.

The rule: the real log, real signature documents, real disk; every phase is a process of its own, so
its peak memory is nobody else's. ``memory_grown_mb`` is the peak above what the process took before
its work began: it should not depend on how much is archived.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gauges import fsync_p50_ms, machine
from xgate.ids import ClientId
from xgate.messagelog.archive import Rotation
from xgate.messagelog.archiver import Archiver
from xgate.messagelog.envelope import Envelope, PlainEnvelope
from xgate.messagelog.openpgp import OpenPgpEnvelope
from xgate.messagelog.outbox import Outbox
from xgate.messagelog.record import Record, Stamp, new_key
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.target import FileTarget
from xgate.testing.authority import NOW, Authority
from xgate.trust.archive_read import ArchiveReader
from xgate.trust.verify import Evidence

__all__ = ["measure"]

_OWNER = ClientId("XG", "COM", "777", "app")
_BATCH = 200
_MESSAGE = b"GET\r\n/r1/XG/GOV/2/reg/look\r\nX-Road-Client:XG/COM/777/app\r\nX-Road-Id:1\r\n"


def measure(records: int, body: int, file_bytes: int, encrypt: bool) -> dict[str, Any]:
    """Fill a log, archive it, read the archives; all numbers in one object."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        phases = {}
        for phase in ("fill", "archive", "read"):
            command = [sys.executable, __file__, "--phase", phase, "--folder", name]
            command += ["--records", str(records), "--body-bytes", str(body)]
            command += ["--file-bytes", str(file_bytes), *(["--encrypt"] if encrypt else [])]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            phases[phase] = json.loads(done.stdout)
        return {
            "records": records,
            "body_bytes": body,
            "encrypted": encrypt,
            **phases,
            "fsync_p50_ms": round(fsync_p50_ms(folder), 2),
            "machine": machine(),
        }


def _fill(folder: Path, options: argparse.Namespace) -> float:
    authority = Authority()
    document = authority.sign("/message.xml", _MESSAGE, authority.member(_OWNER))
    body = random.Random(0).randbytes(options.body_bytes)  # as hard to pack as encrypted ones
    record = Record(
        *(NOW, _OWNER, "a-query-of-usual-length", "5d8a6f6e-8b0e-4c2a-8a55-0a3f4f6c9f11", False),
        *(_MESSAGE, (body,), Evidence(document)),
    )
    stamp = Stamp(b"\x30" * 3000, b"<result/>" * 40, b"<chain/>" * 100)
    store = SqliteStore(folder / "log.sqlite")
    for start in range(0, options.records, _BATCH):
        count = min(_BATCH, options.records - start)
        numbers = store.append([_keyed(record) for _ in range(count)])
        store.stamp(dict.fromkeys(numbers, stamp), {})
    store.close()
    return float(options.records * options.body_bytes)


def _keyed(record: Record) -> Record:
    return Record(
        *(record.time, record.owner, record.query_id, record.request_id, record.response),
        *(record.message, record.attachments, record.evidence),
        key=new_key(),
    )


def _archive(folder: Path, options: argparse.Namespace) -> float:
    store = SqliteStore(folder / "log.sqlite")
    envelope: Envelope = PlainEnvelope()
    if options.encrypt:
        import pysequoia

        (folder / "key").write_bytes(bytes(pysequoia.Tsk.generate("server")))
        envelope = OpenPgpEnvelope(folder / "key")
    archiver = Archiver(
        store,
        FileTarget(folder / "archive"),
        Outbox(folder / "outbox"),
        envelope=envelope,
        rotation=Rotation(octets=options.file_bytes, records=options.records),
    )
    upto, octets = store.newest_stamped(), 0
    while done := archiver.archive_next(upto):
        octets += done.size
    store.close()
    return float(octets)


def _read(folder: Path, options: argparse.Namespace) -> float:
    octets = 0
    if options.encrypt:
        return 0.0  # nobody here could decrypt them
    for path in (folder / "archive").glob("*.zip"):
        with path.open("rb") as file:
            octets += sum(len(container) for _, container in ArchiveReader(file).containers())
    return float(octets)


_PHASES: dict[str, Callable[[Path, argparse.Namespace], float]] = {
    "fill": _fill,
    "archive": _archive,
    "read": _read,
}


def _phase(options: argparse.Namespace) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu = time.perf_counter(), time.process_time()
    octets = _PHASES[options.phase](Path(options.folder), options)
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": round(took, 2),
        "cpu_us_per_record": round((time.process_time() - cpu) * 1e6 / options.records, 0),
        "mb": round(octets / 1e6, 1),
        "mb_per_s": round(octets / 1e6 / took, 1),
        "records_per_s": round(options.records / took, 0),
        "memory_peak_mb": round(peak / 1024, 1),
        "memory_grown_mb": round((peak - before) / 1024, 1),
    }


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--body-bytes", type=int, default=10_000)
    parser.add_argument("--file-bytes", type=int, default=32 << 20, help="rotation by size")
    parser.add_argument("--encrypt", action="store_true", help="OpenPGP, for the server itself")
    parser.add_argument("--phase", choices=sorted(_PHASES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    return parser.parse_args()


def main() -> None:
    """Measure, and print."""
    options = _read_options()
    if options.phase:
        print(json.dumps(_phase(options)))
        return
    found = measure(options.records, options.body_bytes, options.file_bytes, options.encrypt)
    print(json.dumps(found, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
