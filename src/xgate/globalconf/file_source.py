"""The configuration from a published tree: a central server's or proxy's web root on local disk.

The rule: the same journey as over HTTP, with the same proofs; only the fetching differs. A URL
leads to the file that the reference's web server would send for it (globalconf 2.1, confproxy 3.2),
and never out of the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor
from xgate.globalconf.download import Fetch
from xgate.globalconf.elements import DOCUMENT_LIMIT
from xgate.globalconf.http_source import HttpSource
from xgate.globalconf.source import LoadedConf
from xgate.ids import decode_segment

__all__ = ["TreeSource", "find_published", "published_tree"]

_OK = 200
_NOT_FOUND = 404
_DIGITS = re.compile("[0-9]{1,4}")


class TreeSource(HttpSource):
    """A ``ConfSource`` over a published tree."""

    def __init__(
        self,
        anchor: Anchor,
        root: Path,
        *,
        known: LoadedConf | None = None,
        weak: bool = False,
        allowed: Iterable[str] = (),
        snapshots: Path | None = None,
    ) -> None:
        super().__init__(
            anchor,
            published_tree(root),
            known=known,
            weak=weak,
            allowed=allowed,
            snapshots=snapshots,
        )


def published_tree(root: Path) -> Fetch:
    """How to fetch URLs of any host from this web root."""

    def fetch(url: str) -> tuple[int, bytes]:
        _, _, path, query, _ = urlsplit(url)
        found = find_published(root, path, query)
        return (_NOT_FOUND, b"") if found is None else (_OK, _read(found))

    return fetch


def find_published(root: Path, path: str, query: str = "") -> Path | None:
    """The file that answers this request path and query, or None (404).

    ``/internalconf?version=6`` is ``V6/internalconf``, ``/NAME/conf?version=6`` is
    ``NAME/conf-v6``; without a version it is 2; everything else is the path itself.
    """
    segments = _segments(path)
    if segments is None:
        return None
    version = dict(parse_qsl(query)).get("version", "2")
    if not _DIGITS.fullmatch(version):
        return None
    if segments in (["internalconf"], ["externalconf"]):
        segments = [f"V{version}", *segments]
    elif len(segments) > 1 and segments[-1] == "conf":
        segments[-1] += f"-v{version}"
    found = root.joinpath(*segments)
    inside = found.resolve().is_relative_to(root.resolve())
    return found if inside and found.is_file() else None


def _segments(path: str) -> list[str] | None:
    try:
        segments = [decode_segment(segment) for segment in path.removeprefix("/").split("/")]
    except Fault:
        return None
    usable = all(
        segment not in ("", ".", "..") and segment.isprintable() and not set(segment) & set("/\\")
        for segment in segments
    )
    return segments if usable else None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(DOCUMENT_LIMIT + 1)
