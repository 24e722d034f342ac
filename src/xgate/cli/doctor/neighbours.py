"""Checks of the ways from this server: to other security servers, and to services behind it.

The rule: a peer is reached and judged as for a message, step by step, so that the step that fails
has a name: the port, TLS, the OCSP responses at its other port, its chain, its registration
(transport 1, pipeline 7). Nothing is asked of it, and nothing is sent to a service.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit

from xgate.cell import Cell
from xgate.cli.doctor.case import CALL_SECONDS, Case, ask_all
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, skipped, warning
from xgate.errors import Fault
from xgate.globalconf.shared import SecurityServer
from xgate.ids import ClientId, ServerId, parse_short_client
from xgate.net.client import connect
from xgate.net.context import service_context
from xgate.net.errors import ConnectError, NetError, TimedOutError
from xgate.securityserver.identity import PeerIdentity
from xgate.securityserver.ocsp_fetch import fetch_ocsp
from xgate.serverconf.model import Service
from xgate.trust.certificate import Certificate
from xgate.trust.path import verify_auth_chain

__all__ = ["check_peers", "check_services"]

_SOME = 3
_OPERATOR = "the operator of the central server"


async def check_peers(case: Case) -> Findings:
    """Other security servers can be reached, and trust holds between us."""
    named = case.options.peers
    if named:
        targets, unknown = _named(case, named)
        return [*unknown, *await ask_all(partial(_reach, case), targets)]
    own = case.settings.server_id
    others = [s for s in case.conf.servers(case.conf.own) if s.id != own and s.address]
    drawn = secrets.SystemRandom().sample(others, min(_SOME, len(others)))
    found = await ask_all(partial(_reach, case), drawn)
    if any(finding.state == "ok" for finding in found):
        found = [_lessened(finding) for finding in found]
    me = case.conf.find_server(own)
    if me is not None and me.address and "server-port" in case.served:
        found.insert(0, await _reach(case, me))
    return found or [skipped("there is no other server, and this one does not run")]


def _lessened(finding: Finding) -> Finding:
    """One of several that were drawn by lot is its own operator's affair."""
    if finding.state != "broken":
        return finding
    return warning(finding.observed, about=finding.about, fix=finding.fix)


def _named(case: Case, names: Sequence[str]) -> tuple[list[SecurityServer], list[Finding]]:
    """The servers that were asked for, by their own name or a client's."""
    targets: list[SecurityServer] = []
    unknown = []
    for name in names:
        found = _servers(case, name)
        targets += found
        if not found:
            fix = "Look at its spelling: INSTANCE/CLASS/MEMBER/CODE of a server or a subsystem."
            unknown.append(broken("the configuration knows no such peer", about=name, fix=fix))
    return targets, unknown


def _servers(case: Case, name: str) -> list[SecurityServer]:
    try:
        client = parse_short_client(name)
    except Fault:
        return []
    found = list(case.conf.servers_of(client))
    if client.subsystem_code is not None:
        server = case.conf.find_server(ServerId(client.member, client.subsystem_code))
        found += [] if server is None else [server]
    return found


async def _reach(case: Case, server: SecurityServer) -> Finding:
    settings = case.settings.peers
    if not server.address:
        fix = f"Ask {_OPERATOR} to register its address."
        return broken("it has no registered address", about=server.id.short, fix=fix)
    host = settings.hosts.get(server.address, server.address)
    about = f"{server.id.short} at {host}"
    try:
        chain = await _shake_hands(case, host)
    except (ConnectError, TimedOutError) as error:
        fix = f"Check name and firewall of {host} port {settings.server_port}, on both sides."
        return broken(f"port {settings.server_port}: {error}", about=about, fix=fix)
    except NetError as error:
        fix = f"Ask its operator, who sees the other half; {_OPERATOR} knows who that is."
        return broken(f"the TLS handshake failed: {error}", about=about, fix=fix)
    except Fault as fault:
        return broken(fault.text, about=about, fix="Look at ocsp and registration of this server.")
    try:
        responses = await fetch_ocsp(chain, lambda sha1: None, host, settings.ocsp_port)
    except Fault as fault:
        fix = f"Check the firewall for port {settings.ocsp_port}, and ask its operator."
        return broken(f"port {settings.ocsp_port}: {fault.text}", about=about, fix=fix)
    return _judge(case, server, chain, responses, about)


async def _shake_hands(case: Case, host: str) -> list[Certificate]:
    """What the peer presents to us, who present what the server would."""
    identity = PeerIdentity(Cell(case.world), Cell(case.ring), case.ocsp, case.clock)
    connection = await connect(
        host,
        case.settings.peers.server_port,
        tls=identity.client_context(case.world),
        timeout=min(CALL_SECONDS, case.settings.peers.connect_timeout),
    )
    try:
        return [Certificate.load(der) for der in connection.stream.peer_chain]
    finally:
        await connection.aclose()


def _judge(
    case: Case,
    server: SecurityServer,
    chain: Sequence[Certificate],
    responses: Sequence[bytes],
    about: str,
) -> Finding:
    conf, now = case.conf, case.clock.now()
    try:
        instance = server.id.owner.instance
        verify_auth_chain(conf, instance, chain, responses, now, issuer_of="first")
    except Fault as fault:
        return broken(f"{fault.code}: {fault.text}", about=about, fix="Tell its operator.")
    of = conf.server_by_auth_hash(chain[0])
    if of != server.id:
        whose = "nobody" if of is None else of.short
        what = f"it shows a certificate that is registered for {whose}"
        return broken(what, about=about, expected=server.id.short, fix="Tell its operator.")
    return ok("reached, its certificate good and registered", about=about)


async def check_services(case: Case) -> Findings:
    """The information systems behind this server take connections."""
    if not case.options.services:
        return [skipped("say --services to connect to the information systems too")]
    clients = case.serverconf.clients.values()
    services = [s for c in clients for s in c.services.values() if s.disabled is None]
    if not services:
        return [skipped("this server offers no service")]
    return await ask_all(partial(_connect, case), services)


async def _connect(case: Case, service: Service) -> Finding:
    parts = urlsplit(service.url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    about = service.id.short
    try:
        tls = service_context() if secure else None
        connection = await connect(host, port, tls=tls, timeout=CALL_SECONDS)
        chain = connection.stream.peer_chain if secure else ()
        await connection.aclose()
    except NetError as error:
        fix = f"Check that it runs, and its url in the settings: {service.url}"
        return broken(f"{host} port {port}: {error}", about=about, fix=fix)
    known = case.serverconf.clients[_client_of(service)].certificates
    if secure and service.verify_tls and (not chain or chain[0] not in known):
        what = "the certificate that it shows is not listed for its client"
        fix = f"Add it to certificates of [[client]] {_client_of(service).short}."
        return broken(what, about=about, fix=fix)
    return ok(f"{host} port {port} takes connections", about=about)


def _client_of(service: Service) -> ClientId:
    return service.id.client
