"""``xgate doctor``: walk the chain of all that a security server hangs on.

The rule: everything is tried as the server would do it, beside one that runs, and nothing is
changed. The last line says in one sentence which link is the first that is broken, what was seen
there and what to do.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import trio
from cyclopts import Parameter

from xgate._native.provider import provider_is_named
from xgate.cli.doctor.case import Case, Options
from xgate.cli.doctor.chain import Findings, run_checks
from xgate.cli.doctor.finding import Finding, first_broken, sentence_of
from xgate.cli.doctor.table import TABLE
from xgate.cli.output import Unusable, path_text, print_error, print_json, print_line, print_rows
from xgate.cli.process import start_again_with_provider
from xgate.clock import SystemClock
from xgate.securityserver.settings import SettingsError, load_settings
from xgate.signer.hardening import harden_process

__all__ = ["doctor"]

_WORDS = {"ok": "ok", "warning": "warning", "broken": "BROKEN", "skipped": "skipped"}
_Several = Annotated[tuple[str, ...], Parameter(negative=(), consume_multiple=False)]


class _Report(msgspec.Struct, frozen=True):
    """What a script reads; ``verdict`` is the sentence that a person sees last."""

    ok: bool
    judged_at: datetime
    config: str
    verdict: str
    first_broken: Finding | None
    findings: list[Finding]


def doctor(
    *,
    config: Path,
    only: _Several = (),
    skip: _Several = (),
    peer: _Several = (),
    services: bool = False,
    days: float = 30.0,
    free_mb: float = 1024.0,
    timeout: float = 90.0,
    json: bool = False,
) -> int:
    """Walk all that a security server hangs on, and name the first broken link.

    Settings, clients, files, anchor, configuration, time, ca, ocsp, timestamping, keys,
    certificates, tls, registration, ports, peers, services, database, disk, limits, libraries: each
    is tried as the server would do it, also beside one that runs, and nothing is changed. Each
    approved timestamping service is asked for one real timestamp, and each signing key makes a
    signature about nothing. Exit code 0 when nothing is broken (warnings allowed), 1 when something
    is, 2 when the settings cannot be used.

    :param config: The server's settings file.
    :param only: Only this check, and what it needs; may be given several times.
    :param skip: Not this check; may be given several times.
    :param peer: A security server or subsystem (INSTANCE/CLASS/MEMBER/CODE) to connect to, instead
        of some that the configuration lists; may be given several times.
    :param services: Connect to the information systems behind this server as well.
    :param days: Warn of certificates that are valid for less.
    :param free_mb: Warn of disks with less room; one with a tenth of it counts as full.
    :param timeout: Seconds for everything.
    :param json: Print one JSON object.
    """
    chosen = _chosen(only, skip)
    if not config.is_file():
        raise Unusable(f"There is no settings file {path_text(config)}")
    _take_provider(config)
    harden_process(lock=False)  # keys are opened for a moment
    clock = SystemClock()
    case = Case(config, clock, Options(peer, services, days, free_mb))
    tell = _progress if json else _show

    async def main() -> list[Finding]:
        return await run_checks(case, TABLE, chosen, tell, without=skip, seconds=timeout)

    findings = trio.run(main)
    link = first_broken(findings)
    verdict = sentence_of(findings)
    if json:
        report = _Report(link is None, clock.now(), path_text(config), verdict, link, findings)
        print_json(report)
    else:
        print_line()
        print_line(verdict)
    if link is not None and link.check == "settings":
        return 2
    return 0 if link is None else 1


def _take_provider(config: Path) -> None:
    """Shake hands with peers as a server does whose keys are in the signer's process."""
    try:
        signer = load_settings(config).keys.signer
    except SettingsError:
        return  # a check will tell
    if signer and not provider_is_named():
        with suppress(FileNotFoundError):  # likewise
            start_again_with_provider()


def _chosen(only: Sequence[str], skip: Sequence[str]) -> list[str]:
    names = [check.name for check in TABLE]
    for name in (*only, *skip):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names)}"
            raise Unusable(f"There is no check '{name}'; {hint}")
    return [name for name in names if name not in skip and (not only or name in only)]


def _show(findings: Findings) -> None:
    for finding in findings:
        about = f"{finding.about}: " if finding.about else ""
        print_line(f"{_WORDS[finding.state]:<8} {finding.check:<14} {about}{finding.observed}")
        if finding.state in ("broken", "warning"):
            rows = [("expected", finding.expected), ("do", finding.fix)]
            print_rows((what, text) for what, text in rows if text)


def _progress(findings: Findings) -> None:
    """For a person who waits for the one object."""
    if findings and sys.stderr.isatty():
        states = ", ".join(dict.fromkeys(finding.state for finding in findings))
        print_error(f"{findings[0].check}: {states}")
