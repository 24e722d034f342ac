"""The settings of operational monitoring: ``[opmonitor]``.

The rule: as in ``settings``; numbers default to the reference's (monitoring 2).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from xgate.securityserver.section import Section

__all__ = ["OpmonitorSettings"]


class OpmonitorSettings(Section, frozen=True):
    """What is kept of each exchange: who, what, when, how large and how it ended.

    :param use: ``sqlite``: in a file; ``memory``: the last ``buffer`` records, lost at the end;
        ``none``: nothing.
    :param buffer: how many records may wait to be stored; the oldest give way.
    :param free_bytes: octets that the file system must have left, or none are stored.
    """

    use: Literal["sqlite", "memory", "none"] = "sqlite"
    path: str = "opmonitor.sqlite"
    buffer: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20_000
    free_bytes: Annotated[int, msgspec.Meta(ge=0)] = 256 << 20
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 7

    @property
    def taken(self) -> int:
        """How many records may wait: none when nothing is kept."""
        return 0 if self.use == "none" else self.buffer
