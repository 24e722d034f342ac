"""The places that an anchor and the last configuration name, each asked by itself.

The rule: of each place it is seen whether a genuine directory is there, all at once; then the whole
configuration, with partners, is taken from those that answered, in the order and with the doubts
that the server has. Sources: globalconf 2.3, 3.3, 11.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from urllib.parse import urlsplit

import msgspec
import trio

from xgate.cli.doctor.case import Case, ask_all
from xgate.cli.doctor.finding import Finding, broken, warning
from xgate.cli.doctor.times import CLOCK_FIX, LATE, length_text, note_date
from xgate.cli.words import find_words
from xgate.errors import Fault
from xgate.globalconf.directory import read_directory
from xgate.globalconf.download import (
    CONNECTION_FAILURE,
    Fetch,
    Location,
    fetch_directory,
    find_locations,
)
from xgate.globalconf.http_source import HttpSource
from xgate.globalconf.source import LoadedConf
from xgate.net.fetch import Response
from xgate.securityserver.conf_source import fetch_from

__all__ = ["OPERATOR", "ask_places", "fix_for", "said_of"]

OPERATOR = "the operator of the central server"

_FIXES = {
    "global_conf_outdated": f"Ask {OPERATOR} whether it still publishes.",
    "global_conf_missing_verification_cert": (
        f"Get the current anchor from {OPERATOR}, compare its hash by another way, and put it "
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


async def ask_places(
    case: Case, kept: LoadedConf | None
) -> tuple[LoadedConf | None, list[Finding]]:
    """The configuration of now, or None; and what is wrong with which place.

    :param kept: what the server has from before.
    """
    known = None if kept is None else kept.conf.instances.get(case.anchor.instance)
    locations = find_locations(case.anchor, None if known is None else known.shared)
    asked = await ask_all(partial(_look_at, case), dict.fromkeys(locations))
    places: dict[str, list[_Asked]] = {}
    for one in asked:
        places.setdefault(urlsplit(one.location.url).netloc, []).append(one)
    refused = {place: here for place, here in places.items() if all(one.fault for one in here)}
    if len(refused) == len(places):
        return None, [_refused(case, place, here, broken) for place, here in refused.items()]
    silent = [one.location.url for one in asked if one.fault]
    take = partial(_take, case, kept, _but_not(_fetch(case), silent))
    less = [_refused(case, place, here, warning) for place, here in refused.items()]
    try:
        return await trio.to_thread.run_sync(take, abandon_on_cancel=True), less
    except Fault as fault:
        return None, [broken(said_of(fault), fix=fix_for(fault)), *less]


def said_of(fault: Fault) -> str:
    """Its code and its text."""
    return f"{fault.code}: {fault.text}"


def fix_for(fault: Fault) -> str:
    """What to do about a refusal of a configuration."""
    if fault.code in _FIXES:
        return _FIXES[fault.code]
    words = find_words(fault.code)
    return f"Ask {OPERATOR}." if words is None else f"Look at: {words.look_at}"


async def _look_at(case: Case, location: Location) -> _Asked:
    """Whether a genuine directory is there; it is small, and its parts are not."""

    def look() -> None:
        body = fetch_directory(_fetch(case), location.url)
        read_directory(body, location.certificates, case.clock.now())

    try:
        await trio.to_thread.run_sync(look, abandon_on_cancel=True)
    except Fault as fault:
        return _Asked(location, fault)
    return _Asked(location)


def _take(case: Case, kept: LoadedConf | None, fetch: Fetch) -> LoadedConf:
    """As the server takes it. :raises Fault: as ``HttpSource.fetch``."""
    settings = case.settings.globalconf
    source = HttpSource(
        case.anchor,
        fetch,
        known=kept,
        older=settings.accept_older,
        allowed=settings.allowed_federations,
    )
    return source.fetch(case.clock.now())


def _fetch(case: Case) -> Fetch:
    """As the server fetches; what clocks show by the way is noted."""

    def heard(url: str, answer: Response) -> None:
        note_date(case, urlsplit(url).netloc, answer.headers)

    return fetch_from(case.settings.globalconf, case.settings.peers.hosts, heard)


def _but_not(fetch: Fetch, silent: Collection[str]) -> Fetch:
    """Does not wait once more for places that have just given nothing."""
    known = {urlsplit(url)[:2] for url in silent}

    def fetch_the_others(url: str) -> tuple[int, bytes]:
        if urlsplit(url)[:2] in known:
            raise OSError("it gave nothing a moment ago")
        return fetch(url)

    return fetch_the_others


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
    observed = f"{url}: {said_of(fault)}"
    ahead = next((c.ahead for c in case.clocks if c.whose == place and abs(c.ahead) > LATE), None)
    if fault.code == "global_conf_outdated" and ahead is not None:
        observed += f"; its clock is {length_text(ahead)} from this machine's"
        return tell(observed, about=place, fix=CLOCK_FIX)
    return tell(observed, about=place, fix=fix_for(fault))
