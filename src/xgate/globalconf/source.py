"""Where a global configuration comes from, and what a source hands over.

The rule: a source delivers files, each with what its signed directory said of it, and the
configuration they make together. The own instance's files must make sense, or nothing is taken up;
an optional part that does not is left at its default and noted (globalconf 3.3, 3.5, 8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from xgate.algorithms import SHA512, Digest
from xgate.errors import Fault
from xgate.globalconf import optional
from xgate.globalconf.apart import LARGE, read_apart
from xgate.globalconf.conf import GlobalConf, Instance
from xgate.globalconf.directory import OLDEST_VERSION
from xgate.globalconf.mapped import MappedParameters
from xgate.globalconf.private import PrivateParameters, read_private
from xgate.globalconf.shared import SharedParameters, read_shared
from xgate.globalconf.snapshot import Snapshot

__all__ = [
    "PRIVATE_FILE",
    "SHARED_FILE",
    "ConfSource",
    "LoadedConf",
    "StoredPart",
    "assemble",
    "with_partners",
]

PRIVATE_FILE = "private-params.xml"
SHARED_FILE = "shared-params.xml"

_Key = tuple[str, str]  # instance and file name
_Parameters = SharedParameters | PrivateParameters | None

_READERS: dict[str, Callable[[bytes], SharedParameters | PrivateParameters]] = {
    SHARED_FILE: read_shared,
    PRIVATE_FILE: read_private,
}
_SETTINGS: dict[str, tuple[str, Callable[[bytes], object]]] = {
    optional.FETCH_INTERVAL: ("ocsp_fetch_interval_seconds", optional.read_fetch_interval),
    optional.NEXT_UPDATE: ("verify_next_update", optional.read_verify_next_update),
    optional.MONITORING: ("monitoring_client", optional.read_monitoring_client),
}


class StoredPart(msgspec.Struct, frozen=True):
    """One file of a configuration.

    :param instance: whose part it is.
    :param content: its octets, or the snapshot that was made from them if they are many.
    :param version: configuration version of the directory that listed it.
    :param expires: end of that directory's validity; None: unknown, so never.
    """

    instance: str
    file_name: str
    content: bytes | Snapshot
    identifier: str | None = None
    location: str | None = None
    content_file_name: str | None = None
    version: int = 2
    expires: datetime | None = None

    @property
    def octets(self) -> bytes:
        """Its octets; those of a snapshot are unpacked at each call."""
        return self.content if isinstance(self.content, bytes) else self.content.source()

    def digest(self, digest: Digest) -> bytes:
        """Its digest; the usual one of a snapshot is known without its octets."""
        if digest == SHA512 and isinstance(self.content, Snapshot):
            return self.content.head.sha512
        return digest.of(self.octets)

    @property
    def size(self) -> int:
        """How many octets it has."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.head.size


class LoadedConf(msgspec.Struct, frozen=True):
    """A configuration and the files it was made from.

    There may be files of a partner besides that has expired: they tell where its new ones are.
    """

    conf: GlobalConf
    parts: tuple[StoredPart, ...]

    def find_part(self, instance: str, file_name: str) -> StoredPart | None:
        """The file of this name of an instance."""
        for part in self.parts:
            if (part.instance, part.file_name) == (instance, file_name):
                return part
        return None


class ConfSource(Protocol):
    """A place to get the global configuration from (a plug-in).

    Duties: ``fetch`` may block for as long as its own time limits say; it returns only what is
    verified, or raises ``Fault``; an unchanged configuration may be the same value as before. It
    is called by one thread at a time, every minute or so; the caller keeps the last good value.
    """

    def fetch(self, now: datetime) -> LoadedConf:
        """Get the configuration that is valid at ``now`` (aware)."""
        ...


def assemble(
    own: str,
    parts: Sequence[StoredPart],
    *,
    previous: LoadedConf | None = None,
    forgiving: bool = False,
    snapshots: Path | None = None,
) -> LoadedConf:
    """Make a configuration from files.

    :param previous: an older value; what has not changed since is not read again.
    :param forgiving: for a file that cannot be read take the previous one with its old expiry, or
        none, and note it; otherwise such a file is a refusal.
    :param snapshots: a folder for what large files were read into; None: memory.
    :raises Fault: ``malformed_global_conf``; ``global_conf_part_invalid_instance_identifier`` if a
        file speaks for another instance than its directory said.
    """
    if previous is not None and previous.parts == tuple(parts) and previous.conf.own == own:
        return previous
    noted: list[str] = []
    taken: dict[_Key, StoredPart] = {}
    read: dict[_Key, _Parameters] = {}
    for part in parts:
        usable = _read_part(part, previous, noted if forgiving else None, snapshots)
        if usable is not None:
            key = (part.instance, part.file_name)
            taken[key], read[key] = usable
    instances = {
        name: _build_instance(name, taken, read)
        for name in dict.fromkeys(instance for instance, _ in taken)
    }
    if own in instances:
        settings = _read_settings(own, taken, noted)
        instances[own] = msgspec.structs.replace(instances[own], settings=settings)
    before = None if previous is None else previous.conf
    conf = GlobalConf(own, instances, warnings=noted, previous=before)
    return LoadedConf(conf, tuple(taken.values()))


def with_partners(
    own: LoadedConf,
    partners: Sequence[LoadedConf],
    previous: LoadedConf | None = None,
    noted: Sequence[str] = (),
) -> LoadedConf:
    """Our own configuration with those of federation partners beside it.

    :param partners: each with one instance, its own. :param noted: what went wrong with others.
    :param previous: an older value, given back when it says the same.
    """
    parts = (*own.parts, *(part for partner in partners for part in partner.parts))
    warnings = (*own.conf.noted, *(text for p in partners for text in p.conf.noted), *noted)
    before = None if previous is None else previous.conf
    if (
        previous is not None
        and before is not None
        and before.own == own.conf.own
        and previous.parts == parts
        and before.noted == warnings
    ):
        return previous
    instances = dict(own.conf.instances)
    for partner in partners:
        instances[partner.conf.own] = partner.conf.instances[partner.conf.own]
    conf = GlobalConf(own.conf.own, instances, warnings=warnings, previous=before)
    return LoadedConf(conf, parts)


def _read_part(
    part: StoredPart,
    previous: LoadedConf | None,
    noted: list[str] | None,
    snapshots: Path | None,
) -> tuple[StoredPart, _Parameters] | None:
    """A part with its parameters, or its predecessor with those; ``noted``: be forgiving."""
    before = None if previous is None else previous.find_part(part.instance, part.file_name)
    known = None if previous is None else _parameters_of(previous.conf, part)
    if before is not None and before.content == part.content:
        return msgspec.structs.replace(part, content=before.content), known
    try:
        return _read_parameters(part, snapshots)
    except Fault as fault:
        if noted is None:
            raise
        noted.append(f"{part.file_name} of {part.instance} is passed over: {fault.text}")
    return None if before is None else (before, known)


def _parameters_of(conf: GlobalConf, part: StoredPart) -> _Parameters:
    instance = conf.instances.get(part.instance, Instance(part.instance))
    named = {SHARED_FILE: instance.shared, PRIVATE_FILE: instance.private}
    return named.get(part.file_name)


def _read_parameters(part: StoredPart, snapshots: Path | None) -> tuple[StoredPart, _Parameters]:
    """A part and what it says; what was read apart takes the place of its octets."""
    read = _READERS.get(part.file_name)
    if read is None:
        return part, None
    if part.file_name == SHARED_FILE and part.size >= LARGE:
        parameters: SharedParameters | PrivateParameters = read_apart(part.octets, snapshots)
    else:
        parameters = read(part.octets)
    if parameters.instance != part.instance:
        raise Fault(
            "global_conf_part_invalid_instance_identifier",
            f"{part.file_name} of {part.instance} speaks for instance {parameters.instance}",
        )
    if isinstance(parameters, MappedParameters):
        part = msgspec.structs.replace(part, content=parameters.snapshot)
    return part, parameters


def _build_instance(
    name: str, taken: dict[_Key, StoredPart], read: dict[_Key, _Parameters]
) -> Instance:
    shared = read.get((name, SHARED_FILE))
    private = read.get((name, PRIVATE_FILE))
    parts = [taken[name, file] for file in (SHARED_FILE, PRIVATE_FILE) if (name, file) in taken]
    return Instance(
        name,
        shared if isinstance(shared, SharedParameters) else None,
        private if isinstance(private, PrivateParameters) else None,
        version=parts[0].version if shared is not None else OLDEST_VERSION,
        expires=min((part.expires for part in parts if part.expires), default=None),
    )


def _read_settings(own: str, taken: dict[_Key, StoredPart], noted: list[str]) -> optional.Settings:
    """What the optional parts say; each that cannot be read leaves its default."""
    found: dict[str, object] = {}
    for file_name, (field, read) in _SETTINGS.items():
        part = taken.get((own, file_name))
        if part is None:
            continue
        try:
            found[field] = read(part.octets)
        except Fault as fault:
            noted.append(f"{file_name} is passed over: {fault.text}")
    return msgspec.structs.replace(optional.Settings(), **found)
