"""The addresses that a name has, and how an address is written in a URL.

The rule: a resolver may be slow for one name, and that is no other name's concern: lookups have
threads of their own, few and never those of the log, and all who ask for a name at one time share
one lookup. Who asks has a deadline of its own; the lookup goes on for those that come after.
"""

from __future__ import annotations

import socket

import msgspec
import trio

__all__ = ["Place", "in_url", "resolve"]

Place = tuple[int, tuple[object, ...]]
"""Address family, and what ``socket.connect`` takes."""

_THREADS = 32


class _Lookup(msgspec.Struct):
    done: trio.Event
    places: list[Place]
    error: OSError | UnicodeError | None = None


class _Desk:
    """The lookups under way in one trio loop."""

    def __init__(self) -> None:
        self.limiter = trio.CapacityLimiter(_THREADS)
        self.running: dict[tuple[str, int], _Lookup] = {}


_DESK: trio.lowlevel.RunVar[_Desk] = trio.lowlevel.RunVar("lookups")


def in_url(host: str) -> str:
    """A name or an address as URLs and ``Host`` have it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


async def resolve(host: str, port: int) -> list[Place]:
    """All addresses of ``host``, in the resolver's order, each once; at least one.

    :raises OSError, UnicodeError: it has none.
    """
    try:
        return _ask(host, port, socket.AI_NUMERICHOST)  # an address needs no thread
    except (OSError, UnicodeError):
        pass
    desk = _desk()
    lookup = desk.running.get((host, port))
    if lookup is None:
        lookup = desk.running[host, port] = _Lookup(trio.Event(), [])
        trio.lowlevel.spawn_system_task(_look_up, desk, host, port, lookup)
    await lookup.done.wait()
    if lookup.error is not None:
        raise lookup.error
    return lookup.places


def _desk() -> _Desk:
    try:
        return _DESK.get()
    except LookupError:
        desk = _Desk()
        _DESK.set(desk)
        return desk


async def _look_up(desk: _Desk, host: str, port: int, lookup: _Lookup) -> None:
    try:
        lookup.places = await trio.to_thread.run_sync(
            _ask, host, port, 0, abandon_on_cancel=True, limiter=desk.limiter
        )
    except (OSError, UnicodeError) as error:
        lookup.error = error
    finally:
        del desk.running[host, port]
        lookup.done.set()


def _ask(host: str, port: int, flags: int) -> list[Place]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys((entry[0], entry[4]) for entry in found))
