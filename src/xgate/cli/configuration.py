"""The configuration that containers are judged by, from what a person has at hand.

The rule: a folder in the layout of the reference's configuration client, the folder that a security
server hands out as ``verificationconf``, or that very zip file. Its own validity does not count:
containers are older than any configuration that is still valid. Sources: globalconf 7, asic 6.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from xgate.cli.logstore import read_settings
from xgate.cli.output import Unusable, path_text, read_file
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.disk import read_disk
from xgate.securityserver.conf_source import open_loader
from xgate.securityserver.settings import SettingsError
from xgate.trust.strict_zip import read_zip

__all__ = ["open_configuration", "open_servers_configuration"]

_IDENTIFIER = "instance-identifier"
_FOLDER = "verificationconf"
_MOST_ZIP = 64 * 1024 * 1024
_MOST_FILES = 256 * 1024 * 1024
# So early that nothing has expired yet.
_ANY_TIME = datetime.min.replace(tzinfo=UTC)


def open_configuration(path: Path) -> GlobalConf:
    """Read the configuration at ``path``, whatever its validity.

    :raises Unusable: there is none, or its own instance cannot be read.
    """
    shown = path_text(path)
    try:
        conf = _read(path)
    except OSError as error:
        raise Unusable(f"Cannot read {shown}: {error.strerror}") from None
    except Fault as fault:
        raise Unusable(f"{shown} is not a configuration: {fault.text}") from None
    own = conf.instances.get(conf.own)
    if own is None or own.shared is None:
        notes = "".join(f" ({note})" for note in conf.warnings)
        raise Unusable(f"{shown} holds no shared parameters of its instance {conf.own}{notes}")
    return conf


def open_servers_configuration(config: Path) -> GlobalConf:
    """The configuration that a server works by, as it lies on the disk, whatever its validity.

    :param config: the server's settings file.
    :raises Unusable: as ``open_configuration``; there are no settings, or nothing was loaded yet.
    """
    settings = read_settings(config).globalconf
    folder = config.resolve().parent
    if settings.use != "published":
        return open_configuration(folder / settings.directory)
    try:
        return open_loader(settings, folder, lambda: _ANY_TIME, {}).begin()
    except SettingsError as error:
        raise Unusable(str(error)) from None
    except Fault as fault:
        shown = path_text(folder / settings.directory)
        raise Unusable(f"{shown} is not a published configuration: {fault.text}") from None


def _read(path: Path) -> GlobalConf:
    if not path.is_file():
        return _read_folder(path)
    files = read_zip(read_file(path, _MOST_ZIP), limit=_MOST_FILES)
    if not files:
        raise Fault("malformed_global_conf", "it is neither a folder nor a zip file of one")
    with tempfile.TemporaryDirectory(prefix="xgate-") as name:
        folder = Path(name)
        for file_name, octets in files.items():
            target = folder / file_name  # read_zip has refused every name that leads elsewhere
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(octets)
        return _read_folder(folder)


def _read_folder(folder: Path) -> GlobalConf:
    inner = folder / _FOLDER
    if not (folder / _IDENTIFIER).exists() and (inner / _IDENTIFIER).is_file():
        folder = inner
    return read_disk(folder, _ANY_TIME).conf
