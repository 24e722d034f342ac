"""Moments as the configuration writes them: ISO 8601 with a zone, to the second or finer.

The rule: a moment is an aware datetime in UTC; text that names no zone is refused, except where a
schema says UTC is meant (``assume_utc``). Sources: globalconf 1, 3.1, 3.2, 7.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from xgate.errors import Fault

__all__ = ["read_time", "write_time"]

_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def read_time(text: str, *, assume_utc: bool = False) -> datetime:
    """The moment that ``text`` names, in UTC.

    :raises Fault: ``malformed_global_conf``.
    """
    stripped = text.strip()
    if _FORM.fullmatch(stripped):
        try:
            moment = datetime.fromisoformat(stripped)
            if moment.tzinfo is None and assume_utc:
                moment = moment.replace(tzinfo=UTC)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise Fault("malformed_global_conf", "a date and time is not of the expected form")


def write_time(moment: datetime, *, milliseconds: bool = False) -> str:
    """``2026-01-31T10:00:00Z``, or with three digits after the seconds."""
    unit = "milliseconds" if milliseconds else "seconds"
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=unit)
    return text + "Z"
