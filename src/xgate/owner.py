"""Whose a file becomes when root writes it for somebody else.

The rule: a file that takes the place of another belongs to that one's owner, a new one to its
folder's: a server that runs as a user of its own can use what root has written beside its files.
Only what was made a moment ago is ever given away: what was found there might be a link to a file
of somebody else.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["Owner", "find_owner", "give_to", "make_folder", "open_or_make"]

Owner = tuple[int, int]
"""User and group, by number."""


def find_owner(path: Path) -> Owner | None:
    """Whose a file at ``path`` is to be; None: of whoever writes it, who is not root.

    Ask before it is written.

    :raises OSError: there is no such folder.
    """
    if os.geteuid() != 0:
        return None
    try:
        found = path.lstat()
    except FileNotFoundError:
        found = path.parent.stat()
    return found.st_uid, found.st_gid


def give_to(owner: Owner | None, descriptor: int) -> None:
    """Make a file or folder this owner's, which was made by this process just now.

    :raises OSError: the file system refuses.
    """
    if owner is not None:
        os.fchown(descriptor, *owner)


def open_or_make(path: Path, owner: Owner | None, mode: int) -> int:
    """A descriptor of the file at ``path``, for reading and writing; a new one is the owner's.

    :raises OSError: it cannot be opened or made, or is a link.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        made = os.open(path, flags | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return os.open(path, flags)
    try:
        give_to(owner, made)
    except BaseException:
        os.close(made)
        raise
    return made


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it that are missing; one that is there stays as it is.

    :raises OSError: it cannot be made, or there is something else.
    """
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent, mode)
    owner = find_owner(path)
    path.mkdir(mode=mode)
    if owner is not None:
        made = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            give_to(owner, made)
        finally:
            os.close(made)
