"""The check of this machine's clock, against all the clocks that other checks have heard.

The rule: one clock that differs from the others is its own owner's affair; when ours differs from
most of them, it is ours. OCSP responses are refused when they seem to come from the future, and a
configuration when it seems to have expired, so a wrong clock looks like many other things.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from statistics import median

from xgate.cli.doctor.case import Case, OtherClock
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, warning
from xgate.trust.ocsp import FUTURE_TOLERANCE

__all__ = ["CLOCK_FIX", "LATE", "check_time", "length_text", "note_date"]

CLOCK_FIX = "Set this machine's clock: timedatectl set-ntp true, or chronyc makestep."
LATE = FUTURE_TOLERANCE
"""From here on what others sign is refused for its time."""

_NOTABLE = timedelta(seconds=10)
_SYNC = "Start a service that keeps the clock right: timedatectl set-ntp true."
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


async def check_time(case: Case) -> Findings:
    """This machine's clock shows what others' do."""
    exact = [clock for clock in case.clocks if clock.exact]
    bounds = [clock for clock in case.clocks if not clock.exact and clock.ahead > _NOTABLE]
    ahead = _middle(exact) if exact else max((c.ahead for c in bounds), default=timedelta())
    heard = ", ".join(sorted({clock.whose for clock in exact or bounds}))
    if abs(ahead) > _NOTABLE:
        tell = broken if abs(ahead) > LATE else warning
        way = "behind" if ahead > timedelta() else "ahead of"
        observed = f"this machine's clock is {length_text(ahead)} {way} others ({heard})"
        return [tell(observed, expected=f"within {length_text(_NOTABLE)}", fix=CLOCK_FIX)]
    others = [_differing(clock) for clock in exact if abs(clock.ahead - ahead) > _NOTABLE]
    seen = f"within {length_text(_NOTABLE)} of {heard}" if exact else "no other clock was heard"
    if _is_synchronised() is False:
        return [warning(f"{seen}; nothing keeps it right", fix=_SYNC), *others]
    return [ok(seen), *others]


def note_date(case: Case, whose: str, headers: Iterable[tuple[str, str]]) -> None:
    """Remember the clock of a web server by its ``Date``."""
    for name, value in headers:
        if name.lower() == "date":
            try:
                shown = parsedate_to_datetime(value)
            except ValueError:
                return
            case.note_clock(whose, shown if shown.tzinfo else shown.replace(tzinfo=UTC))
            return


def length_text(length: timedelta) -> str:
    """About how long: ``4 s``, ``12 min``, ``5 h``, ``30 days``; without its sign."""
    seconds = abs(length.total_seconds())
    for size, word in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"


def _middle(clocks: Iterable[OtherClock]) -> timedelta:
    """What most of them say; each counts once, however often it was heard."""
    last = {clock.whose: clock.ahead.total_seconds() for clock in clocks}
    return timedelta(seconds=median(last.values()))


def _differing(clock: OtherClock) -> Finding:
    way = "ahead" if clock.ahead > timedelta() else "behind"
    return warning(
        f"the clock of {clock.whose} is {length_text(clock.ahead)} {way}",
        about=clock.whose,
        fix="Tell whoever runs it.",
    )


def _is_synchronised() -> bool | None:
    """What the kernel says; None where it cannot be asked."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)
