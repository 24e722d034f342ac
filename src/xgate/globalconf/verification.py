"""The configuration as a security server hands it out to whoever verifies containers.

The rule: the shared parameters of every known instance as they were signed, each with the version
that says how to read them, and last the name of our own instance; no expiry, for a container is
older than any configuration that is still valid. Unpacked it is what ``disk.read_disk`` reads.
Source: asic 6.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from xgate.globalconf.disk import directory_name
from xgate.globalconf.source import SHARED_FILE, LoadedConf
from xgate.trust.strict_zip import write_zip

__all__ = ["write_verification_zip"]

_FOLDER = "verificationconf"


def write_verification_zip(loaded: LoadedConf, at: datetime) -> bytes:
    """The zip file.

    :param at: the files' time, aware.
    :raises Fault: ``malformed_global_conf`` for an instance that cannot name a folder.
    """
    return write_zip(_files(loaded), at=at, comment="")


def _files(loaded: LoadedConf) -> Iterator[tuple[str, bytes]]:
    for part in loaded.parts:
        if part.file_name != SHARED_FILE or part.instance not in loaded.conf.instances:
            continue  # the files of a partner that has expired are kept as well
        name = f"{_FOLDER}/{directory_name(part.instance)}/{SHARED_FILE}"
        version = {"configurationVersion": str(part.version)}
        yield name, part.octets
        yield f"{name}.metadata", json.dumps(version, separators=(",", ":")).encode()
    yield f"{_FOLDER}/instance-identifier", loaded.conf.own.encode()
