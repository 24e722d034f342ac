"""The check of this server's ports: free to be had, or served by this very server.

The rule: a port is tried by binding to it and letting go at once; one that is taken is asked who
serves it. Who answers at the server port is known by the certificate it shows; at the others, by
what a security server says to a question that means nothing. A server that runs and may be asked
for its health is asked (pipeline 14).
"""

from __future__ import annotations

import errno
import socket
from functools import partial

import msgspec
import trio

from xgate.cli.doctor.case import Case, ask_all
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, warning
from xgate.errors import Fault
from xgate.net.client import connect
from xgate.net.context import TlsContext, service_context
from xgate.net.errors import NetError
from xgate.net.fetch import Response, fetch
from xgate.net.resolve import in_url

__all__ = ["check_ports", "near_address"]

_SECONDS = 5.0
_MOST = 64 * 1024
_NOWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  not bound here


class _Door(msgspec.Struct, frozen=True):
    """A listener that the settings ask for, in ``section`` by ``key``."""

    section: str
    key: str
    host: str
    port: int


class _Seen(msgspec.Struct, frozen=True):
    name: str
    ok: bool
    text: str


class _Readiness(msgspec.Struct, frozen=True):
    """What ``/readyz`` answers."""

    maintenance: bool
    checks: tuple[_Seen, ...]


async def check_ports(case: Case) -> Findings:
    """Every port can be had, or is this server's already."""
    return await ask_all(partial(_look, case), _doors(case))


def near_address(host: str) -> str:
    """Where a listener that is bound to ``host`` is reached from this machine."""
    return _NOWHERE.get(host, host)


def _doors(case: Case) -> list[_Door]:
    listen, health = case.settings.listen, case.settings.health
    doors = (
        ("[listen]", "client-http-port", listen.client_host, listen.client_http_port),
        ("[listen]", "client-https-port", listen.client_host, listen.client_https_port),
        ("[listen]", "server-port", listen.server_host, listen.server_port),
        ("[listen]", "ocsp-port", listen.ocsp_host, listen.ocsp_port),
        ("[health]", "port", health.host, health.port),
        ("[health]", "admin-port", "127.0.0.1", health.admin_port),
    )
    return [_Door(section, key, host, port) for section, key, host, port in doors if port]


async def _look(case: Case, door: _Door) -> Finding:
    about = f"{door.key} {door.host}:{door.port}"
    try:
        await trio.to_thread.run_sync(_bind, door)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return await _who(case, door, about)
        fix = f"Change {door.key} or its host in {door.section}"
        if error.errno == errno.EACCES:
            fix += ", or give the server the right CAP_NET_BIND_SERVICE"
        return broken(f"it cannot be had: {error.strerror}", about=about, fix=fix + ".")
    return ok("free; this server does not run now", about=about)


def _bind(door: _Door) -> None:
    """:raises OSError: it cannot be had."""
    flags = socket.AI_PASSIVE
    for entry in socket.getaddrinfo(door.host, door.port, type=socket.SOCK_STREAM, flags=flags):
        with socket.socket(entry[0], socket.SOCK_STREAM) as probe:
            # As the server does it: what its last run left in TIME_WAIT is no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(entry[4])


async def _who(case: Case, door: _Door, about: str) -> Finding:
    try:
        ours = await _RECOGNISE[door.key](case, door)
    except (NetError, Fault, ValueError):
        ours = False
    if ours:
        case.served.add(door.key)
        return await _mood(door, about)
    return broken(
        "another program listens there",
        about=about,
        fix=f"Find it with: ss -ltnp 'sport = :{door.port}'; stop it, or change {door.key} "
        f"in {door.section}.",
    )


async def _shows_our_certificate(case: Case, door: _Door) -> bool:
    context: TlsContext = service_context()
    connection = await connect(near_address(door.host), door.port, tls=context, timeout=_SECONDS)
    try:
        chain = connection.stream.peer_chain
    finally:
        await connection.aclose()
    own = {key.certificate.der for key in case.ring.authentication} if case.certificates else None
    return bool(chain) and (own is None or chain[0] in own)


async def _answers_as_proxy(case: Case, door: _Door, *, tls: TlsContext | None = None) -> bool:
    """A client proxy refuses a question without a message in SOAP's words."""
    connection = await connect(near_address(door.host), door.port, tls=tls, timeout=_SECONDS)
    connection.timeout = _SECONDS
    try:
        await connection.request("GET", "/", [("Connection", "close")])
        await connection.receive_head()
        return b":Envelope" in await connection.receive()
    finally:
        await connection.aclose()


async def _answers_as_proxy_by_tls(case: Case, door: _Door) -> bool:
    return await _answers_as_proxy(case, door, tls=service_context())


async def _answers_about_ocsp(case: Case, door: _Door) -> bool:
    answer = await _get(door, "/")
    return answer.status == 500 and b"cert hashes" in answer.body


async def _answers_about_health(case: Case, door: _Door) -> bool:
    answer = await _get(door, "/livez")
    return (answer.status, answer.body) == (200, b"ok\n")


async def _answers_about_maintenance(case: Case, door: _Door) -> bool:
    answer = await _get(door, "/maintenance")
    return answer.status == 200 and answer.body in (b"true\n", b"false\n")


async def _get(door: _Door, path: str) -> Response:
    host = near_address(door.host)
    return await fetch(
        f"http://{in_url(host)}:{door.port}{path}", timeout=_SECONDS, max_bytes=_MOST
    )


async def _mood(door: _Door, about: str) -> Finding:
    """What the server that runs says of itself, where it can be asked."""
    said = "served by this server, which runs"
    if (door.section, door.key) != ("[health]", "port"):
        return ok(said, about=about)
    try:
        report = msgspec.json.decode((await _get(door, "/readyz")).body, type=_Readiness)
    except (NetError, msgspec.MsgspecError) as error:
        what = f"{said}, but does not tell how it is: {error}"
        return warning(what, about=about, fix="Look at the server's log.")
    ill = [f"{check.name}: {check.text}" for check in report.checks if not check.ok]
    if ill:
        fix = "Look at the other findings; if they are well, look at the server's log."
        return broken(f"the server that runs is not ready: {'; '.join(ill)}", about=about, fix=fix)
    if report.maintenance:
        what = "the server that runs is taken out of service"
        fix = "Turn it back: curl 'http://127.0.0.1:ADMIN-PORT/maintenance?targetState=false'"
        return warning(what, about=about, fix=fix)
    return ok(f"{said} and is ready", about=about)


_RECOGNISE = {
    "client-http-port": _answers_as_proxy,
    "client-https-port": _answers_as_proxy_by_tls,
    "server-port": _shows_our_certificate,
    "ocsp-port": _answers_about_ocsp,
    "port": _answers_about_health,
    "admin-port": _answers_about_maintenance,
}
