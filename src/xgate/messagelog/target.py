"""Where archives go (plug-in), and the target that is a folder.

The rule: ``put`` returns when the whole file is there durably under its name, and may be called
again with the same file; whoever looks at the target sees the whole file or none.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol

from xgate.messagelog.outbox import flush_folder

__all__ = ["ArchiveTarget", "FileTarget"]


class ArchiveTarget(Protocol):
    """Duties: as the rule says; every call may come from any thread of the archiver's."""

    def put(self, file: Path, name: str) -> None:
        """Keep ``file`` under ``name``, in place of what may be there; ``file`` stays as it is.

        :raises OSError, NetError, Fault: it may be there or not; another call will tell.
        """


class FileTarget:
    """A folder, made if it does not exist (mode 0700)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, file: Path, name: str) -> None:
        """Keep a file (``ArchiveTarget.put``); without copying it where the file system can."""
        if not name or name.startswith(".") or Path(name).name != name:
            raise ValueError(f"not the name of a file: {name!r}")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._folder / "tmp-mlog-put.tmp"
        temporary.unlink(missing_ok=True)
        try:
            os.link(file, temporary)
        except OSError:  # another file system, or one without links
            _copy(file, temporary)
        temporary.replace(self._folder / name)
        # Where the name was a link to the same file already, a rename leaves both (rename(2)).
        temporary.unlink(missing_ok=True)
        flush_folder(self._folder)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file, target.open("xb") as out:
        shutil.copyfileobj(file, out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())
    shutil.copymode(source, target)
