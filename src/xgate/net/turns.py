"""Which of several that are equally good to ask first.

The rule: one that has failed is asked after all others until it has answered again, so that a dead
one costs its time-out once and not every time; after a rest a single asker tries it in its old
place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["Turns"]

_FORGOTTEN = 10  # rests after which a name that nobody asks for any more is forgotten


class Turns:
    """Remembers who has failed; for use within one trio loop."""

    def __init__(self, monotonic: Callable[[], float], rest: float) -> None:
        """:param rest: seconds until one that has failed is tried again in its old place."""
        self._monotonic = monotonic
        self._rest = rest
        self._failed: dict[str, float] = {}

    def order(self, names: Iterable[str]) -> list[str]:
        """The names in the order to ask them now: as given, but for those that have failed."""
        ready, resting = self.split(names)
        return [*ready, *resting]

    def split(self, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """Whom to ask now, and whom only if none of these answers; each in the order given."""
        now = self._monotonic()
        longest = _FORGOTTEN * self._rest
        self._failed = {name: at for name, at in self._failed.items() if now - at < longest}
        halves: tuple[list[str], list[str]] = ([], [])
        for name in names:
            halves[self._rests(name, now)].append(name)
        return halves

    def failed(self, name: str) -> None:
        """This one has not done its part."""
        self._failed[name] = self._monotonic()

    def answered(self, name: str) -> None:
        """This one has."""
        self._failed.pop(name, None)

    def _rests(self, name: str, now: float) -> bool:
        since = self._failed.get(name)
        if since is None:
            return False
        if now - since < self._rest:
            return True
        self._failed[name] = now  # whoever asks now tries it; the others wait for what comes of it
        return False
