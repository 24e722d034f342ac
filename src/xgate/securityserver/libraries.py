"""What libraries say of their own accord, as lines of the server's log.

The rule: standard error has one JSON object per line, whoever speaks. A library's
warning, and an error that nobody could be told of (while an object was thrown away), get a line.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from xgate.securityserver.journal import Journal

__all__ = ["libraries_into"]


@contextmanager
def libraries_into(journal: Journal) -> Iterator[None]:
    """While the block lasts, warnings of libraries and unraisable errors go to ``journal``."""
    handler, before = _Lines(journal), sys.unraisablehook

    def tell(unraisable: sys.UnraisableHookArgs) -> None:
        trace = "".join(
            traceback.format_exception(
                unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback
            )
        )
        journal.event("error ignored", trace=trace)

    logging.getLogger().addHandler(handler)
    sys.unraisablehook = tell
    try:
        yield
    finally:
        sys.unraisablehook = before
        logging.getLogger().removeHandler(handler)


class _Lines(logging.Handler):
    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.WARNING)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # its arguments do not fit
            text = str(record.msg)
        trace = None
        if record.exc_info:  # also a defect of our own, told where no journal is known
            trace = "".join(traceback.format_exception(*record.exc_info))
        self._journal.event("library", library=record.name, text=text, trace=trace)
