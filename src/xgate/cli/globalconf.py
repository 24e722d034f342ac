"""``xgate globalconf``: a published configuration before the judge.

The rule: everything is proven from the anchor alone, as a security server that starts afresh would
do it; nothing that an earlier configuration said is used.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
from cyclopts import App

from xgate.cli.globalconf_diff import diff
from xgate.cli.globalconf_fetch import fetch
from xgate.cli.globalconf_kept import show
from xgate.cli.output import print_json, print_line, print_rows
from xgate.cli.published import (
    CheckedPart,
    Examination,
    examine,
    read_given_anchor,
    read_moment,
)
from xgate.cli.refusal import Refusal, refusal_of, refusal_rows
from xgate.cli.show import time_text
from xgate.clock import SystemClock
from xgate.globalconf.anchor import Anchor
from xgate.globalconf.conf import GlobalConf

__all__ = ["globalconf", "verify"]

globalconf = App(
    name="globalconf", help="Download, show, compare and verify global configurations."
)
globalconf.command(fetch)
globalconf.command(show)
globalconf.command(diff)


class _Counts(msgspec.Struct, frozen=True):
    """How much of everything the configuration lists."""

    members: int
    subsystems: int
    security_servers: int
    groups: int
    certification_authorities: int
    timestamping_services: int


class _Refused(msgspec.Struct, frozen=True):
    address: str
    reason: Refusal


class _Report(msgspec.Struct, frozen=True):
    """What a script reads."""

    ok: bool
    instance: str
    anchor_hash: str
    anchor_generated_at: datetime | None
    judged_at: datetime
    address: str
    version: int | None
    expires: datetime | None
    parts: tuple[CheckedPart, ...]
    counts: _Counts | None
    warnings: tuple[str, ...]
    refusals: tuple[_Refused, ...]


@globalconf.command
def verify(anchor: Path, directory: Path, /, *, at: str | None = None, json: bool = False) -> int:
    """Verify a published configuration against its anchor.

    Exit code 0 when it is proven and valid, 1 when it is not, 2 when ANCHOR is no anchor or nothing
    is published in DIRECTORY.

    Of the versions in a web root the newest one counts, as for a security server. Compare the
    anchor's hash with the one that was published by another way: it is what all the rest stands on.

    :param anchor: The configuration anchor (an XML file).
    :param directory: The web root of a central server or configuration proxy (the folder that holds
        V6/internalconf), or one signed directory (that file), whose parts are found beside it.
    :param at: Judge as of this time, for example 2026-01-31T10:00:00Z; without a zone it is UTC.
    :param json: Print one JSON object.
    """
    moment = SystemClock().now() if at is None else read_moment(at)
    read, hash_text = read_given_anchor(anchor)
    report = _report(read, hash_text, moment, examine(read, directory, moment))
    if json:
        print_json(report)
    else:
        _show(report)
    return 0 if report.ok else 1


def _report(anchor: Anchor, hash_text: str, at: datetime, found: Examination) -> _Report:
    conf = found.conf
    refusals = [_Refused(place.address, refusal_of(place.fault)) for place in found.refused]
    return _Report(
        ok=conf is not None,
        instance=anchor.instance,
        anchor_hash=hash_text,
        anchor_generated_at=anchor.generated_at,
        judged_at=at,
        address=found.address,
        version=found.version,
        expires=found.expires,
        parts=found.parts,
        counts=None if conf is None else _counts(conf),
        warnings=() if conf is None else conf.warnings,
        refusals=tuple(refusals),
    )


def _counts(conf: GlobalConf) -> _Counts:
    everybody = conf.members(conf.own)
    members = sum(info.id == info.id.member for info in everybody)
    return _Counts(
        members,
        len(everybody) - members,
        len(conf.servers(conf.own)),
        len(conf.groups(conf.own)),
        len(conf.all_cas()),
        len(conf.tsas()),
    )


def _show(report: _Report) -> None:
    print_line(f"{'valid' if report.ok else 'NOT VALID'}  configuration of {report.instance}")
    print_rows(
        [("anchor", f"sha224 {report.anchor_hash}"), ("judged", time_text(report.judged_at))]
    )
    for refused in report.refusals:
        print_rows([("refused", refused.address), *refusal_rows(refused.reason)])
    if report.expires is not None:
        print_rows(
            [
                ("directory", report.address),
                ("version", str(report.version)),
                ("expires", time_text(report.expires)),
                *(("part", _part(part)) for part in report.parts),
            ]
        )
    if report.counts is not None:
        counts = msgspec.structs.asdict(report.counts)
        print_rows(("lists", f"{count} {what.replace('_', ' ')}") for what, count in counts.items())
    print_rows(("warning", text) for text in report.warnings)


def _part(part: CheckedPart) -> str:
    whose = "" if part.instance is None else f" of {part.instance}"
    return f"{part.file}{whose}  {part.state} ({part.digest})"
