"""The signer's door: a Unix socket that only those may pass who are known to the kernel.

The rule: who runs the signer, lives under its user id, or is root; others only if they are named.
What a process says of itself counts for nothing: the kernel tells who has connected. One signer
holds a socket: whoever has the lock beside it may clear away what a dead one left.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from xgate.errors import Fault
from xgate.net.errors import ConnectError

__all__ = ["SignerDoor", "check_signer", "check_visitor", "open_door", "user_ids"]

_LONGEST = 107  # octets of a socket's path, by sockaddr_un
_BACKLOG = 128
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class SignerDoor:
    """An open listening socket, and the lock that makes it the only one at its place."""

    def __init__(self, path: Path, listener: socket.socket, lock: int) -> None:
        self.path = path
        self.listener = listener
        self._lock = lock

    def close(self) -> None:
        """Close the socket and leave its place free. Closing twice is harmless."""
        self.listener.close()
        if self._lock >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1


def open_door(path: Path, *, shared: bool = False) -> SignerDoor:
    """Listen at ``path``; a folder that is missing is made for this user alone.

    :param shared: other users are let in as well; they need a way to the socket through its
        folders, ``check_visitor`` decides on them.
    :raises ConnectError: the path is too long, its folder is open to changes by others, or another
        signer is at work there.
    """
    if len(os.fsencode(path)) > _LONGEST:
        raise ConnectError(
            f"the signer's socket {path} has a path of more than {_LONGEST} octets; "
            "name a shorter one in [keys] signer"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o711 if shared else 0o700)
        _check_folder(path.parent)
        lock = _lock(path)
        try:
            return SignerDoor(path, _listen(path, 0o666 if shared else 0o600), lock)
        except BaseException:
            os.close(lock)
            raise
    except OSError as error:
        raise ConnectError(f"cannot listen on {path}: {error.strerror}") from None


def _check_folder(folder: Path) -> None:
    found = folder.stat()
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise ConnectError(
            f"the folder {folder} of the signer's socket can be changed by other users; "
            f"run: chmod go-w {folder}"
        )
    if found.st_uid not in (0, os.geteuid()):
        raise ConnectError(f"the folder {folder} of the signer's socket belongs to another user")


def _lock(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    lock = os.open(path.with_name(f"{path.name}.lock"), flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise ConnectError(f"another signer is at work on {path}") from None
    return lock


def _listen(path: Path, mode: int) -> socket.socket:
    if os.path.lexists(path):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConnectError(f"{path} is no socket, so no signer has left it there")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.bind(os.fspath(path))
        path.chmod(mode)  # nobody can connect before it listens
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def user_ids(names: Iterable[str]) -> frozenset[int]:
    """The ids of users, who are named or numbered.

    :raises Fault: ``internal_error``: there is no such user.
    """
    return frozenset(int(name) if name.isdecimal() else _user_id(name) for name in names)


def _user_id(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise Fault("internal_error", f"There is no user '{name}' on this system") from None


def check_visitor(sock: socket.socket, others: frozenset[int]) -> bool:
    """Refuse whoever has connected and is neither root, nor this process's user, nor one of
    ``others``; True for the first two, who could do without this door.

    :raises Fault: ``access_denied``.
    """
    pid, user = _other_end(sock)
    if user in (0, os.geteuid()):
        return True
    if user not in others:
        raise Fault(
            "access_denied",
            f"Process {pid} of user {user} may not use this signer; "
            "name the user in [signer] allow-users to let it",
        )
    return False


def check_signer(sock: socket.socket, path: Path) -> None:
    """Refuse a signer at ``path`` that is somebody else's: it would be told PINs.

    :raises Fault: ``access_denied``: neither root runs it, nor this process's user, nor whoever
        the folder of its socket belongs to.
    """
    pid, user = _other_end(sock)
    if user not in (0, os.geteuid(), path.parent.stat().st_uid):
        raise Fault("access_denied", f"The signer at {path} is process {pid} of user {user}")


def _other_end(sock: socket.socket) -> tuple[int, int]:
    """Process and user at the other end, by the kernel's word."""
    octets = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, user, _ = _CREDENTIALS.unpack(octets)
    return pid, user
