"""Messages become archives while the servers run, and an auditor's folder proves them all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.globalconf.disk import read_disk
from xgate.messagelog.sqlite import SqliteStore
from xgate.trust.archive_chain import ArchiveFolder, verify_folder
from xgate.trust.proof import ContainerProof

if TYPE_CHECKING:
    from tests.journeys.conftest import Started

Starter = Callable[..., AbstractAsyncContextManager["Started"]]
# An interval and an age that no server would have; the settings allow what is not foolish.
SECTION = """[messagelog.archive]
directory = "archive"
interval-seconds = 1
grouping = "subsystem"
max-file-records = 2
keep-days = 0

[messagelog.timestamping]
"""


async def test_messages_are_archived_proven_and_cleaned_while_more_come(start: Starter) -> None:
    changes = {"[messagelog.timestamping]\n": SECTION}
    proven: list[ContainerProof | Fault] = []
    async with start(changes=changes) as started:
        for _ in range(3):
            for number in range(3):
                reply = await started.caller.rest("POST", "/echo", body=b"body %d" % number)
                assert reply.status == 200
            seen = len(started.running.consumer)
            await started.running.consumer.wait("log cleaned", since=seen)
        country = started.running.country
        for lines, place in zip(
            (started.running.consumer, started.running.provider), country.places, strict=True
        ):
            while seen := len(lines):
                if not _left(place.messagelog):
                    break
                await lines.wait("log cleaned", since=seen)
    trust = read_disk(country.verification, SystemClock().now()).conf
    for place in country.places:
        proven.clear()
        found: ArchiveFolder = verify_folder(
            trust, place.folder / "archive", lambda _file, _name, proof: proven.append(proof)
        )
        assert found.sound
        assert len(found.archives) >= 3
        assert [proof for proof in proven if isinstance(proof, Fault)] == []
        assert len(proven) == 18  # nine exchanges, a request and an answer each


def _left(path: Path) -> bool:
    """Whether there still is anything in a log."""
    store = SqliteStore(path, read_only=True)
    try:
        return next(store.find(limit=1), None) is not None
    finally:
        store.close()
