"""Where this server's global configuration comes from, by its settings.

The rule: loading is synchronous and runs in a thread; over HTTP it borrows the event loop for each
fetch. What was loaded over HTTP is also written in the reference's layout, for ``xgate verify`` and
for a start while the source is away; where it cannot be written it counts all the same. What would
be worse than what is there, or of another instance, is refused, whoever the source is.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from random import SystemRandom
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec
import trio

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor, read_anchor
from xgate.globalconf.apart import forget_snapshots
from xgate.globalconf.choose import SHIPPED, find_source, known_sources
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.disk import DiskSource, read_disk, write_disk
from xgate.globalconf.download import Fetch
from xgate.globalconf.elements import DOCUMENT_LIMIT
from xgate.globalconf.file_source import TreeSource
from xgate.globalconf.http_source import HttpSource
from xgate.globalconf.snapshot import Snapshot
from xgate.globalconf.source import ConfSource, LoadedConf
from xgate.net.errors import NetError
from xgate.net.fetch import Response, Verify, fetch
from xgate.net.resolve import in_url
from xgate.securityserver.conf_settings import GlobalconfSettings
from xgate.securityserver.section import SettingsError
from xgate.wire.fields import find_header

__all__ = ["Loader", "at_mapped_host", "begin_soon", "fetch_from", "open_loader"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 6
_SNAPSHOTS = "globalconf.snapshots"  # beside the settings
_START_SECONDS = 10.0
_PARTNER_SECONDS = 60.0
"""For all places of one partner: our own configuration must not grow old over it."""


class Loader:
    """Loads the configuration again and again; threads wait for each other."""

    def __init__(
        self,
        source: ConfSource,
        now: Callable[[], datetime],
        keep: Path | None = None,
        kept: LoadedConf | None = None,
        snapshots: Path | None = None,
    ) -> None:
        """:param keep: a folder in which what was loaded is kept; None for sources on disk.

        :param kept: what was kept there by an earlier run.
        :param snapshots: the folder of the source's snapshots; those not in use are removed.
        """
        self._source = source
        self._now = now
        self._keep = keep
        self._kept = kept
        self._snapshots = snapshots
        self._busy = threading.Lock()
        self._fetched: LoadedConf | None = None
        self._trouble = ""
        self._loaded: LoadedConf | None = None

    @property
    def has_kept(self) -> bool:
        """Whether there is a configuration of an earlier run."""
        return self._kept is not None

    @property
    def loaded(self) -> LoadedConf:
        """What was loaded last, with its files; ``begin`` has returned."""
        assert self._loaded is not None
        return self._loaded

    def begin(self) -> GlobalConf:
        """The configuration to start with: of now, or what an earlier run kept.

        What was kept may have expired; then every message is refused until a source answers.

        :raises Fault: neither is there. :raises OSError: the source cannot be read.
        """
        try:
            return self.load()
        except (Fault, OSError):
            kept = self.resume()
            if kept is None:
                raise
            return kept

    def resume(self) -> GlobalConf | None:
        """The configuration that an earlier run kept, without asking anybody; None: it kept none.

        It may have expired.
        """
        if self._kept is None:
            return None
        if self._loaded is None:
            conf = self._kept.conf.without_expired(self._now())
            self._loaded = msgspec.structs.replace(self._kept, conf=conf)
        return self._loaded.conf

    def load(self) -> GlobalConf:
        """The configuration of now; the same value when nothing has changed.

        :raises Fault: nothing usable was found. :raises OSError: the source cannot be read.
        """
        with self._busy:
            now = self._now()
            fetched = _fetch_whatever_comes(self._source, now)
            if self._loaded is not None:
                _check_no_worse(fetched.conf, self._loaded.conf, now)
            trouble = "" if fetched is self._kept else self._write(fetched)
            if fetched is not self._fetched or trouble != self._trouble:
                self._fetched, self._trouble = fetched, trouble
                self._loaded = _noting(fetched, trouble) if trouble else fetched
                self._tidy(fetched)
            return self.loaded.conf

    def _write(self, fetched: LoadedConf) -> str:
        """Keep it for the next run; what hinders that, which is tried again with the next load."""
        if self._keep is None:
            return ""
        try:
            write_disk(self._keep, fetched)
        except OSError as error:
            return f"the configuration cannot be kept in {self._keep}: {error.strerror or error}"
        self._kept = fetched
        return ""

    def _tidy(self, fetched: LoadedConf) -> None:
        if self._snapshots is None:
            return
        used = [part.content for part in fetched.parts if isinstance(part.content, Snapshot)]
        with suppress(OSError):  # it only takes room, until the next time
            forget_snapshots(self._snapshots, used)


async def begin_soon(loader: Loader) -> GlobalConf:
    """As ``Loader.begin``, but a source that keeps silent is waited for for seconds only, if an
    earlier run kept a configuration; the next load hears what it says late.

    :raises Fault: there is no configuration. :raises OSError: the source cannot be read.
    """
    with trio.move_on_after(_START_SECONDS if loader.has_kept else math.inf):
        return await trio.to_thread.run_sync(loader.begin, abandon_on_cancel=True)
    kept = loader.resume()
    assert kept is not None
    return kept


def open_loader(
    settings: GlobalconfSettings,
    folder: Path,
    now: Callable[[], datetime],
    hosts: Mapping[str, str],
) -> Loader:
    """The loader that the settings describe.

    :raises SettingsError: they name no source that there is, or the anchor cannot be used.
    :raises Fault: another package's source cannot be opened.
    """
    directory = folder / settings.directory
    snapshots = folder / _SNAPSHOTS
    if settings.use == "disk":
        return Loader(DiskSource(directory, snapshots), now, snapshots=snapshots)
    if settings.use not in SHIPPED:
        return Loader(_open_other(settings, folder), now, directory, _known(directory))
    anchor = _read_anchor(folder / settings.anchor)
    if settings.use == "published":
        allowed = settings.allowed_federations
        weak = settings.accept_weak_digests
        tree = TreeSource(anchor, directory, allowed=allowed, weak=weak, snapshots=snapshots)
        return Loader(tree, now, snapshots=snapshots)
    kept = _known(directory, anchor.instance, snapshots)
    source = HttpSource(
        anchor,
        fetch_from(settings, hosts),
        partner_fetch=lambda: fetch_from(settings, hosts, within=_PARTNER_SECONDS),
        known=kept,
        spread=lambda places: tuple(SystemRandom().sample(places, len(places))),
        weak=settings.accept_weak_digests,
        older=settings.accept_older,
        allowed=settings.allowed_federations,
        snapshots=snapshots,
    )
    return Loader(source, now, directory, kept, snapshots)


def fetch_from(
    settings: GlobalconfSettings,
    hosts: Mapping[str, str],
    heard: Callable[[str, Response], None] = lambda url, answer: None,
    *,
    within: float = math.inf,
) -> Fetch:
    """Fetches URLs on the event loop, for a thread of it; redirects within a scheme are followed.

    :param hosts: names and the addresses to use for them. :param heard: told of every answer.
    :param within: seconds from the first fetch, for all together.
    """
    limit: list[float] = []

    def fetch(url: str) -> tuple[int, bytes]:
        if not limit:
            limit.append(trio.from_thread.run_sync(trio.current_time) + within)
        for _ in range(_MOST_REDIRECTS):
            place = at_mapped_host(url, hosts)
            answer = trio.from_thread.run(_fetch, place, settings, limit[0])
            heard(url, answer)
            target = find_header(answer.headers, "location")
            if answer.status not in _REDIRECTS or target is None:
                return answer.status, answer.body
            following = urljoin(url, target)
            if urlsplit(following).scheme != urlsplit(url).scheme:
                return answer.status, b""
            url = following
        raise OSError("it redirects too often")

    return fetch


def at_mapped_host(url: str, hosts: Mapping[str, str]) -> str:
    """The URL with its host replaced by the address that the settings give for it."""
    parts = urlsplit(url)
    address = hosts.get(parts.hostname or "")
    if address is None or parts.scheme != "http":
        return url
    port = "" if parts.port is None else f":{parts.port}"
    return urlunsplit(parts._replace(netloc=in_url(address) + port))


def _read_anchor(path: Path) -> Anchor:
    try:
        return read_anchor(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"the anchor {path}: {error.strerror}") from None
    except Fault as fault:
        raise SettingsError(f"the anchor {path}: {fault.text}") from None


def _open_other(settings: GlobalconfSettings, folder: Path) -> ConfSource:
    open_source = find_source(settings.use)
    if open_source is None:
        known = ", ".join(known_sources())
        raise SettingsError(f"[globalconf] use = '{settings.use}' is no source; known: {known}")
    return open_source(settings.options, folder)


def _known(
    directory: Path, instance: str | None = None, snapshots: Path | None = None
) -> LoadedConf | None:
    try:
        kept = read_disk(directory, None, snapshots=snapshots)
    except (Fault, OSError):
        return None  # nothing was kept yet, or nothing usable: the source decides
    return kept if instance in (None, kept.conf.own) else None


def _fetch_whatever_comes(source: ConfSource, now: datetime) -> LoadedConf:
    """What a source gives, which may be another package's.

    :raises Fault: also in place of whatever error of its own. :raises OSError: as the source does.
    """
    try:
        fetched = source.fetch(now)
    except (Fault, OSError):
        raise
    except Exception as error:
        text = f"The source of the configuration fails by itself: {type(error).__name__}: {error}"
        raise Fault("internal_error", text) from error
    if not isinstance(fetched, LoadedConf) or not isinstance(fetched.conf, GlobalConf):
        raise Fault("malformed_global_conf", "The source gives something else than a configuration")
    return fetched


def _check_no_worse(new: GlobalConf, old: GlobalConf, now: datetime) -> None:
    """A server has one instance while it runs, and works as long as anything lets it."""
    if new.own != old.own:
        text = f"The source speaks for instance {new.own}; this server has begun in {old.own}"
        raise Fault("global_conf_part_invalid_instance_identifier", text)
    if old.valid_at(now) and not new.valid_at(now):
        text = "The source gives a configuration that is expired or incomplete, unlike the last one"
        raise Fault("global_conf_outdated", text)


def _noting(fetched: LoadedConf, trouble: str) -> LoadedConf:
    conf = fetched.conf
    noting = GlobalConf(conf.own, conf.instances, warnings=(*conf.noted, trouble), previous=conf)
    return msgspec.structs.replace(fetched, conf=noting)


async def _fetch(url: str, settings: GlobalconfSettings, limit: float) -> Response:
    verify: Verify = "name" if settings.hostname_verification else "chain"
    with trio.move_on_at(limit):
        try:
            return await fetch(
                url,
                timeout=settings.connect_seconds + settings.answer_seconds,
                connect_timeout=settings.connect_seconds,
                max_bytes=DOCUMENT_LIMIT + 1,
                verify=verify if settings.tls_verification else "nothing",
            )
        except (NetError, ValueError) as error:
            raise OSError(str(error)) from error
    raise OSError("the time for this partner is over")
