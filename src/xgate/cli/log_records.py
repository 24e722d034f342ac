"""Which records a command of ``xgate log`` is about.

The rule: what a store can search by, it does, with its indexes; the rest is looked at here, record
by record, with one in memory. A limit counts what has passed everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from cyclopts import Parameter

from xgate.cli.output import Unusable
from xgate.errors import Fault
from xgate.ids import ClientId, parse_short_client
from xgate.messagelog.record import LoggedRecord, Outline, outline_of
from xgate.messagelog.store import Filters, LogStore

__all__ = ["Selection", "WhichLog", "count", "outlines", "select"]

T = TypeVar("T")
_REST_FAILURE = re.compile(rb"[45][0-9]{2}\r\n")
_MOST_WAITING = 1 << 40


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WhichLog:
    """The message log, by one of two.

    :param config: The settings file of a server: its log.
    :param store: The file of a log (SQLite).
    """

    config: Path | None = None
    store: Path | None = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Selection(WhichLog):
    """The message log, and which of its records; all conditions must hold.

    :param config: The settings file of a server: its log.
    :param store: The file of a log (SQLite).
    :param number: The record's number.
    :param id: The message's id (SOAP id, X-Road-Id).
    :param request_id: The exchange's UUID (x-road-request-id).
    :param owner: INSTANCE/CLASS/MEMBER[/SUBSYSTEM]: the client of this server under which the
        message was logged.
    :param client: INSTANCE/CLASS/MEMBER[/SUBSYSTEM]: who called.
    :param service: INSTANCE/CLASS/MEMBER[/SUBSYSTEM]/SERVICE[/VERSION]: what was called.
    :param member: INSTANCE/CLASS/MEMBER: a member who called or was called, by any subsystem.
    :param since: From this time on: 2026-01-31 or 2026-01-31T10:00, UTC unless it says otherwise.
    :param until: Before this time.
    :param requests: Requests only.
    :param responses: Responses only.
    :param unstamped: Only what has no time-stamp yet.
    :param failed: Only REST responses by which the service reported an error (4xx, 5xx).
    :param limit: At most so many records.
    :param newest_first: The last ones first.
    """

    number: int | None = None
    id: str | None = None
    request_id: str | None = None
    owner: str | None = None
    client: str | None = None
    service: str | None = None
    member: str | None = None
    since: str | None = None
    until: str | None = None
    requests: bool = False
    responses: bool = False
    unstamped: bool = False
    failed: bool = False
    limit: int | None = None
    newest_first: bool = False


def select(store: LogStore, selection: Selection) -> Iterator[LoggedRecord]:
    """The records, one in memory at a time.

    :raises Unusable: a condition that cannot be read, at once. :raises Fault: as the store's.
    """
    filters, member = _checked(selection)
    found = _found(store, store.find, selection, filters)
    fitting = (
        logged
        for logged in found
        if (member is None or _concerns(outline_of(logged), member))
        and (not selection.failed or _has_failed(logged))
    )
    return islice(fitting, selection.limit)


def outlines(store: LogStore, selection: Selection) -> Iterator[Outline]:
    """Their outlines; of no record is more read than that takes. Errors as ``select``."""
    if selection.failed:
        return map(outline_of, select(store, selection))
    filters, member = _checked(selection)
    found = _found(store, store.outlines, selection, filters)
    fitting = (outline for outline in found if member is None or _concerns(outline, member))
    return islice(fitting, selection.limit)


def count(store: LogStore, selection: Selection) -> int:
    """How many records there are to look at, for a progress bar. Errors as ``select``."""
    filters = _filters(selection)
    found = sum(store.count_by("owner", **filters).values())
    return found if selection.limit is None else min(found, selection.limit)


def _checked(selection: Selection) -> tuple[Filters, ClientId | None]:
    """What a store can search by, and the member that it cannot."""
    filters = _filters(selection)
    member = None if selection.member is None else _client(selection.member, "member")
    if member is not None and member.subsystem_code is not None:
        raise Unusable(f"--member {selection.member} is a subsystem; say --owner or --client")
    if selection.limit is not None and selection.limit < 1:
        raise Unusable("--limit must be 1 at least")
    if member is None and not selection.unstamped and not selection.failed:
        filters["limit"] = selection.limit
    return filters, member


def _filters(selection: Selection) -> Filters:
    if selection.requests and selection.responses:
        raise Unusable("Say --requests or --responses, or neither for both")
    return {
        "number": selection.number,
        "query_id": selection.id,
        "request_id": selection.request_id,
        "owner": None if selection.owner is None else _client(selection.owner, "owner"),
        "client": None if selection.client is None else _client(selection.client, "client"),
        "service": selection.service,
        "response": selection.responses if selection.requests or selection.responses else None,
        "since": None if selection.since is None else _time(selection.since, "since"),
        "until": None if selection.until is None else _time(selection.until, "until"),
        "newest_first": selection.newest_first,
    }


def _found(
    store: LogStore, read: Callable[..., Iterator[T]], selection: Selection, filters: Filters
) -> Iterator[T]:
    """What the store's own search gives.

    Those without a time-stamp by its list of them: there are few, and the log may be long.
    """
    if not selection.unstamped:
        yield from read(**filters)
        return
    numbers = [number for number, _ in store.unstamped(_MOST_WAITING)]
    if filters["newest_first"]:
        numbers.reverse()
    for number in numbers:
        if filters["number"] in (None, number):
            one = filters.copy()
            one["number"] = number
            yield from read(**one)


def _concerns(outline: Outline, member: ClientId) -> bool:
    parties = {outline.owner.member, outline.client.member if outline.client else None}
    return member in parties or outline.service.startswith(member.short + "/")


def _has_failed(logged: LoggedRecord) -> bool:
    return logged.record.response and _REST_FAILURE.match(logged.record.message) is not None


def _client(text: str, option: str) -> ClientId:
    try:
        return parse_short_client(text)
    except Fault as fault:
        raise Unusable(f"--{option}: {fault.text}") from None


def _time(text: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Unusable(
            f"--{option} {text}: a time is written like 2026-01-31 or 2026-01-31T10:00:00Z"
        ) from None
