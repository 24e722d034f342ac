"""The doors for those who ask how the server is, and for the switch of its maintenance.

The rule: these doors have connections of their own, so they answer while others are under attack.
Any request but the four below gets the reference's answer: 200, or 500 with the first sentence, or
503 in maintenance (pipeline 14). ``/livez`` says that the process answers, ``/startupz`` that it
serves, ``/readyz`` lists every check, ``/statistics`` how full it is. The switch is turned on
127.0.0.1 alone, and by no page in a browser there.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

import msgspec

from xgate.net.server import Exchange
from xgate.securityserver.health import Finding, Health
from xgate.securityserver.occupancy import Occupancy

__all__ = ["answer_admin", "answer_health"]

_TEXT = [("Content-Type", "text/plain; charset=UTF-8")]
_JSON = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
_IN_MAINTENANCE = "Health check interface is in maintenance mode."
_SWITCH = "/maintenance"


class _Report(msgspec.Struct, frozen=True):
    ready: bool
    maintenance: bool
    checks: tuple[Finding, ...]


async def answer_health(exchange: Exchange, health: Health, look: Callable[[], Occupancy]) -> None:
    """Answer whoever asks, by whatever method. :param look: at how full the server is."""
    path = exchange.target.partition("?")[0]
    if path in ("/livez", "/startupz"):  # this door opens last: who is heard here is served
        await exchange.respond(200, _TEXT, b"ok\n")
        return
    if path == "/statistics":
        await exchange.respond(200, _JSON, msgspec.json.encode(look()))
        return
    findings = () if health.maintenance and path != "/readyz" else await health.look()
    first = next((finding for finding in findings if not finding.ok), None)
    if path == "/readyz":
        ready = first is None and not health.maintenance
        report = _Report(ready, health.maintenance, findings)
        await exchange.respond(200 if ready else 503, _JSON, msgspec.json.encode(report))
    elif health.maintenance:
        await exchange.respond(503, _TEXT, f"{_IN_MAINTENANCE}\n".encode())
    elif first is not None:
        await exchange.respond(500, _TEXT, f"{first.text}\n".encode())
    else:
        await exchange.respond(200, [])


async def answer_admin(exchange: Exchange, health: Health) -> None:
    """Turn the switch: ``/maintenance?targetState=true`` or ``false``; without it, tell how it is.

    403 for whoever is not on this machine, and for pages in a browser there; 404 for other paths.
    """
    path, _, query = exchange.target.partition("?")
    if exchange.peer_address != "127.0.0.1" or _from_a_page(exchange):
        await exchange.respond(403, _TEXT, b"Only for 127.0.0.1\n")
        return
    if path != _SWITCH:
        await exchange.respond(404, _TEXT, b"Not found\n")
        return
    before = health.maintenance
    wanted = _wanted(query)
    if wanted not in ("", "true", "false"):
        await exchange.respond(400, _TEXT, b"targetState is neither true nor false\n")
        return
    if wanted:
        health.maintenance = wanted == "true"
    said = f"Maintenance mode set: {_word(before)} => {_word(health.maintenance)}\n"
    await exchange.respond(200, _TEXT, (said if wanted else f"{_word(before)}\n").encode())


def _from_a_page(exchange: Exchange) -> bool:
    """Whether some web site's page asks through a browser here, perhaps by a name of its own."""
    host = (exchange.find_header("host") or "").partition(":")[0]
    named = any(exchange.find_header(name) for name in ("origin", "referer"))
    site = exchange.find_header("sec-fetch-site") or "none"
    return named or site != "none" or host not in ("", "127.0.0.1", "localhost")


def _wanted(query: str) -> str:
    try:
        return parse_qs(query, max_num_fields=10).get("targetState", [""])[0].lower()
    except ValueError:
        return "too many parameters"


def _word(state: bool) -> str:
    return str(state).lower()
