"""``xgate globalconf show``: what a configuration client's folder holds.

The rule: the folder is ours or the reference's, and is only read; what has been kept was proven
when it was downloaded, so nothing is proven here. An own configuration that has expired is shown
with its date.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from xgate.cli.globalconf_facts import facts_of
from xgate.cli.output import Unusable, path_text, print_json, print_line, print_rows
from xgate.cli.show import time_text
from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.disk import read_disk
from xgate.globalconf.index import MemberInfo
from xgate.globalconf.source import LoadedConf

__all__ = ["show"]


class _Part(msgspec.Struct, frozen=True):
    file: str
    octets: int
    version: int
    expires: datetime | None


class _Instance(msgspec.Struct, frozen=True):
    """One instance; ``valid`` tells whether it may be used now."""

    instance: str
    own: bool
    valid: bool
    members: int
    subsystems: int
    servers: int
    groups: int
    certification_authorities: int
    timestamping_services: int
    parts: tuple[_Part, ...]


def show(
    directory: Path,
    /,
    *,
    members: bool = False,
    servers: bool = False,
    facts: bool = False,
    json: bool = False,
) -> int:
    """Show what a configuration client's folder holds.

    Exit code 0 when its own configuration is valid now, 1 when it is not, 2 when the folder holds
    none.

    :param directory: The folder, usually /etc/xroad/globalconf, or a server's own.
    :param members: List members and subsystems.
    :param servers: List security servers with their addresses.
    :param facts: List everything that it says.
    :param json: Print one JSON object.
    """
    loaded = _read(directory)
    now = SystemClock().now()
    conf = loaded.conf
    instances = tuple(_instance(loaded, name, now) for name in conf.instances)
    listed: dict[str, object] = {}
    if members:
        listed["members"] = {m.id.short: m.subsystem_name or m.member_name for m in _members(conf)}
    if servers:
        listed["servers"] = {s.id.short: s.address for n in _known(conf) for s in conf.servers(n)}
    if facts:
        listed["facts"] = facts_of(conf)
    if json:
        print_json({"instances": instances, "warnings": conf.warnings, **listed})
    else:
        _show(instances, conf.warnings, listed)
    return 0 if conf.valid_at(now) else 1


def _read(directory: Path) -> LoadedConf:
    try:
        # Partners that have expired are to be seen as well.
        return read_disk(directory, None)
    except (Fault, OSError) as error:
        raise Unusable(f"{path_text(directory)} holds no configuration: {error}") from None


def _known(conf: GlobalConf) -> list[str]:
    return [name for name, instance in conf.instances.items() if instance.shared is not None]


def _members(conf: GlobalConf) -> list[MemberInfo]:
    return [member for name in _known(conf) for member in conf.members(name)]


def _instance(loaded: LoadedConf, name: str, now: datetime) -> _Instance:
    conf = loaded.conf
    known = name in _known(conf)
    everybody = conf.members(name) if known else ()
    own_members = sum(member.id == member.id.member for member in everybody)
    expires = conf.instances[name].expires
    valid = conf.valid_at(now) if name == conf.own else known and not _is_past(expires, now)
    return _Instance(
        name,
        name == conf.own,
        valid,
        own_members,
        len(everybody) - own_members,
        len(conf.servers(name)) if known else 0,
        len(conf.groups(name)) if known else 0,
        sum(ca.instance == name for ca in conf.all_cas()),
        len(conf.tsas(name)) if known else 0,
        tuple(
            _Part(part.file_name, part.size, part.version, part.expires)
            for part in loaded.parts
            if part.instance == name
        ),
    )


def _is_past(expires: datetime | None, now: datetime) -> bool:
    return expires is not None and expires <= now


def _show(
    instances: tuple[_Instance, ...], warnings: tuple[str, ...], listed: dict[str, object]
) -> None:
    for one in instances:
        whose = "own instance" if one.own else "partner"
        print_line(f"{'valid' if one.valid else 'NOT VALID'}  {one.instance} ({whose})")
        print_rows(
            [
                ("lists", f"{one.members} members, {one.subsystems} subsystems"),
                ("", f"{one.servers} security servers, {one.groups} groups"),
                ("", f"{one.certification_authorities} certification authorities"),
                ("", f"{one.timestamping_services} timestamping services"),
                *(("part", _part(part)) for part in one.parts),
            ]
        )
    print_rows(("warning", text) for text in warnings)
    for kind, found in listed.items():
        print_line(kind)
        assert isinstance(found, dict)
        for what, value in found.items():
            print_line(f"  {what}{': ' if value else ''}{value or ''}")


def _part(part: _Part) -> str:
    until = "never expires" if part.expires is None else f"until {time_text(part.expires)}"
    return f"{part.file}  {part.octets} octets, version {part.version}, {until}"
