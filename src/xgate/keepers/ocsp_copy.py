"""Keeps a copy of all OCSP responses at hand on disk, for the next start.

The rule: messages never wait for it. What has changed is written together, in a thread; what could
not be written is tried again, with whatever it is by then.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path

import trio

from xgate.errors import Fault
from xgate.keepers.report import Report
from xgate.signer.ocsp_cache import OcspCache, fresh_until
from xgate.signer.ocsp_folder import read_ocsp_folder, write_ocsp_folder
from xgate.trust.anchors import Trust
from xgate.trust.ocsp import OcspResponse

__all__ = ["keep_ocsp_copy", "restore_ocsp"]

_RETRY = 60.0


def restore_ocsp(
    cache: OcspCache, folder: Path, limit: int, trust: Trust, now: datetime, report: Report
) -> None:
    """Fill a cache from the folder; a folder that cannot be read is reported and counts as empty.

    :param limit: how many responses at most.
    """

    def is_fresh(response: OcspResponse) -> bool:
        try:
            return now <= fresh_until(response, trust)
        except Fault:  # without shared parameters nobody can say; who uses it will
            return True

    try:
        found = read_ocsp_folder(folder, limit, is_fresh)
    except OSError as error:
        report("OCSP responses not restored", folder=str(folder), cause=str(error))
        return
    for name in found.damaged:
        report("OCSP response passed over", file=str(folder / name), cause="it is no OCSP response")
    if found.responses or found.dropped:
        report("OCSP responses restored", kept=len(found.responses), dropped=found.dropped)
    cache.restore(found.responses)


async def keep_ocsp_copy(cache: OcspCache, folder: Path, report: Report) -> None:
    """Write what changes in the cache to the folder, for ever."""
    waiting: set[str] = set()
    while True:
        with trio.move_on_after(_RETRY if waiting else float("inf")):
            waiting |= await cache.wait_changed()
        changes = {sha1: cache.kept(sha1) for sha1 in waiting}
        try:
            await trio.to_thread.run_sync(partial(write_ocsp_folder, folder, changes))
        except OSError as error:
            report("OCSP responses not kept", folder=str(folder), cause=str(error))
        else:
            waiting.clear()
