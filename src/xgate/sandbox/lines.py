"""What a server writes to its log, as it writes it, for whoever waits for a line.

The rule: lines are kept in order and may be read from any thread; waiting is for the line itself,
never for a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgspec
import trio

__all__ = ["Line", "Lines"]

Line = dict[str, object]


class Lines:
    """The lines of one server, decoded; ``write`` is its journal's sink."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._changed = threading.Condition()

    def write(self, line: bytes) -> None:
        """Take one line."""
        with self._changed:
            self._lines.append(msgspec.json.decode(line))
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Line]:
        with self._changed:
            return iter(tuple(self._lines))

    def __len__(self) -> int:
        with self._changed:
            return len(self._lines)

    async def wait(
        self, event: str, *, since: int = 0, timeout: float = 10.0, **fields: object
    ) -> Line:
        """The first line of this event, from number ``since`` on, that has all these fields.

        :raises TimeoutError: there was none in time.
        """
        wanted = {"event": event, **fields}
        return await trio.to_thread.run_sync(
            self._wait, wanted, since, timeout, abandon_on_cancel=True
        )

    def _wait(self, wanted: Line, since: int, timeout: float) -> Line:
        def find() -> Line | None:
            fits = (line for line in self._lines[since:] if wanted.items() <= line.items())
            return next(fits, None)

        with self._changed:
            found = self._changed.wait_for(find, timeout)
        if found is None:
            raise TimeoutError(f"no line {wanted} in {timeout:g} s")
        return found
