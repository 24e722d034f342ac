"""Checks of the anchor, and of the configuration that it leads to.

The rule: it is taken as the server would take it, also where it would refuse an older one, and
nothing is kept. Partners that are not there are a warning: they harm nobody but themselves.
Sources: globalconf 1 to 3, federation 3.
"""

from __future__ import annotations

from datetime import datetime

import trio

from xgate.cli.doctor.case import Case
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, skipped, warning
from xgate.cli.doctor.places import OPERATOR, ask_places, fix_for, said_of
from xgate.cli.doctor.times import length_text
from xgate.cli.output import Unusable, path_text, read_file
from xgate.cli.show import time_text
from xgate.errors import Fault
from xgate.globalconf.anchor import anchor_hash, read_anchor
from xgate.globalconf.choose import SHIPPED, find_source, known_sources
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.disk import read_disk
from xgate.globalconf.federation import allowed_partners, allows
from xgate.globalconf.source import LoadedConf
from xgate.securityserver.conf_source import open_loader
from xgate.securityserver.settings import SettingsError

__all__ = ["check_anchor", "check_configuration"]

_MOST_WARNINGS = 5
_MOST_ANCHOR = 1024 * 1024
_WORDS = ("all", "none")


async def check_anchor(case: Case) -> Findings:
    """There is an anchor, and it is of this server's instance."""
    settings = case.settings.globalconf
    if settings.use not in ("http", "published"):
        return [skipped("none is needed: somebody else keeps the configuration, and proves it")]
    path = case.folder / settings.anchor
    shown = path_text(path)
    get = f"Get the anchor from {OPERATOR}, compare its hash by another way, and put it there."
    try:
        octets = await trio.to_thread.run_sync(read_file, path, _MOST_ANCHOR)
        case.anchor = read_anchor(octets)
    except Unusable as error:
        return [broken(str(error), fix=get)]
    except Fault as fault:
        return [broken(f"{shown} is no anchor: {fault.text}", fix=get)]
    own = case.settings.server_id.owner.instance
    if case.anchor.instance != own:
        return [
            broken(
                f"it is of instance {case.anchor.instance}, and this server is "
                f"{case.settings.server}",
                expected=f"an anchor of instance {own}",
                fix=get,
            )
        ]
    made = case.anchor.generated_at
    age = "" if made is None else f", made {length_text(case.clock.now() - made)} ago"
    return [ok(f"instance {own}, SHA-224 {anchor_hash(octets)}{age}")]


async def check_configuration(case: Case) -> Findings:
    """A genuine configuration that is valid now can be had."""
    if case.settings.globalconf.use == "http":
        return await _download(case)
    folder = path_text(case.folder / case.settings.globalconf.directory)
    try:
        conf = await trio.to_thread.run_sync(_load, case, abandon_on_cancel=True)
        conf.check_valid(case.clock.now())
    except SettingsError as error:
        return [broken(str(error), fix="Correct [globalconf].")]
    except OSError as error:
        fix = "Check whether the program that keeps this folder runs."
        return [broken(f"{folder}: {error.strerror or error}", fix=fix)]
    except Fault as fault:
        return [broken(said_of(fault), fix=fix_for(fault))]
    return _take(case, conf)


def _load(case: Case) -> GlobalConf:
    """From a source that needs no network of ours; another package's keeps nothing here."""
    settings, now = case.settings.globalconf, case.clock.now
    if settings.use in SHIPPED:
        return open_loader(settings, case.folder, now, case.settings.peers.hosts).begin()
    open_source = find_source(settings.use)
    if open_source is None:
        known = ", ".join(known_sources())
        raise SettingsError(f"[globalconf] use = '{settings.use}' is no source; known: {known}")
    return open_source(settings.options, case.folder).fetch(now()).conf


async def _download(case: Case) -> Findings:
    kept = await trio.to_thread.run_sync(_find_kept, case)
    found, refused = await ask_places(case, kept)
    if found is None:
        if kept is not None and _is_usable(case, kept.conf):
            _take(case, kept.conf)
            case.stands.add("configuration")  # the server goes on by it as well
        return refused
    return [*_take(case, found.conf), *refused]


def _find_kept(case: Case) -> LoadedConf | None:
    """What the server has kept, of which no older one is taken."""
    try:
        return read_disk(case.folder / case.settings.globalconf.directory, case.clock.now())
    except (Fault, OSError):
        return None


def _is_usable(case: Case, conf: GlobalConf) -> bool:
    return conf.own == case.anchor.instance and conf.valid_at(case.clock.now())


def _take(case: Case, conf: GlobalConf) -> list[Finding]:
    """Judge by it from now on, and tell what it is."""
    now = case.clock.now()
    case.conf = conf.without_expired(now)
    return [*_tell(conf, now), *_partners(case, conf)]


def _partners(case: Case, conf: GlobalConf) -> list[Finding]:
    """Partners that are allowed, and are not there."""
    allowed = case.settings.globalconf.allowed_federations
    wanted = allowed_partners(conf.own, conf.instances[conf.own].private, allowed)
    names = {anchor.instance for anchor in wanted}
    missing = [
        warning(
            "this partner's configuration is not there, so its members are unknown",
            about=name,
            fix=f"Look at its other findings; ask {OPERATOR} whether its anchor is right.",
        )
        for name in sorted(names - set(case.conf.instances))
    ]
    strange = [
        warning(
            f"{OPERATOR} has no such partner, so [globalconf] allowed-federations names nobody",
            about=word,
            fix=f"Correct it, or ask {OPERATOR} to add the partner's anchor.",
        )
        for word in allowed
        if case.settings.globalconf.use != "disk"
        and word.strip().casefold() not in _WORDS
        and not any(allows([word], name) for name in names)
    ]
    return [*missing, *strange]


def _tell(conf: GlobalConf, now: datetime) -> list[Finding]:
    own = conf.instances[conf.own]
    until = "without an end"
    if own.expires is not None:
        until = f"until {time_text(own.expires)} (for {length_text(own.expires - now)})"
    partners = [name for name in conf.instances if name != conf.own]
    among = f", federated with {', '.join(partners)}" if partners else ""
    servers = len(conf.servers(conf.own))
    found = [ok(f"version {conf.version}, valid {until}, {servers} servers{among}")]
    for name in partners:
        expires = conf.instances[name].expires
        if expires is not None and expires < now:
            text = f"the configuration of partner {name} expired {length_text(now - expires)} ago"
            found.append(warning(text, about=name, fix=f"Ask the operators of {name}."))
    fix = f"Tell {OPERATOR}."
    return [*found, *(warning(text, fix=fix) for text in conf.warnings[:_MOST_WARNINGS])]
