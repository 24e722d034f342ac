"""``xgate log``: look into the message log, take evidence out of it, and prove what is in it.

The rule: the log is opened for reading only, so all of this works while the server runs; a record
is in memory at a time, whatever the log's size.
"""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace as with_changes
from functools import partial
from pathlib import Path

import msgspec
from cyclopts import App

from xgate.cli.configuration import open_configuration, open_servers_configuration
from xgate.cli.container import verdict_rows
from xgate.cli.log_export import export
from xgate.cli.log_records import Selection, WhichLog, count, outlines, select
from xgate.cli.log_shown import row_line, row_of, show, shown_rows
from xgate.cli.log_verify import Judged, draw, judge_record, octets_of
from xgate.cli.logstore import open_log
from xgate.cli.output import (
    Unusable,
    print_error,
    print_json,
    print_line,
    print_rows,
    with_progress,
)
from xgate.cli.show import time_text
from xgate.cli.workers import in_order
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.messagelog.store import Grouping, LogStore

__all__ = ["export_records", "log", "search", "show_record", "stats", "verify_records"]

_LISTED = 100
_MOST_TOLD = 1000  # refusals that one object names
_EMPTY = Selection()

log = App(name="log", help="Look into the message log, export evidence, and prove what is stored.")


@log.command
def search(*, which: Selection = _EMPTY, json: bool = False) -> int:
    """List logged messages, the oldest first; 100 of them unless --limit says more.

    :param json: Print one JSON object: records, and more (whether there are others).
    """
    limit = _LISTED if which.limit is None else which.limit
    with open_log(which.config, which.store) as store:
        asked = with_changes(which, limit=limit + 1 if limit > 0 else limit)
        rows = [row_of(outline) for outline in outlines(store, asked)]
    more = len(rows) > limit
    rows = rows[:limit]
    if json:
        print_json({"records": rows, "more": more})
        return 0
    for row in rows:
        print_line(row_line(row))
    if more:
        print_error(f"note: there are more than {limit}; say --limit, or narrow the search")
    return 0


@log.command(name="show")
def show_record(
    number: int, /, *, which: WhichLog | None = None, message: bool = False, json: bool = False
) -> int:
    """Show one logged message.

    :param number: Its number in the log.
    :param message: With the text of the message itself.
    :param json: Print one JSON object.
    """
    which = which or WhichLog()
    with open_log(which.config, which.store) as store:
        outline = next(store.outlines(number=number), None)
        logged = next(store.find(number=number), None) if message else None
    if outline is None:
        raise Fault("not_found", f"There is no record {number} in the log")
    shown = show(outline, None if logged is None else logged.record.message)
    if json:
        print_json(shown)
        return 0
    print_line(row_line(shown.record))
    print_rows(shown_rows(shown))
    if shown.message is not None:
        print_line()
        for line in shown.message.splitlines():
            print_line(line)
    return 0


@log.command(name="export")
def export_records(
    target: Path, /, *, which: Selection = _EMPTY, replace: bool = False, json: bool = False
) -> int:
    """Write the containers of logged messages into a folder, or into one zip file.

    Exit code 1 when some of them have no time-stamp yet and were left out.

    :param target: A file whose name ends in .zip, or a folder.
    :param replace: Write over files that exist.
    :param json: Print one JSON object: target, containers, octets, unstamped.
    """
    with open_log(which.config, which.store) as store:
        found, total = outlines(store, which), count(store, which)
        found = with_progress(found, "Exporting", total, silent=True)
        exported = export(store, found, target, replace=replace)
    if json:
        print_json(exported)
    else:
        print_line(f"{exported.containers} containers, {exported.octets} octets: {exported.target}")
        for number in exported.unstamped:
            print_error(f"note: record {number} has no time-stamp yet, so no container")
    return 1 if exported.unstamped else 0


@log.command
def stats(*, which: WhichLog | None = None, json: bool = False) -> int:
    """Count what is in the message log.

    :param json: Print one JSON object: log, and by owner, client, service and day.
    """
    which = which or WhichLog()
    groupings: tuple[Grouping, ...] = ("owner", "client", "service", "day")
    with open_log(which.config, which.store) as store:
        whole = store.statistics()
        counts = {grouping: store.count_by(grouping) for grouping in groupings}
    if json:
        print_json({"log": whole, **{f"by_{name}": found for name, found in counts.items()}})
        return 0
    print_line(f"{whole.records} records")
    for what, value in msgspec.structs.asdict(whole).items():
        if what != "records":
            shown = time_text(value) if hasattr(value, "astimezone") else value
            print_rows([(what, "-" if shown is None else str(shown))])
    for grouping, found in counts.items():
        print_line(f"by {grouping}")
        print_rows((str(number), name or "(not noted)") for name, number in found.items())
    return 0


@log.command(name="verify")
def verify_records(
    *,
    which: Selection = _EMPTY,
    globalconf: Path | None = None,
    sample: int | None = None,
    json: bool = False,
) -> int:
    """Prove stored messages anew: all that match, or a random sample; on all processors.

    Exit code 1 when one of them does not verify. What has no time-stamp yet is counted, and so is
    what the settings of the log keep only in part.

    :param globalconf: A configuration folder, or a verificationconf folder or zip file; by default
        the one of the server whose --config is given.
    :param sample: Only so many, drawn at random.
    :param json: Print one JSON object: ok, valid, invalid, unstamped, incomplete (how many), and
        failures (the first 1000).
    """
    if globalconf is None and which.config is None:
        raise Unusable("Say by which configuration: --globalconf, or --config with a server's")
    if sample is not None and sample < 1:
        raise Unusable("--sample must be 1 at least")
    with open_log(which.config, which.store) as store:
        counts, failures = _judge(store, which, sample, globalconf)
    ok = not counts["invalid"]
    if json:
        print_json({"ok": ok, **counts, "failures": failures})
        return 0 if ok else 1
    for judged in failures:
        print_line(f"NOT VALID  record {judged.number}")
        if judged.verdict is not None:
            print_rows(verdict_rows(judged.verdict))
    print_line(", ".join(f"{number} {state}" for state, number in counts.items()))
    return 0 if ok else 1


def _judge(
    store: LogStore, which: Selection, size: int | None, globalconf: Path | None
) -> tuple[dict[str, int], list[Judged]]:
    counts = {"valid": 0, "invalid": 0, "unstamped": 0, "incomplete": 0}
    failures: list[Judged] = []
    total = count(store, which)
    if size is None:
        records = select(store, which)
    else:
        records = draw(store, which, size, random.SystemRandom())
        total = min(total, size)
    trust = partial(_configuration, globalconf, which.config)
    with closing(in_order(records, judge_record, trust, size=octets_of)) as judging:
        for judged in with_progress(judging, "Verifying", total, silent=True):
            counts[judged.state] += 1
            if judged.state == "invalid" and len(failures) < _MOST_TOLD:
                failures.append(judged)
    return counts, failures


def _configuration(globalconf: Path | None, config: Path | None) -> GlobalConf:
    if globalconf is not None:
        return open_configuration(globalconf)
    assert config is not None
    return open_servers_configuration(config)
