"""The configuration on disk, in the layout of the reference's configuration client.

The rule: each file is written whole under another name, made durable and moved into place, content
before its metadata: a crash leaves old content with old or new content with an older expiry, never
a torn file (globalconf 7). Reading is lenient where the reference's is: a file that makes no sense
keeps the one read before it, with the old expiry.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote_plus, unquote_plus

from xgate.errors import Fault
from xgate.globalconf import optional
from xgate.globalconf.directory import NEWEST_VERSION, OLDEST_VERSION
from xgate.globalconf.elements import DOCUMENT_LIMIT
from xgate.globalconf.snapshot import Snapshot
from xgate.globalconf.source import PRIVATE_FILE, SHARED_FILE, LoadedConf, StoredPart, assemble
from xgate.globalconf.times import read_time, write_time
from xgate.owner import find_owner, give_to, make_folder

__all__ = [
    "DiskSource",
    "directory_name",
    "holds_configuration",
    "read_disk",
    "write_disk",
    "write_metadata",
]

_IDENTIFIER = "instance-identifier"
_METADATA = ".metadata"
_MOST_METADATA = 64 * 1024
_READ = (
    SHARED_FILE,
    PRIVATE_FILE,
    optional.FETCH_INTERVAL,
    optional.NEXT_UPDATE,
    optional.MONITORING,
)


class DiskSource:
    """A ``ConfSource`` over a directory that somebody else keeps fresh."""

    def __init__(self, root: Path, snapshots: Path | None = None) -> None:
        """:param snapshots: a folder for what large files are read into; None: memory."""
        self._root = root
        self._snapshots = snapshots
        self._known: LoadedConf | None = None

    def fetch(self, now: datetime) -> LoadedConf:
        """Read what is on disk; see ``read_disk``."""
        self._known = read_disk(self._root, now, previous=self._known, snapshots=self._snapshots)
        return self._known


def read_disk(
    root: Path,
    now: datetime | None,
    *,
    previous: LoadedConf | None = None,
    snapshots: Path | None = None,
) -> LoadedConf:
    """Read the configuration under ``root`` without foreign instances that have expired.

    :param now: None: with those as well.
    :param previous: what was read before; its files stand in for those that cannot be read now.
    :param snapshots: a folder for what large files are read into; None: memory.
    :raises Fault: ``malformed_global_conf`` if there is no own instance identifier, or no instance.
    """
    own = _read_identifier(root)
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    if not folders:
        raise Fault("malformed_global_conf", f"{root} holds no instance")
    parts = [
        part
        for folder in folders
        for part in _read_folder(folder)
        if part.instance == own or now is None or part.expires is None or now < part.expires
    ]
    return assemble(own, parts, previous=previous, forgiving=True, snapshots=snapshots)


def holds_configuration(root: Path) -> bool:
    """Whether a configuration client has begun to fill this folder."""
    return (root / _IDENTIFIER).is_file()


def write_disk(root: Path, loaded: LoadedConf) -> None:
    """Make ``root`` hold exactly this configuration.

    :raises OSError: it cannot be written; what is in place stays readable.
    :raises Fault: ``malformed_global_conf`` for an instance that cannot name a directory.
    """
    make_folder(root)
    own = loaded.conf.own.encode()
    if _read_octets(root / _IDENTIFIER, _MOST_METADATA) != own:
        _replace(root / _IDENTIFIER, (own,))
    kept: dict[Path, set[str]] = {}
    for part in loaded.parts:
        folder = root / directory_name(part.instance)
        make_folder(folder)
        _write_part(folder, part)
        kept.setdefault(folder, set()).update((part.file_name, part.file_name + _METADATA))
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        _forget(folder, kept.get(folder, set()))


def directory_name(instance: str) -> str:
    """The name of an instance's directory, escaped as the reference does (globalconf 7).

    :raises Fault: ``malformed_global_conf`` if it would lead elsewhere.
    """
    name = quote_plus(instance, safe="*").replace("~", "%7E")
    if name in ("", ".", ".."):
        raise Fault("malformed_global_conf", "an instance identifier cannot name a directory")
    return name


def write_metadata(part: StoredPart) -> bytes:
    """The metadata of a part, byte for byte as the reference's client writes it."""
    values = {
        "contentIdentifier": part.identifier,
        "instanceIdentifier": part.instance,
        "expirationDate": None if part.expires is None else write_time(part.expires),
        "contentFileName": part.content_file_name,
        "contentLocation": part.location,
        "configurationVersion": str(part.version),
    }
    present = {name: value for name, value in values.items() if value is not None}
    return json.dumps(present, ensure_ascii=False, separators=(",", ":")).encode()


def _read_identifier(root: Path) -> str:
    text = _read_octets(root / _IDENTIFIER, _MOST_METADATA)
    try:
        own = "" if text is None else text.decode().strip()
    except UnicodeDecodeError:
        own = ""
    if not own:
        raise Fault("malformed_global_conf", f"{root / _IDENTIFIER} is missing or unreadable")
    return own


def _read_folder(folder: Path) -> Iterator[StoredPart]:
    instance = unquote_plus(folder.name)
    for name in _READ:
        octets = _read_octets(folder / name, DOCUMENT_LIMIT)
        if octets is not None:
            yield _with_metadata(instance, name, octets, folder / (name + _METADATA))


def _with_metadata(instance: str, name: str, octets: bytes, path: Path) -> StoredPart:
    """A part with its metadata; what is missing or unreadable means version 2, never expiring."""
    try:
        values = json.loads(_read_octets(path, _MOST_METADATA) or b"{}")
        values = values if isinstance(values, dict) else {}
    except (ValueError, RecursionError):
        values = {}
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    return StoredPart(
        instance,
        name,
        octets,
        texts.get("contentIdentifier"),
        texts.get("contentLocation"),
        texts.get("contentFileName"),
        _version_of(texts.get("configurationVersion", "")),
        _expiry_of(texts.get("expirationDate")),
    )


def _version_of(text: str) -> int:
    known = {str(version): version for version in range(OLDEST_VERSION, NEWEST_VERSION + 1)}
    return known.get(text, OLDEST_VERSION)


def _expiry_of(text: str | None) -> datetime | None:
    try:
        return None if text is None else read_time(text)
    except Fault:
        return None


def _write_part(folder: Path, part: StoredPart) -> None:
    path = folder / part.file_name
    if not _holds(path, part.content):
        _replace(path, _pieces(part.content))
    _replace(path.with_name(part.file_name + _METADATA), (write_metadata(part),))


def _holds(path: Path, content: bytes | Snapshot) -> bool:
    """Whether the file is this; what is large does not come into memory for it."""
    if isinstance(content, bytes):
        return _read_octets(path, DOCUMENT_LIMIT) == content
    if not path.is_file() or path.stat().st_size != content.head.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest() == content.head.digest


def _pieces(content: bytes | Snapshot) -> Iterable[bytes]:
    return (content,) if isinstance(content, bytes) else content.pieces()


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    temporary, owner = path.with_name(f".{path.name}.new"), find_owner(path)
    temporary.unlink(missing_ok=True)  # of a process that died while it wrote
    with temporary.open("xb") as file:
        give_to(owner, file.fileno())
        for octets in pieces:
            file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _forget(folder: Path, kept: set[str]) -> None:
    """Remove files that no directory lists any more, and the folder with the last of them.

    Only metadata and files that have some are ours to remove: the folder may not be what we think.
    """
    for path in sorted(folder.iterdir()):  # content before its metadata, as it was written
        ours = path.name.endswith(_METADATA) or path.with_name(path.name + _METADATA).is_file()
        if ours and path.name not in kept and path.is_file():
            path.unlink()
    if not kept and not any(folder.iterdir()):
        folder.rmdir()


def _read_octets(path: Path, limit: int) -> bytes | None:
    """The content of a regular file, or None; what is beyond the limit makes it unreadable."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        # Room is made for as much as is asked for: not for the limit, where there is little.
        octets = file.read(min(os.fstat(file.fileno()).st_size, limit) + 1)
    return octets if len(octets) <= limit else b""
