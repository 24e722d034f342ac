"""The check of this server's ports: free to be had, or served by this very server.

The rule: a port is tried by binding to it and letting go at once; one that is taken is asked who
serves it. Who answers at the server port is known by the certificate it shows; at the others, by
what a security server says to a question that means nothing.
"""

from __future__ import annotations

import errno
import socket
from functools import partial

import msgspec
import trio

from xgate.cli.doctor.case import Case, ask_all
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok
from xgate.errors import Fault
from xgate.net.client import connect
from xgate.net.context import TlsContext, service_context
from xgate.net.errors import NetError
from xgate.net.fetch import fetch

__all__ = ["check_ports", "near_address"]

_SECONDS = 5.0
_MOST = 64 * 1024
_NOWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  not bound here


class _Door(msgspec.Struct, frozen=True):
    """:param key: in ``[listen]``."""

    key: str
    host: str
    port: int


async def check_ports(case: Case) -> Findings:
    """Every port can be had, or is this server's already."""
    return await ask_all(partial(_look, case), _doors(case))


def near_address(host: str) -> str:
    """Where a listener that is bound to ``host`` is reached from this machine."""
    return _NOWHERE.get(host, host)


def _doors(case: Case) -> list[_Door]:
    listen = case.settings.listen
    doors = (
        ("client-http-port", listen.client_host, listen.client_http_port),
        ("client-https-port", listen.client_host, listen.client_https_port),
        ("server-port", listen.server_host, listen.server_port),
        ("ocsp-port", listen.ocsp_host, listen.ocsp_port),
    )
    return [_Door(key, host, port) for key, host, port in doors if port is not None]


async def _look(case: Case, door: _Door) -> Finding:
    about = f"{door.key} {door.host}:{door.port}"
    try:
        await trio.to_thread.run_sync(_bind, door)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return await _who(case, door, about)
        fix = f"Change {door.key} or its host in [listen]"
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
        return ok("served by this server, which runs", about=about)
    return broken(
        "another program listens there",
        about=about,
        fix=f"Find it with: ss -ltnp 'sport = :{door.port}'; stop it, or change {door.key} "
        "in [listen].",
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
    host = near_address(door.host)
    name = f"[{host}]" if ":" in host else host
    answer = await fetch(f"http://{name}:{door.port}/", timeout=_SECONDS, max_bytes=_MOST)
    return answer.status == 500 and b"cert hashes" in answer.body


_RECOGNISE = {
    "client-http-port": _answers_as_proxy,
    "client-https-port": _answers_as_proxy_by_tls,
    "server-port": _shows_our_certificate,
    "ocsp-port": _answers_about_ocsp,
}
