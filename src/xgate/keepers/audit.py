"""Verifies stored evidence anew, a random sample at a time, while the server runs.

The rule: a record is taken by chance among those with a timestamp, and what an auditor would get as
its container is proven as he would prove it, by the configuration of now; beyond that, every part
that is kept must be what was signed. What fails is named once, with its cause, and counted; nothing
here stops the server or touches the log. The cost is bounded: one record at a time, in a thread of
its own, so many in so long a time, and of its attachments a piece at a time in memory. Records that
say that less is kept than was signed prove nothing by design and are passed over.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from random import SystemRandom

import msgspec
import trio

from xgate.algorithms import SHA512
from xgate.cell import Cell
from xgate.errors import Fault
from xgate.keepers.report import Report, cause_of
from xgate.messagelog.evidence import contained
from xgate.messagelog.record import Outline
from xgate.messagelog.store import LogStore
from xgate.policy.world import World
from xgate.trust.anchors import Trust
from xgate.trust.verify import verify_contained

__all__ = ["Audit", "Finding", "audit_record", "audit_sample", "keep_auditing"]

_TRIES = 20  # numbers drawn for each record of a sample: some are gone, or not stamped yet
_NAMED = 10_000

Draw = Callable[[int, int], int]
"""A number by chance: at least the first, at most the second."""

_CHANCE: Draw = SystemRandom().randint


class Audit:
    """What all samples since the start have shown; to be read by whoever shows it to people."""

    def __init__(self) -> None:
        self.records = 0
        """How many records were verified, one counted each time."""
        self.failed = 0
        """How many of these did not verify."""
        self._named: OrderedDict[int, None] = OrderedDict()

    def is_new(self, number: int) -> bool:
        """Whether this failing record has not been named yet; now it has."""
        if number in self._named:
            return False
        self._named[number] = None
        while len(self._named) > _NAMED:
            self._named.popitem(last=False)
        return True


class Finding(msgspec.Struct, frozen=True):
    """One record of a sample; ``cause`` tells why it does not verify, None that it does."""

    number: int
    time: datetime
    query_id: str
    cause: str | None


async def keep_auditing(
    audit: Audit,
    store: LogStore,
    world: Cell[World],
    interval: float,
    sample: int,
    report: Report,
    draw: Draw = _CHANCE,
) -> None:
    """Verify ``sample`` records every ``interval`` seconds, for ever.

    :param audit: takes the results. :param draw: chance, unless a test knows better.
    """
    own_thread = trio.CapacityLimiter(1)
    while True:
        await trio.sleep(interval)
        try:
            findings = await trio.to_thread.run_sync(
                audit_sample, store, world.value.globalconf, sample, draw, limiter=own_thread
            )
        except Exception as error:  # noqa: BLE001  whatever it is, it is tried again
            report("audit not done", cause=cause_of(error))
            continue
        if findings:
            _note(findings, audit, report)


def audit_sample(store: LogStore, trust: Trust, sample: int, draw: Draw) -> list[Finding]:
    """Verify up to ``sample`` different records; fewer when chance meets no more.

    :raises Fault: the log cannot be read.
    """
    first, last = _end(store, newest=False), _end(store, newest=True)
    if first is None or last is None:
        return []
    drawn: set[int] = set()
    findings: list[Finding] = []
    for _ in range(sample * _TRIES):
        number = draw(first, last)
        if number not in drawn:
            drawn.add(number)
            findings += (audit_record(store, one, trust) for one in _provable(store, number))
        if len(findings) == sample:
            break
    return findings


def audit_record(store: LogStore, outline: Outline, trust: Trust) -> Finding:
    """Whether a stored record proves its message, and those attachments that the log keeps."""
    cause = None
    try:
        _prove(store, outline, trust)
    except Fault as fault:
        cause = str(fault)
    except Exception as error:  # noqa: BLE001  what cannot even be judged is a finding as well
        cause = cause_of(error)
    return Finding(outline.id, outline.time, outline.query_id, cause)


def _prove(store: LogStore, outline: Outline, trust: Trust) -> None:
    message = b"".join(store.read_part(outline, 0))
    digests = {
        f"attachment{place}": _digest(store.read_part(outline, place))
        for place, octets in enumerate(outline.attachment_octets, start=1)
        if octets is not None
    }
    proof = verify_contained(trust, contained(message, outline.evidence, outline.stamp), digests)
    for part in proof.parts:
        if not part.verified:
            raise Fault("invalid_signature_value", f"'{part.name}' is not what was signed")


def _digest(pieces: Iterable[bytes]) -> bytes:
    state = SHA512.new()
    for piece in pieces:
        state.update(piece)
    digest: bytes = state.digest()
    return digest


def _end(store: LogStore, *, newest: bool) -> int | None:
    return next((one.id for one in store.outlines(limit=1, newest_first=newest)), None)


def _provable(store: LogStore, number: int) -> list[Outline]:
    found = store.outlines(number=number)
    return [one for one in found if one.stamp is not None and one.complete]


def _note(findings: Sequence[Finding], audit: Audit, report: Report) -> None:
    failed = [finding for finding in findings if finding.cause is not None]
    audit.records += len(findings)
    audit.failed += len(failed)
    for finding in failed:
        if audit.is_new(finding.number):
            report(
                "evidence does not verify",
                record=finding.number,
                query_id=finding.query_id,
                cause=finding.cause,
            )
    oldest = min(finding.time for finding in findings).astimezone(UTC)
    report(
        "audited",
        records=len(findings),
        failed=len(failed),
        oldest=oldest.isoformat(timespec="seconds"),
    )
