"""The journey from an anchor to a verified configuration, over any means of fetching a URL.

The rule: locations are tried in order until one gives everything: a directory whose signature holds
under that location's own certificates, and all parts of the anchor's instance with the right
digests; of a federation partner the shared parameters alone, and no other part is even fetched. A
part of another instance is never taken, nor is a directory that expires before the one in use,
which somebody may have kept to play it again (globalconf 2.3, 2.4, 3.3, 11.7, 11.16, 11.22). The
newest published version is looked for at every fetch (11.8).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor
from xgate.globalconf.directory import (
    NEWEST_VERSION,
    OLDEST_VERSION,
    SHARED_PARAMETERS,
    Directory,
    DirectoryPart,
    read_directory,
)
from xgate.globalconf.elements import DOCUMENT_LIMIT
from xgate.globalconf.shared import SharedParameters, Source
from xgate.globalconf.source import SHARED_FILE, LoadedConf, StoredPart, assemble

__all__ = [
    "CONNECTION_FAILURE",
    "Fetch",
    "Location",
    "Spread",
    "download",
    "fetch_directory",
    "find_locations",
]

Fetch = Callable[[str], tuple[int, bytes]]
"""GET a URL: HTTP status and body. Raises OSError when there is no answer; must bound both time
and size (no body of interest is larger than ``elements.DOCUMENT_LIMIT``)."""

CONNECTION_FAILURE = "global_conf_download_url_connection_failure"

_OK = 200
_NOT_FOUND = 404
_MOST_PARTS = 100
_URL = re.compile(r"https?://([^/?#\s]+)(/[^#\s]*)?")
_VERSION = re.compile(r"[?&]version=")


class Location(msgspec.Struct, frozen=True):
    """A URL of a signed directory, without version, and the certificates that count there."""

    url: str
    certificates: tuple[bytes, ...]


Spread = Callable[[Sequence[Location]], Sequence[Location]]
"""Puts equally good locations in the order to try them in, so that clients share the load."""


def find_locations(
    anchor: Anchor, shared: SharedParameters | None, spread: Spread = tuple
) -> tuple[Location, ...]:
    """Where to ask, best first (globalconf 2.3).

    First the sources that the instance's last known shared parameters name, then the anchor's own;
    within each of the two groups https before http.
    """
    directory = _directory_of(anchor)
    learnt: list[Location] = []
    if shared is not None and directory:
        learnt = [
            Location(f"http://{source.address}/{directory}", _certificates(source, directory))
            for source in shared.sources
        ]
    given = [Location(source.url, source.certificates) for source in anchor.sources]
    return (*_both_schemes(learnt, spread), *_both_schemes(given, spread))


def download(
    anchor: Anchor,
    fetch: Fetch,
    now: datetime,
    locations: Sequence[Location],
    *,
    known: LoadedConf | None = None,
    weak: bool = False,
    older: bool = False,
    partner: bool = False,
    snapshots: Path | None = None,
) -> tuple[LoadedConf, Location]:
    """The first whole configuration, and the location that gave it.

    :param known: an earlier one, whose files are not fetched again while they are the same.
    :param partner: the anchor is a federation partner's: take its shared parameters only.
    :param older: take one that expires before the known one, as after a restored backup or a
        shorter validity; otherwise that is refused until the known one has expired.
    :param snapshots: a folder for what large files are read into; None: memory.
    :raises Fault: the most telling reason, that is the first that is not a failed connection.
    """
    refusals: list[Fault] = []
    for location in locations:
        try:
            body = fetch_directory(fetch, location.url)
            directory = read_directory(body, location.certificates, now, weak=weak)
            if not older:
                _check_not_older(directory, anchor.instance, known)
            wanted = _parts_of(directory, anchor.instance, partner=partner)
            parts = [
                _fetch_part(fetch, location.url, anchor.instance, directory, part, known)
                for part in wanted
            ]
            loaded = assemble(anchor.instance, parts, previous=known, snapshots=snapshots)
            return loaded, location  # noqa: TRY300  the next location is for what fails here
        except Fault as fault:
            refusals.append(fault)
    telling = [fault for fault in refusals if fault.code != CONNECTION_FAILURE]
    raise next(iter(telling or refusals), None) or Fault(
        CONNECTION_FAILURE, "There is no location to download the configuration from"
    )


def _check_not_older(directory: Directory, instance: str, known: LoadedConf | None) -> None:
    kept = None if known is None else known.find_part(instance, SHARED_FILE)
    in_use = None if kept is None else kept.expires
    if in_use is not None and directory.expires < in_use:
        raise Fault(
            "global_conf_outdated",
            f"The configuration expires on {directory.expires.isoformat()}, before the one in use"
            f" ({in_use.isoformat()})",
        )


def fetch_directory(fetch: Fetch, url: str) -> bytes:
    """The directory of the newest version that the server publishes, still to be verified.

    :param url: without version, or with the one that alone is wanted (globalconf 2.4).
    :raises Fault: ``global_conf_download_url_connection_failure``,
        ``global_conf_get_version_failed``.
    """
    if _VERSION.search(url):
        urls = [url]
    else:
        joint = "&" if "?" in url else "?"
        versions = range(NEWEST_VERSION, OLDEST_VERSION - 1, -1)
        urls = [f"{url}{joint}version={version}" for version in versions]
    for versioned in urls:
        status, body = _get(fetch, versioned, CONNECTION_FAILURE)
        if status == _OK:
            return body
        if status != _NOT_FOUND:
            raise Fault(CONNECTION_FAILURE, f"{versioned} answers with status {status}")
    raise Fault("global_conf_get_version_failed", f"{url} publishes no version known here")


def _parts_of(directory: Directory, instance: str, *, partner: bool) -> list[DirectoryPart]:
    """The parts of this instance: a directory that has no shared parameters of it is not its."""
    parts = [part for part in directory.parts if part.instance == instance]
    shared = [part for part in parts if part.identifier == SHARED_PARAMETERS]
    if not shared:
        raise Fault(
            "global_conf_part_invalid_instance_identifier",
            f"The directory holds no shared parameters of instance {instance}",
        )
    if len(parts) > _MOST_PARTS:
        raise Fault(
            "global_conf_parsing_downloaded_conf_directory_failure", "There are too many parts"
        )
    return shared if partner else parts


def _fetch_part(
    fetch: Fetch,
    directory_url: str,
    instance: str,
    directory: Directory,
    part: DirectoryPart,
    known: LoadedConf | None,
) -> StoredPart:
    kept = None if known is None else known.find_part(instance, part.file_name)
    if kept is not None and kept.digest(part.digest) == part.value:
        content = kept.content
    else:
        content = octets = _fetch_octets(fetch, _join(directory_url, part.location))
        part.check_octets(octets)
    return StoredPart(
        instance,
        part.file_name,
        content,
        part.identifier,
        part.location,
        part.content_file_name,
        directory.version,
        directory.expires,
    )


def _fetch_octets(fetch: Fetch, url: str) -> bytes:
    status, body = _get(fetch, url, "global_conf_part_download_failure")
    if status != _OK:
        raise Fault("global_conf_part_download_failure", f"{url} answers with status {status}")
    if len(body) > DOCUMENT_LIMIT:
        raise Fault("global_conf_part_download_failure", f"{url} is too large")
    return body


def _get(fetch: Fetch, url: str, code: str) -> tuple[int, bytes]:
    try:
        return fetch(url)
    except OSError as error:
        raise Fault(code, f"{url} cannot be reached: {error}") from error


def _join(directory_url: str, path: str) -> str:
    scheme, host, *_ = urlsplit(directory_url)
    return f"{scheme}://{host}{path}"


def _directory_of(anchor: Anchor) -> str:
    """What follows the host in the anchor's first http URL (https if it has no other)."""
    urls = [source.url for source in anchor.sources]
    for url in sorted(urls, key=lambda url: not url.startswith("http://")):
        match = _URL.fullmatch(url)
        if match is not None:
            return (match[2] or "").removeprefix("/")
    return ""


def _certificates(source: Source, directory: str) -> tuple[bytes, ...]:
    if directory == "internalconf":
        return source.internal_certificates
    if directory == "externalconf":
        return source.external_certificates
    return source.internal_certificates + source.external_certificates


def _both_schemes(locations: Sequence[Location], spread: Spread) -> list[Location]:
    """Every location by https, then every one by http; an https URL stays what it is."""
    usable = [location for location in locations if _URL.fullmatch(location.url)]
    plain = [location for location in usable if location.url.startswith("http://")]
    secure = [
        Location("https" + location.url[location.url.index(":") :], location.certificates)
        for location in usable
    ]
    return [*spread(list(dict.fromkeys(secure))), *spread(list(dict.fromkeys(plain)))]
