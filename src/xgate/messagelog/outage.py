"""Whether what is logged now will be timestamped, and since when that is in doubt.

The rule: messages go on while timestamping fails, but not for longer than an accepted time, and not
at all when there is nobody to stamp them: a log that cannot be stamped proves nothing to others.
The first failure counts, and any success ends the outage. It is kept in memory: a restart grants a
new period (messagelog 3.3 and traps 9, 10).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xgate.errors import Fault

__all__ = ["Outage"]


class Outage:
    """The failure state of timestamping in one process; for use within one trio loop."""

    def __init__(
        self,
        services: Callable[[], Sequence[str]],
        monotonic: Callable[[], float],
        accepted: float = 14_400.0,
    ) -> None:
        """:param services: the URLs of the timestamping services known now.
        :param accepted: seconds for which timestamping may fail; 0: for ever.
        """
        self._services = services
        self._monotonic = monotonic
        self._accepted = accepted
        self._since: float | None = None

    @property
    def lasting(self) -> bool:
        """Whether the last attempt to stamp has failed."""
        return self._since is not None

    def begin(self) -> None:
        """Stamping has failed; only the first of several failures is remembered."""
        if self._since is None:
            self._since = self._monotonic()

    def end(self) -> None:
        """Stamping has succeeded, or nothing waits for it."""
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
        if self._since is None or not self._accepted:
            return
        if self._monotonic() - self._since > self._accepted:
            raise Fault("timestamping_failed", "Cannot time-stamp messages")
