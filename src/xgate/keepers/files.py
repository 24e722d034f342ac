"""Keeps what was read from files true to them: what a command changes reaches a running server.

The rule: files are looked at every second and read when they have changed and stood still for a
second, for several files change one after the other. What cannot be used is reported once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from xgate.keepers.report import Report, cause_of

__all__ = ["file_stamp", "keep_files"]

_LOOK_SECONDS = 1.0


async def keep_files(
    what: str, paths: Sequence[Path], renew: Callable[[], None], report: Report
) -> None:
    """Call ``renew`` in a thread after each change of the files, for ever.

    :param what: is renewed, for the reports. :param renew: leaves all as it was if it raises.
    """

    def look() -> list[tuple[int, int, int] | None]:
        return [file_stamp(path) for path in paths]

    known = seen = await trio.to_thread.run_sync(look)
    while True:
        await trio.sleep(_LOOK_SECONDS)
        before, seen = seen, await trio.to_thread.run_sync(look)
        if seen == known or seen != before:
            continue
        known = seen
        try:
            await trio.to_thread.run_sync(renew)
        except Exception as error:  # noqa: BLE001  whatever it is, what was there stays
            report(f"{what} not read anew", cause=cause_of(error))
        else:
            report(f"{what} read anew")


def file_stamp(path: Path) -> tuple[int, int, int] | None:
    """Differs after every change of a file that is replaced whole; None if there is none."""
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_ino, known.st_mtime_ns, known.st_size
