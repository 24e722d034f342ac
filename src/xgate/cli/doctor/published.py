"""Checks of the anchor, and of the configuration that it leads to.

The rule: every place that the anchor and the last configuration name is asked by itself, as the
server would ask it, also for whether it plays an older configuration again; nothing is kept.
Sources: globalconf 1 to 3, 11.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

import msgspec
import trio

from xgate.cli.doctor.case import CALL_SECONDS, Case, ask_all
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, skipped, warning
from xgate.cli.doctor.times import CLOCK_FIX, LATE, length_text, note_date
from xgate.cli.output import Unusable, path_text, read_file
from xgate.cli.show import time_text
from xgate.cli.words import find_words
from xgate.errors import Fault
from xgate.globalconf.anchor import anchor_hash, read_anchor
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.directory import read_directory
from xgate.globalconf.disk import read_disk
from xgate.globalconf.download import (
    CONNECTION_FAILURE,
    Location,
    download,
    fetch_directory,
    find_locations,
)
from xgate.globalconf.elements import DOCUMENT_LIMIT
from xgate.globalconf.source import LoadedConf
from xgate.net.errors import NetError
from xgate.net.fetch import fetch
from xgate.securityserver.conf_source import at_mapped_host, open_loader

__all__ = ["check_anchor", "check_configuration"]

_OPERATOR = "the operator of the central server"
_MOST_WARNINGS = 5
_MOST_ANCHOR = 1024 * 1024
_FIXES = {
    "global_conf_outdated": f"Ask {_OPERATOR} whether it still publishes.",
    "global_conf_missing_verification_cert": (
        f"Get the current anchor from {_OPERATOR}, compare its hash by another way, and put it "
        "in the place of the one that the settings name."
    ),
    "global_conf_part_invalid_instance_identifier": (
        "Put the anchor of this server's own instance in the place that the settings name."
    ),
}


class _Asked(msgspec.Struct, frozen=True):
    """One location, and why it gives nothing."""

    location: Location
    fault: Fault | None = None


async def check_anchor(case: Case) -> Findings:
    """There is an anchor, and it is of this server's instance."""
    settings = case.settings.globalconf
    if settings.use not in ("http", "published"):
        return [skipped("none is needed: somebody else keeps the configuration, and proves it")]
    path = case.folder / settings.anchor
    shown = path_text(path)
    get = f"Get the anchor from {_OPERATOR}, compare its hash by another way, and put it there."
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
        return await _check_places(case)
    settings = case.settings
    try:
        loader = open_loader(settings.globalconf, case.folder, case.clock.now, settings.peers.hosts)
        case.conf = await trio.to_thread.run_sync(loader.begin, abandon_on_cancel=True)
        case.conf.check_valid(case.clock.now())
    except OSError as error:
        what = f"{path_text(case.folder / settings.globalconf.directory)}: {error.strerror}"
        return [broken(what, fix="Check whether the program that keeps this folder runs.")]
    except Fault as fault:
        return [broken(_said(fault), fix=_fix_for(fault))]
    return _tell(case.conf, case.clock.now())


async def _check_places(case: Case) -> Findings:
    kept = await trio.to_thread.run_sync(_find_kept, case)
    known = None if kept is None else kept.conf.instances.get(case.anchor.instance)
    locations = find_locations(case.anchor, None if known is None else known.shared)
    asked = await ask_all(partial(_look_at, case), dict.fromkeys(locations))
    found, asked = await _first_whole(case, kept, asked)
    places: dict[str, list[_Asked]] = {}
    for one in asked:
        places.setdefault(urlsplit(one.location.url).netloc, []).append(one)
    refused = {place: here for place, here in places.items() if all(one.fault for one in here)}
    if found is None:
        _work_with_kept(case, kept)
        return [_refused(case, place, here, broken) for place, here in refused.items()]
    case.conf = found.conf
    return [
        *_tell(found.conf, case.clock.now()),
        *(_refused(case, place, here, warning) for place, here in refused.items()),
    ]


async def _look_at(case: Case, location: Location) -> _Asked:
    """Whether a genuine directory is there; it is small, and its parts are not."""

    def look() -> None:
        body = fetch_directory(partial(_get, case), location.url)
        read_directory(body, location.certificates, case.clock.now())

    try:
        await trio.to_thread.run_sync(look, abandon_on_cancel=True)
    except Fault as fault:
        return _Asked(location, fault)
    return _Asked(location)


async def _first_whole(
    case: Case, kept: LoadedConf | None, asked: Sequence[_Asked]
) -> tuple[LoadedConf | None, list[_Asked]]:
    """The first whole configuration as the server would take it, and what is told of all places."""
    found: LoadedConf | None = None
    told: list[_Asked] = []
    for one in asked:
        if one.fault is None and found is None:
            take = partial(
                download,
                case.anchor,
                partial(_get, case),
                case.clock.now(),
                [one.location],
                known=kept,
            )
            try:
                found, _ = await trio.to_thread.run_sync(take, abandon_on_cancel=True)
            except Fault as fault:
                one = _Asked(one.location, fault)
        told.append(one)
    return found, told


def _find_kept(case: Case) -> LoadedConf | None:
    """What the server has kept, of which no older one is taken."""
    try:
        return read_disk(case.folder / case.settings.globalconf.directory, case.clock.now())
    except (Fault, OSError):
        return None


def _work_with_kept(case: Case, kept: LoadedConf | None) -> None:
    """Go on as the server does, by what it has kept, for as long as that is valid."""
    own = case.anchor.instance
    if kept is not None and kept.conf.own == own and kept.conf.valid_at(case.clock.now()):
        case.conf = kept.conf
        case.stands.add("configuration")


def _get(case: Case, url: str) -> tuple[int, bytes]:
    """For a thread; see ``download.Fetch``."""
    return trio.from_thread.run(_fetch, case, url)


async def _fetch(case: Case, url: str) -> tuple[int, bytes]:
    here = at_mapped_host(url, case.settings.peers.hosts)
    try:
        answer = await fetch(here, timeout=CALL_SECONDS, max_bytes=DOCUMENT_LIMIT + 1)
    except (NetError, ValueError) as error:
        raise OSError(str(error)) from error
    note_date(case, urlsplit(url).netloc, answer.headers)
    return answer.status, answer.body


def _refused(
    case: Case, place: str, here: Sequence[_Asked], tell: Callable[..., Finding]
) -> Finding:
    """Why a place gives nothing, by https and by http: what says most of it.

    :param tell: how bad it is.
    """
    asked = next((o for o in here if o.fault and o.fault.code != CONNECTION_FAILURE), here[-1])
    assert asked.fault is not None
    url, fault = asked.location.url, asked.fault
    if fault.code == CONNECTION_FAILURE:
        return tell(fault.text, about=place, fix=f"Try from this machine: curl -v {url}")
    observed = f"{url}: {_said(fault)}"
    ahead = next((c.ahead for c in case.clocks if c.whose == place and abs(c.ahead) > LATE), None)
    if fault.code == "global_conf_outdated" and ahead is not None:
        observed += f"; its clock is {length_text(ahead)} from this machine's"
        return tell(observed, about=place, fix=CLOCK_FIX)
    return tell(observed, about=place, fix=_fix_for(fault))


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
    fix = f"Tell {_OPERATOR}."
    found += [warning(text, fix=fix) for text in conf.warnings[:_MOST_WARNINGS]]
    return found


def _said(fault: Fault) -> str:
    return f"{fault.code}: {fault.text}"


def _fix_for(fault: Fault) -> str:
    if fault.code in _FIXES:
        return _FIXES[fault.code]
    words = find_words(fault.code)
    return f"Ask {_OPERATOR}." if words is None else f"Look at: {words.look_at}"
