"""A published configuration under examination: proven as a client proves it, and told in detail.

The rule: the verdict is the client's own journey (``globalconf.download``) over files instead of
HTTP, at each of the anchor's places in turn until one gives everything; what is told besides comes
from the same octets. A file that is not the signed one is told of and never read (globalconf 2.3,
3.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from xgate.cli.output import Unusable, path_text, read_file
from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor, anchor_hash, read_anchor
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.directory import DIRECTORY_LIMIT, Directory, DirectoryPart, read_directory
from xgate.globalconf.download import Fetch, Location, download, find_locations
from xgate.globalconf.file_source import published_tree

__all__ = [
    "CheckedPart",
    "Examination",
    "Refused",
    "examine",
    "read_given_anchor",
    "read_moment",
]

_MOST_ANCHOR = 1024 * 1024
_OK, _NOT_FOUND = 200, 404
_NOT_PUBLISHED = "global_conf_get_version_failed"
# A lone directory file is fetched under this address; the version keeps a client from probing.
_LONE = "http://file/?version=any"


class CheckedPart(msgspec.Struct, frozen=True):
    """One file that the signed directory lists.

    :param state: whether its octets are those that were signed; ``foreign`` ones, of another
        instance than the anchor's, are never taken.
    """

    instance: str | None
    identifier: str | None
    file: str
    location: str
    digest: str
    state: Literal["verified", "changed", "missing", "foreign"]


class Refused(msgspec.Struct, frozen=True):
    """Why one of the anchor's places gave nothing."""

    address: str
    fault: Fault


class Examination(msgspec.Struct, frozen=True):
    """What was found.

    :param address: of the directory that the rest is about: the one that gave the configuration,
        else the last genuine one; empty if there is none.
    :param conf: the proven configuration, or None.
    :param refused: the places before it that were refused, in the order of asking.
    """

    conf: GlobalConf | None = None
    address: str = ""
    version: int | None = None
    expires: datetime | None = None
    parts: tuple[CheckedPart, ...] = ()
    refused: tuple[Refused, ...] = ()


def read_given_anchor(path: Path) -> tuple[Anchor, str]:
    """The anchor in a file, and the hash that people compare.

    :raises Unusable: there is none.
    """
    octets = read_file(path, _MOST_ANCHOR)
    try:
        return read_anchor(octets), anchor_hash(octets)
    except Fault as fault:
        raise Unusable(f"{path_text(path)} is not an anchor: {fault}") from None


def read_moment(text: str) -> datetime:
    """The time to judge at, as a person gives it; without a zone it is UTC.

    :raises Unusable: it is no time.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unusable(f"'{text}' is not a time such as 2026-01-31T10:00:00Z") from None


def examine(anchor: Anchor, path: Path, at: datetime) -> Examination:
    """Prove what is published at ``path``: a web root, or one signed directory beside its parts.

    :param at: the time of judgement, aware.
    :raises Unusable: nothing is published there that the anchor could mean.
    """
    if path.is_dir():
        return _examine(anchor, path, published_tree(path), _places_in_tree(anchor), at)
    if path.exists():
        return _examine(anchor, path, _lone_directory(path), [_lone_location(anchor)], at)
    raise Unusable(f"There is no {path_text(path)}")


def _examine(
    anchor: Anchor, path: Path, fetch: Fetch, locations: Sequence[Location], at: datetime
) -> Examination:
    refused: list[Refused] = []
    seen = Examination()
    for location in locations:
        answers: dict[str, bytes] = {}
        conf = None
        try:
            loaded, _ = download(anchor, _noting(fetch, answers), at, [location])
            conf = loaded.conf
        except Fault as fault:
            refused.append(Refused(_address(location.url, path), fault))
        told = _told(anchor, location, fetch, answers, at)
        if told is not None:
            seen = msgspec.structs.replace(told, address=_address(told.address, path))
        if conf is not None:
            return msgspec.structs.replace(seen, conf=conf, refused=tuple(refused))
    if all(place.fault.code == _NOT_PUBLISHED for place in refused):
        where = ", ".join(place.address for place in refused) or "none"
        raise Unusable(f"{path_text(path)} publishes nothing at the anchor's addresses ({where})")
    return msgspec.structs.replace(seen, refused=tuple(refused))


def _address(url: str, path: Path) -> str:
    return path_text(path) if url == _LONE else url


def _places_in_tree(anchor: Anchor) -> list[Location]:
    """The anchor's places that differ in a tree, where hosts and schemes are all the same."""
    places: dict[object, Location] = {}
    for location in reversed(find_locations(anchor, None)):  # http comes first here
        _, _, path, query, _ = urlsplit(location.url)
        places.setdefault((path, query, location.certificates), location)
    return list(reversed(places.values()))


def _lone_location(anchor: Anchor) -> Location:
    return Location(_LONE, tuple(der for source in anchor.sources for der in source.certificates))


def _lone_directory(file: Path) -> Fetch:
    """The directory is this file; its parts are where they are published, or right beside it."""
    body = read_file(file, DIRECTORY_LIMIT)

    def fetch(url: str) -> tuple[int, bytes]:
        if url == _LONE:
            return _OK, body
        for root, path in _near(file, urlsplit(url).path):
            status, octets = published_tree(root)(f"http://file{path}")
            if status == _OK:
                return status, octets
        return _NOT_FOUND, b""

    return fetch


def _near(file: Path, location: str) -> Iterator[tuple[Path, str]]:
    """Where a part may be: by its location below a folder above the directory, or beside that."""
    folder = file.resolve().parent
    for root in [folder, *folder.parents][: location.count("/")]:
        yield root, location
    yield folder, "/" + location.rpartition("/")[2]


def _noting(fetch: Fetch, answers: dict[str, bytes]) -> Fetch:
    def noting(url: str) -> tuple[int, bytes]:
        status, body = fetch(url)
        if status == _OK:
            answers[url] = body
        return status, body

    return noting


def _told(
    anchor: Anchor, location: Location, fetch: Fetch, answers: dict[str, bytes], at: datetime
) -> Examination | None:
    """What the place's directory says, if it is genuine; it was the first thing answered."""
    first = next(iter(answers.items()), None)
    if first is None:
        return None
    url, body = first
    try:
        directory = read_directory(body, location.certificates, at)
    except Fault:
        return None
    parts = _checked(directory, anchor.instance, location, fetch)
    return Examination(None, url, directory.version, directory.expires, tuple(parts))


def _checked(
    directory: Directory, instance: str, location: Location, fetch: Fetch
) -> Sequence[CheckedPart]:
    scheme, host, *_ = urlsplit(location.url)
    return [
        CheckedPart(
            part.instance,
            part.identifier,
            part.file_name,
            part.location,
            part.digest.name,
            _state(part, fetch, f"{scheme}://{host}{part.location}")
            if part.instance == instance
            else "foreign",
        )
        for part in directory.parts
    ]


def _state(
    part: DirectoryPart, fetch: Fetch, url: str
) -> Literal["verified", "changed", "missing"]:
    status, octets = fetch(url)
    if status != _OK:
        return "missing"
    return "verified" if part.digest.of(octets) == part.value else "changed"
