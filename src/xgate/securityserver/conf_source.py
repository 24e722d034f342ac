"""Where this server's global configuration comes from, by its settings.

The rule: loading is synchronous and runs in a thread; over HTTP it borrows the event loop for each
fetch. What was loaded over HTTP is also written in the reference's layout, for ``xgate verify`` and
for a start while the source is away.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import trio

from xgate.errors import Fault
from xgate.globalconf.anchor import read_anchor
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.disk import DiskSource, read_disk, write_disk
from xgate.globalconf.elements import DOCUMENT_LIMIT
from xgate.globalconf.file_source import TreeSource
from xgate.globalconf.http_source import HttpSource
from xgate.globalconf.source import ConfSource, LoadedConf
from xgate.net.errors import NetError
from xgate.net.fetch import fetch
from xgate.securityserver.settings import GlobalconfSettings, SettingsError

__all__ = ["Loader", "at_mapped_host", "open_loader"]

_TIMEOUT = 30.0


class Loader:
    """Loads the configuration again and again; for one thread at a time."""

    def __init__(
        self,
        source: ConfSource,
        now: Callable[[], datetime],
        keep: Path | None = None,
        kept: LoadedConf | None = None,
    ) -> None:
        """:param keep: a folder in which what was loaded is kept; None for sources on disk.

        :param kept: what was kept there by an earlier run.
        """
        self._source = source
        self._now = now
        self._keep = keep
        self._kept = kept
        self._loaded = kept

    @property
    def loaded(self) -> LoadedConf:
        """What was loaded last, with its files; ``begin`` has returned."""
        assert self._loaded is not None
        return self._loaded

    def begin(self) -> GlobalConf:
        """The configuration to start with: of now, or what an earlier run kept.

        What was kept may have expired; then every message is refused until a source answers.

        :raises Fault: neither is there. :raises OSError: as ``load``.
        """
        try:
            return self.load()
        except Fault:
            if self._kept is None:
                raise
            return self._kept.conf

    def load(self) -> GlobalConf:
        """The configuration of now; the same value when nothing has changed.

        :raises Fault: nothing usable was found. :raises OSError: it could not be kept.
        """
        loaded = self._source.fetch(self._now())
        if self._keep is not None and loaded is not self._kept:
            write_disk(self._keep, loaded)
            self._kept = loaded
        self._loaded = loaded
        return loaded.conf


def open_loader(
    settings: GlobalconfSettings,
    folder: Path,
    now: Callable[[], datetime],
    hosts: Mapping[str, str],
) -> Loader:
    """The loader that the settings describe.

    :raises SettingsError: the anchor cannot be used.
    """
    directory = folder / settings.directory
    if settings.use == "disk":
        return Loader(DiskSource(directory), now)
    path = folder / settings.anchor
    try:
        anchor = read_anchor(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"the anchor {path}: {error.strerror}") from None
    except Fault as fault:
        raise SettingsError(f"the anchor {path}: {fault.text}") from None
    if settings.use == "published":
        return Loader(TreeSource(anchor, directory), now)
    kept = _known(directory, now())
    source = HttpSource(
        anchor,
        lambda url: trio.from_thread.run(_fetch, at_mapped_host(url, hosts)),
        known=kept,
        spread=lambda places: tuple(random.sample(places, len(places))),
    )
    return Loader(source, now, directory, kept)


def at_mapped_host(url: str, hosts: Mapping[str, str]) -> str:
    """The URL with its host replaced by the address that the settings give for it."""
    parts = urlsplit(url)
    address = hosts.get(parts.hostname or "")
    if address is None or parts.scheme != "http":
        return url
    name = f"[{address}]" if ":" in address else address
    port = "" if parts.port is None else f":{parts.port}"
    return urlunsplit(parts._replace(netloc=name + port))


def _known(directory: Path, now: datetime) -> LoadedConf | None:
    try:
        return read_disk(directory, now)
    except (Fault, OSError):
        return None  # nothing was kept yet, or nothing usable: the source decides


async def _fetch(url: str) -> tuple[int, bytes]:
    try:
        answer = await fetch(url, timeout=_TIMEOUT, max_bytes=DOCUMENT_LIMIT + 1)
    except (NetError, ValueError) as error:
        raise OSError(str(error)) from error
    return answer.status, answer.body
