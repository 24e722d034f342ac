"""How a listener goes quiet: no new work, idle connections closed, running exchanges finished.

The rule: whoever waits for work that may never come waits inside ``idle`` and goes home when it is
cancelled there; whoever is at work looks at ``started`` before taking more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import trio

__all__ = ["Drain"]


class Drain:
    """A one-way switch shared by a listener and its connections."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._idle: set[trio.CancelScope] = set()

    @property
    def started(self) -> bool:
        """True when no more work is to be taken."""
        return self._event.is_set()

    def start(self) -> None:
        """Take no more work from now on."""
        self._event.set()
        for scope in tuple(self._idle):
            scope.cancel()

    async def wait(self) -> None:
        """Wait until ``start`` was called."""
        await self._event.wait()

    @contextmanager
    def idle(self, deadline: float = math.inf) -> Iterator[trio.CancelScope]:
        """A scope that is cancelled at the deadline, or when the drain starts."""
        scope = trio.CancelScope(deadline=deadline)
        if self.started:
            scope.cancel()
        self._idle.add(scope)
        try:
            with scope:
                yield scope
        finally:
            self._idle.discard(scope)
