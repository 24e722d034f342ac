"""Storms of faults lose nothing, and what is lost, doubled or spoilt is told by those who count."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from xgate.clock import SystemClock
from xgate.sandbox.background import Running, run_in_background
from xgate.testing.postgres import find_postgres

BENCHES = Path(__file__).resolve().parents[2] / "benches"


@pytest.fixture(autouse=True)
def beside_the_benches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHES))


def endure(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHES / "faults.py"), "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_short_run_loses_nothing(store: str) -> None:
    if store == "postgres" and find_postgres() is None:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    short = ("--faults", "50", "--seed", "4", "--longest", "0.5", "--verify", "400")
    done = endure(*short, "--store", store)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert (result["lost"], result["duplicated"], result["unverifiable"]) == (0, 0, 0)
    assert result["faults"] == sum(result["by_kind"].values()) == 50
    assert result["acknowledged"] > 50
    assert result["records"] >= 4 * result["acknowledged"]
    assert result["verified"] > 100
    assert result["archived"] == result["records"]
    assert result["longest_recovery_seconds"] < 60
    assert result["internal_errors"] == {"consumer": 0, "provider": 0}
    assert (result["seed"], result["store"]) == (4, store)


def test_a_short_run_of_bad_weather_loses_nothing() -> None:
    short = ("--faults", "15", "--seed", "7", "--longest", "0.5", "--verify", "200", "--weather")
    done = endure(*short)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert (result["lost"], result["duplicated"], result["unverifiable"]) == (0, 0, 0)
    assert {kind.partition("_")[0] for kind in result["by_kind"]} == {"wire"}
    assert result["acknowledged"] > 20
    assert result["archived"] == result["records"]
    assert result["internal_errors"] == {"consumer": 0, "provider": 0}
    assert result["starts"] == {"consumer": 1, "provider": 1}


def test_a_seed_decides_the_plan() -> None:
    from fault_plan import KINDS, plan_storms

    once, again, other = (list(plan_storms(seed, 100, KINDS, 2.0)) for seed in (1, 1, 2))
    assert once == again != other
    assert sum(map(len, once)) == 100
    assert {fault.kind for storm in once for fault in storm} == set(KINDS)
    assert all(0.1 <= fault.lasts <= 2.0 for storm in once for fault in storm)
    few = {fault.kind for storm in plan_storms(1, 50, {"kill", "pause"}, 1.0) for fault in storm}
    assert few == {"kill", "pause"}


def test_two_faults_of_a_storm_never_befall_the_same_thing_in_the_same_way() -> None:
    from fault_plan import KINDS, plan_storms

    for storm in plan_storms(3, 1000, KINDS, 2.0):
        wires = [fault.target for fault in storm if fault.kind.startswith("wire")]
        databases = [fault for fault in storm if fault.kind.startswith("database")]
        assert len(wires) == len(set(wires))
        assert len(databases) <= 1


ARCHIVE = """[messagelog.archive]
directory = "archive"
interval-seconds = 1
max-file-records = 10

[messagelog.timestamping]"""


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A country whose servers have exchanged messages and stopped, and the journal of those."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHES))
        from fault_calls import Callers, read_journal
        from fault_scene import found_for_faults

        country = found_for_faults(tmp_path_factory.mktemp("country"))
        for place in country.places:
            text = place.settings.read_text()
            place.settings.write_text(text.replace("[messagelog.timestamping]", ARCHIVE))
        journal = country.folder / "journal"

        async def call() -> None:
            callers = Callers(country, journal, seed=1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(callers.run, 2)
                with trio.fail_after(30):
                    while callers.acknowledged.total() < 20:
                        await callers.wait_served()
                callers.stop()
            assert callers.wrong == []

        with run_in_background(country, SystemClock()) as running:
            trio.run(call)
            wait_until_archived(running)
        yield country, read_journal(journal)


def wait_until_archived(running: Running) -> None:
    from fault_proof import open_for_reading

    for place, lines in zip(
        running.country.places, (running.consumer, running.provider), strict=True
    ):
        with closing(open_for_reading(place)) as store:
            seen = len(lines)
            while store.newest_stamped() or store.unstamped(1):
                trio.run(partial(lines.wait, "archived", since=seen))
                seen += 1


@pytest.fixture
def prove(exchanged: Any) -> Iterator[Callable[..., Any]]:
    """What is found when the provider's log is changed so, or the journal; then it is mended."""
    from fault_proof import prove

    country, journal = exchanged
    log = country.provider.messagelog
    kept = log.read_bytes()

    def changed(change: str = "", journal: Any = journal, most: int = 1000) -> Any:
        with closing(sqlite3.connect(log)) as db:
            db.executescript(change)
        return prove(country, journal, most, 1)

    yield changed
    log.write_bytes(kept)


@pytest.fixture
def archive(exchanged: Any) -> Iterator[Path]:
    """One of the consumer's archives, neither the first nor the last; put back in the end."""
    country, _ = exchanged
    folder = country.consumer.folder / "archive"
    path = sorted(folder.glob("*.zip"), key=lambda path: path.stat().st_mtime_ns)[1]
    kept, others = path.read_bytes(), set(folder.iterdir())
    yield path
    path.write_bytes(kept)
    for new in set(folder.iterdir()) - others:
        new.unlink()


def numbers(findings: Any) -> tuple[int, int, int]:
    return len(findings.lost), len(findings.duplicated), len(findings.unverifiable)


def test_whole_logs_have_nothing_against_them(prove: Any) -> None:
    findings = prove()
    assert numbers(findings) == (0, 0, 0)
    assert findings.records == findings.verified == findings.archived >= 80


def test_a_sample_is_told(prove: Any) -> None:
    findings = prove(most=40)
    assert 0 < findings.verified < findings.records


def test_what_is_not_in_a_log_is_lost(prove: Any) -> None:
    first = "(SELECT min(id) FROM record WHERE response)"
    findings = prove(
        f"DELETE FROM part WHERE record_id = {first}; DELETE FROM record WHERE id = {first};"
    )
    assert numbers(findings) == (1, 0, 0)
    assert findings.lost[0].startswith("provider's log, answer m")


def test_what_was_acknowledged_and_never_sent_is_lost(prove: Any, exchanged: Any) -> None:
    _, journal = exchanged
    (entry, *_) = journal.values()
    findings = prove(journal=journal | {"unknown": entry._replace(id="unknown")})
    assert numbers(findings) == (4, 0, 0)


def test_what_is_there_twice_is_told(prove: Any) -> None:
    findings = prove(
        "CREATE TABLE again AS SELECT * FROM record WHERE id = 1;"
        "UPDATE again SET id = 100000, key = NULL;"
        "INSERT INTO record SELECT * FROM again; DROP TABLE again;"
        "INSERT INTO part SELECT 100000, number, octets FROM part WHERE record_id = 1;"
    )
    assert numbers(findings) == (1, 1, 0)  # the second is in no archive


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE part SET octets = CAST(octets || ' ' AS BLOB) WHERE record_id = 1 AND number = 0;",
        "UPDATE record SET owner = 'XG/GOV/200' WHERE id = 1;",
        "UPDATE record SET stamp_id = NULL, stamp_chain = NULL WHERE id = 1;",
        "UPDATE record SET stamp_chain = x'00' WHERE id = 1;",
        # Of the other party: two requests, or two answers, may share a signature.
        "UPDATE record SET evidence_id = (SELECT other.evidence_id FROM record other "
        "WHERE other.response <> record.response LIMIT 1) WHERE id = 1;",
    ],
    ids=["octets", "owner", "stamp", "chain", "signature"],
)
def test_what_proves_nothing_is_told(prove: Any, change: str) -> None:
    lost, duplicated, unverifiable = numbers(prove(change))
    assert (lost, duplicated) == (0, 0)
    assert unverifiable >= 1


def test_what_an_archive_took_with_it_is_lost_and_the_chain_broken(
    prove: Any, archive: Path
) -> None:
    archive.unlink()
    lost, duplicated, unverifiable = numbers(prove())
    assert (duplicated, unverifiable) == (0, 1)
    assert 0 < lost <= 10


def test_what_is_in_two_archives_is_told(prove: Any, archive: Path) -> None:
    archive.with_name("again.zip").write_bytes(archive.read_bytes())
    lost, duplicated, unverifiable = numbers(prove())
    assert (lost, unverifiable) == (0, 1)
    assert 0 < duplicated <= 10


def test_an_archive_that_is_spoilt_is_told(prove: Any, archive: Path) -> None:
    octets = archive.read_bytes()
    archive.write_bytes(octets[: len(octets) // 2])
    findings = prove()
    assert any(archive.name in text for text in findings.unverifiable)
