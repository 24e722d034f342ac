"""Where a server's own configuration is kept, revision by revision.

The rule: a revision is a whole document, kept for ever as it was applied; the newest one counts.
A new one is put in the place of exactly the one that its author has seen, or not at all, so no two
people overwrite each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

__all__ = ["ConfigurationStore", "Revision"]


class Revision(msgspec.Struct, frozen=True):
    """One state of the configuration.

    :param number: 1 for the first. :param time: when it was applied, aware.
    :param author: who applied it, for people. :param document: JSON, as ``xgate apply`` wrote it.
    """

    number: int
    time: datetime
    author: str
    document: bytes


class ConfigurationStore(Protocol):
    """Duties: every call may come from any thread and any process; durable when it returns."""

    def newest(self) -> int:
        """The number of the revision that counts; 0 when there is none yet.

        :raises Fault: ``database_error``.
        """

    def read(self, number: int) -> Revision | None:
        """A revision. :raises Fault: ``database_error``."""

    def history(self, most: int) -> Sequence[Revision]:
        """The newest revisions, the newest first. :raises Fault: ``database_error``."""

    def put(self, revision: Revision) -> None:
        """Keep a revision whose number is the newest plus one.

        :raises Fault: ``configuration_changed`` when it is not, because another was applied
            meanwhile; ``database_error``. Then nothing was kept.
        """

    def close(self) -> None:
        """Release files and connections."""
