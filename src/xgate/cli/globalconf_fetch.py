"""``xgate globalconf fetch``: download a configuration once, as a security server would.

The rule: everything is proven before anything is written, and what is there already stands for
nothing but rollback and the keys that it has taught; a refusal leaves the folder as it was.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import trio

from xgate.cli.output import Unusable, path_text, print_json, print_line, print_rows
from xgate.cli.published import read_given_anchor
from xgate.cli.show import time_text
from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor, AnchorSource
from xgate.globalconf.directory import NEWEST_VERSION, OLDEST_VERSION
from xgate.globalconf.disk import read_disk, write_disk
from xgate.globalconf.http_source import HttpSource
from xgate.globalconf.source import LoadedConf
from xgate.securityserver.conf_settings import GlobalconfSettings
from xgate.securityserver.conf_source import fetch_from

__all__ = ["fetch"]


class _Fetched(msgspec.Struct, frozen=True):
    """What a script reads; ``written`` is the folder, or None when nothing was to be written."""

    instance: str
    anchor_hash: str
    version: int
    expires: datetime | None
    files: tuple[str, ...]
    partners: tuple[str, ...]
    warnings: tuple[str, ...]
    written: str | None


def fetch(
    anchor: Path,
    directory: Path | None = None,
    /,
    *,
    version: int | None = None,
    allow: tuple[str, ...] = (),
    check: bool = False,
    internal: bool = False,
    external: bool = False,
    accept_older: bool = False,
    accept_weak_digests: bool = False,
    tls_verification: bool = True,
    json: bool = False,
) -> int:
    """Download a configuration from its anchor's sources, prove it, and keep it.

    Exit code 0 when it was proven and kept, 1 when no source gave one that holds (the first cause
    that is no mere connection is told), 2 when an argument cannot be used.

    :param anchor: The configuration anchor (an XML file).
    :param directory: The folder to keep it in, in the reference's layout.
    :param version: Ask for this configuration version only, instead of the newest.
    :param allow: Instances of federation partners to download as well, or all.
    :param check: Write nothing.
    :param internal: Demand a source for an instance's own servers: with private parameters.
    :param external: Demand a source for partners: without private parameters.
    :param accept_older: Take one that expires before the one in the folder.
    :param accept_weak_digests: Take digests and signatures by MD5 and SHA-1 as well.
    :param tls_verification: Whether https sources must show a certificate that is trusted here;
        --tls-verification=false takes any: what is published is proven by its signature anyway.
    :param json: Print one JSON object.
    """
    if (directory is None) != check:
        raise Unusable("Say where to keep it, or --check to keep it nowhere")
    if internal and external:
        raise Unusable("A source is --internal or --external, not both")
    given, hash_text = read_given_anchor(anchor)
    read = _at_version(given, version)
    now = SystemClock().now()
    known = None if directory is None else _known(directory)
    settings = GlobalconfSettings(tls_verification=tls_verification)
    source = HttpSource(
        read,
        fetch_from(settings, {}),
        known=known,
        weak=accept_weak_digests,
        older=accept_older,
        allowed=allow,
    )
    loaded = trio.run(trio.to_thread.run_sync, source.fetch, now)
    _check_kind(loaded, internal=internal, external=external)
    if directory is not None:
        try:
            write_disk(directory, loaded)
        except OSError as error:
            raise Unusable(f"Cannot write {path_text(directory)}: {error.strerror}") from None
    _tell(_told(loaded, hash_text, directory), json=json)
    return 0


def _at_version(anchor: Anchor, version: int | None) -> Anchor:
    """An anchor whose places are of this version."""
    if version is None:
        return anchor
    if not OLDEST_VERSION <= version <= NEWEST_VERSION:
        raise Unusable(f"--version is {OLDEST_VERSION} to {NEWEST_VERSION}")
    sources = tuple(
        AnchorSource(
            f"{s.url}{'&' if urlsplit(s.url).query else '?'}version={version}", s.certificates
        )
        for s in anchor.sources
    )
    return msgspec.structs.replace(anchor, sources=sources)


def _known(directory: Path) -> LoadedConf | None:
    if directory.exists() and not directory.is_dir():
        raise Unusable(f"{path_text(directory)} is not a folder")
    try:
        return read_disk(directory, None)
    except (Fault, OSError):
        return None


def _check_kind(loaded: LoadedConf, *, internal: bool, external: bool) -> None:
    """What the reference's client verifies of an anchor on demand (globalconf 10)."""
    private = loaded.conf.instances[loaded.conf.own].private is not None
    if internal and not private:
        text = "The source publishes no private parameters: it is not an internal one"
        raise Fault("global_conf_missing_private_params", text)
    if external and private:
        text = "The source publishes private parameters: it is not an external one"
        raise Fault("not_an_external_source", text)


def _told(loaded: LoadedConf, hash_text: str, directory: Path | None) -> _Fetched:
    conf = loaded.conf
    own = conf.instances[conf.own]
    return _Fetched(
        conf.own,
        hash_text,
        own.version,
        own.expires,
        tuple(f"{part.instance}/{part.file_name}" for part in loaded.parts),
        tuple(name for name in conf.instances if name != conf.own),
        tuple(conf.warnings),
        None if directory is None else path_text(directory),
    )


def _tell(told: _Fetched, *, json: bool) -> None:
    if json:
        print_json(told)
        return
    print_line(f"{'kept' if told.written else 'holds'}  configuration of {told.instance}")
    until = "never" if told.expires is None else time_text(told.expires)
    print_rows(
        [
            ("anchor", f"sha224 {told.anchor_hash}"),
            ("version", str(told.version)),
            ("expires", until),
            *(("part", file) for file in told.files),
            *(("partner", name) for name in told.partners),
            *(("warning", text) for text in told.warnings),
            *([("folder", told.written)] if told.written else []),
        ]
    )
