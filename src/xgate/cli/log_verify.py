"""The stored evidence before the judge: each record as the container that it would be exported as.

The rule: the verdict is that of ``xgate verify``, by the same code. A record that has no time-stamp
is not proven and not refuted: it waits. Neither is one of which the settings kept less than was
signed, if that is all that is wrong with it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Literal

import msgspec

from xgate.cli.container import Verdict, judge, not_judged
from xgate.cli.log_records import Selection, select
from xgate.errors import Fault
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.record import LoggedRecord
from xgate.messagelog.store import LogStore
from xgate.trust.anchors import Trust

__all__ = ["Judged", "State", "draw", "judge_record", "octets_of"]

State = Literal["valid", "invalid", "unstamped", "incomplete"]

# What a message that is not all there ends in.
_NOT_WHAT_WAS_SIGNED = ("invalid_signature_value", "malformed_signature.invalid_hash_chain_ref")
_TRIES = 20  # for each record of a sample: numbers of records that are gone


class Judged(msgspec.Struct, frozen=True):
    """One record's verdict; None for one that waits for its time-stamp."""

    number: int
    state: State
    verdict: Verdict | None = None


def judge_record(trust: Trust, logged: LoggedRecord) -> Judged:
    """Prove one record, or say why that fails."""
    if logged.stamp is None:
        return Judged(logged.id, "unstamped")
    try:
        name, octets = write_evidence(logged)
    except Fault as fault:
        verdict = not_judged(f"record {logged.id}", fault)
    else:
        verdict = judge(trust, name, octets)
    if verdict.valid:
        return Judged(logged.id, "valid", verdict)
    code = "" if verdict.reason is None else verdict.reason.code
    # With a signer all is proven but an attachment, which may have been cut.
    only_content = code in _NOT_WHAT_WAS_SIGNED or verdict.signer is not None
    cut = only_content and not logged.record.complete
    return Judged(logged.id, "incomplete" if cut else "invalid", verdict)


def octets_of(logged: LoggedRecord) -> int:
    """What a record takes in memory, about."""
    evidence = logged.record.evidence
    parts = (logged.record.message, evidence.signature, *logged.record.attachments)
    return sum(len(octets) for octets in parts if octets is not None)


def draw(
    store: LogStore, selection: Selection, size: int, chance: random.Random
) -> Iterator[LoggedRecord]:
    """Records drawn at random, each at most once; fewer if there are not so many.

    Without a condition they are drawn by number, so a long log is not read; otherwise all that
    match are read, and some are drawn. Errors as ``select``.
    """
    if selection != Selection(config=selection.config, store=selection.store):
        return _drawn(select(store, selection), size, chance)
    return _by_number(store, size, chance)


def _by_number(store: LogStore, size: int, chance: random.Random) -> Iterator[LoggedRecord]:
    first = next(store.outlines(limit=1), None)
    last = next(store.outlines(limit=1, newest_first=True), None)
    if first is None or last is None:
        return
    numbers = range(first.id, last.id + 1)
    tries = chance.sample(numbers, min(len(numbers), size * _TRIES))
    found = (logged for number in tries for logged in store.find(number=number))
    yield from islice(found, size)


def _drawn(
    records: Iterator[LoggedRecord], size: int, chance: random.Random
) -> Iterator[LoggedRecord]:
    """Of all numbers alike: the first fill the sample, each later one may replace one of them."""
    kept: list[LoggedRecord] = []
    for count, logged in enumerate(records, 1):
        if count <= size:
            kept.append(logged)
        elif (place := chance.randrange(count)) < size:
            kept[place] = logged
    yield from sorted(kept, key=lambda logged: logged.id)
