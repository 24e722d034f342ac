"""Whether what is logged now will be timestamped, and since when that is in doubt.

The rule: messages go on while timestamping fails, but not for longer than an accepted time, and not
at all when there is nobody to stamp them: a log that cannot be stamped proves nothing to others.
The first failure counts, and any success ends the outage. Its beginning is kept in a file, so that
a restart does not grant a new period (messagelog 3.3 and traps 9, 10); while the process runs, its
monotonic clock counts, so that no jump of the wall clock ends a period early or late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from xgate.clock import Clock
from xgate.errors import Fault

__all__ = ["Outage"]


class Outage:
    """The failure state of timestamping in one process; for use within one trio loop."""

    def __init__(
        self,
        services: Callable[[], Sequence[str]],
        clock: Clock,
        accepted: float = 14_400.0,
        path: Path | None = None,
    ) -> None:
        """:param services: the URLs of the timestamping services known now.
        :param accepted: seconds for which timestamping may fail; 0: for ever.
        :param path: remembers, by being there, when an outage began; None: a restart forgets.
        """
        self._services = services
        self._clock = clock
        self._accepted = accepted
        self._path = path
        self._since = None if path is None else _remembered(path, clock)

    @property
    def lasting(self) -> bool:
        """Whether the last attempt to stamp has failed."""
        return self._since is not None

    @property
    def seconds(self) -> float:
        """How long it has lasted; 0 if there is none."""
        return 0.0 if self._since is None else self._clock.monotonic() - self._since

    def begin(self) -> None:
        """Stamping has failed; only the first of several failures is remembered."""
        if self._since is None:
            self._since = self._clock.monotonic()
            if self._path is not None:
                _remember(self._path, self._clock.now())

    def end(self) -> None:
        """Stamping has succeeded, or nothing waits for it."""
        if self._since is not None and self._path is not None:
            with suppress(OSError):
                self._path.unlink()
        self._since = None

    def check(self) -> None:
        """Refuse to log what might never be stamped.

        :raises Fault: ``mlog.no_timestamping_provider_found``, ``timestamping_failed``.
        """
        if not self._services():
            raise Fault(
                "mlog.no_timestamping_provider_found",
                "Cannot time-stamp messages: no timestamping services configured",
            )
        if self._accepted and self.seconds > self._accepted:
            raise Fault("timestamping_failed", "Cannot time-stamp messages")


def _remember(path: Path, since: datetime) -> None:
    """Whole or not at all. What cannot be kept is forgotten by a restart, and that is all."""
    new = path.with_name(path.name + ".new")
    with suppress(OSError):
        new.write_text(since.isoformat() + "\n")
        new.replace(path)


def _remembered(path: Path, clock: Clock) -> float | None:
    """When it began, as the monotonic clock of this process would have shown it."""
    try:
        since = datetime.fromisoformat(path.read_text().strip())
        passed = (clock.now() - since).total_seconds()
    except (OSError, ValueError, TypeError):  # TypeError: a time without its zone
        return None
    return clock.monotonic() - max(0.0, passed)
