"""Where both corridors end: one place that turns a Fault into words on the wire, and logs the line.

The rule: a Fault's code gets this side's prefix unless it names another party; any other exception
is an internal error of which only a random id crosses the wire; the trace stays in our own log.
"""

from __future__ import annotations

from typing import Literal

from xgate.errors import CLIENT, CLIENT_PROXY, SERVER_PROXY, Fault
from xgate.net.errors import HttpError, NetError
from xgate.net.listen import source_of
from xgate.net.room import NoRoomError
from xgate.net.server import Exchange
from xgate.securityserver.client_list import asks_for_clients, list_clients
from xgate.securityserver.client_proxy import relay
from xgate.securityserver.downloads import hand_out
from xgate.securityserver.gate import NoMemoryError
from xgate.securityserver.intake import is_rest, shown_certificate, target_of
from xgate.securityserver.note import Note
from xgate.securityserver.observation import observe
from xgate.securityserver.reply import PeerGoneError, Reply
from xgate.securityserver.server import SecurityServer, new_token, new_uuid
from xgate.securityserver.server_proxy import serve
from xgate.securityserver.spool_settings import limit_met
from xgate.wire.download import NotHandedOut, is_download
from xgate.wire.faults import (
    rest_status,
    spelled_as_before,
    write_rest_error,
    write_soap_fault,
)
from xgate.wire.proxy_version import speaks_old_codes
from xgate.wire.target import BadTarget
from xgate.wire.transport import write_fault_head

__all__ = ["ask", "provide"]

_Form = Literal["SOAP", "REST", "plain"]
"""In which words a client is refused."""


async def ask(exchange: Exchange, server: SecurityServer) -> None:
    """Serve one request of an information system (client proxy)."""
    note = Note("client", server.clock)
    note.peer = exchange.peer_address
    note.certificate = shown_certificate(exchange, server)
    fault: Fault | None = None
    form: _Form = "SOAP"
    try:
        target = target_of(exchange)
        note.protocol = form = "REST" if is_rest(exchange) else "SOAP"
        async with server.gates.callers.enter(source_of(exchange.peer_address)) as visit:
            if is_download(exchange.method, target.path):
                server.world.value.globalconf.check_valid(server.clock.now())
                form = "plain"
                await hand_out(target, exchange, server, note)
            elif asks_for_clients(exchange, target):
                server.world.value.globalconf.check_valid(server.clock.now())
                await list_clients(target, exchange, server, note)
            else:
                await relay(exchange, form == "REST", server, note, visit)
    except BadTarget as bad:
        fault = bad
        await exchange.respond(bad.status, [("Content-Type", "text/plain")], bad.text.encode())
    except NotHandedOut as refusal:
        fault = refusal
        await _answer_plain(exchange, refusal.status, refusal)
    except Fault as refusal:
        fault = _named(refusal, CLIENT_PROXY)
        _check_framing(exchange)
        await _answer_fault(exchange, form, fault, server)
    except (HttpError, NetError) as error:
        fault = Fault(f"{CLIENT}.io_error", str(error))
        raise
    except OSError as error:
        fault = _no_means(error, CLIENT_PROXY, server)
        await _answer_fault(exchange, form, fault, server)
    except Exception as error:  # noqa: BLE001  the edge: whatever it is, it has one name outside
        fault = _unexpected(error, CLIENT_PROXY, server)
        await _answer_fault(exchange, form, fault, server)
    finally:
        _end(note, fault, server)


async def provide(exchange: Exchange, server: SecurityServer) -> None:
    """Serve one request of another security server (server proxy)."""
    note = Note("server", server.clock)
    note.peer = exchange.peer_address
    fault: Fault | None = None
    keep_alive = server.settings.peers.keep_alive
    reply = Reply(exchange, new_token(), keep_alive=keep_alive, on_head=note.heard)
    try:
        # The leaf certificate, which the handshake has found registered: one for each server.
        who = exchange.peer_chain[0] if exchange.peer_chain else exchange.peer_address
        async with server.gates.peers.enter(who) as visit:
            await serve(exchange, server, note, reply, visit)
    except Fault as refusal:
        fault = _named(refusal, SERVER_PROXY)
        _check_framing(exchange)
        await reply.fail(_for_peer(fault, exchange, server))
    except (HttpError, NetError) as error:
        fault = Fault(f"{SERVER_PROXY}.io_error", str(error))
        raise
    except PeerGoneError as error:
        fault = Fault(f"{SERVER_PROXY}.io_error", f"The peer takes no more of the answer: {error}")
        raise NetError(fault.text) from error
    except OSError as error:
        fault = _no_means(error, SERVER_PROXY, server)
        await reply.fail(_for_peer(fault, exchange, server))
    except Exception as error:  # noqa: BLE001  the edge: whatever it is, it has one name outside
        fault = _unexpected(error, SERVER_PROXY, server)
        await reply.fail(_for_peer(fault, exchange, server))
    finally:
        _end(note, fault, server)


def _end(note: Note, fault: Fault | None, server: SecurityServer) -> None:
    server.journal.exchange(note, fault)
    record = observe(note, fault, server.own_address, server.clock.now())
    if record is not None:
        server.opdata.take(record)


def _check_framing(exchange: Exchange) -> None:
    """What is not even HTTP gets 400 and no other word, wherever in the request it shows.

    :raises HttpError: it shows in the body, and the answer has not begun.
    """
    if exchange.offence is not None and not exchange.started:
        raise exchange.offence


def _named(fault: Fault, side: str) -> Fault:
    """The fault with its full code and an id; a relayed one as it is."""
    if fault.raw is not None:
        return fault
    full = fault if fault.code.split(".", 1)[0] in (CLIENT, "server") else fault.under(side)
    if full.code.endswith(".database_error") and not full.cause:  # a database's own words
        full = full.outwards("The message log cannot be read now")
    return Fault(
        full.code,
        full.text,
        detail=new_uuid(),
        actor=full.actor,
        limit=full.limit,
        cause=full.cause,
    )


def _no_means(error: OSError, side: str, server: SecurityServer) -> Fault:
    """No room, no descriptors: the system's fault, whose files' names are for our own log."""
    limit = error.limit if isinstance(error, NoMemoryError) else ""
    if isinstance(error, NoRoomError):
        limit = limit_met(error, server.settings.spool)
    text = error.strerror or type(error).__name__
    fault = _named(Fault("io_error", text, limit=limit), side)
    if not limit:
        server.journal.event("no means for an exchange", cause=str(error), detail=fault.detail)
    return fault


def _unexpected(error: Exception, side: str, server: SecurityServer) -> Fault:
    detail = new_uuid()
    server.journal.crash(error, detail)
    return Fault(f"{side}.internal_error", f"Internal error {detail}", detail=detail)


def _for_peer(fault: Fault, exchange: Exchange, server: SecurityServer) -> Fault:
    """In the spelling that the settings say; ``theirs`` goes by the version that the peer tells."""
    spelling = server.settings.faults.to_peers
    if spelling == "theirs" and speaks_old_codes(exchange.find_header("x-proxy-version")):
        spelling = "old"
    return spelled_as_before(fault) if spelling == "old" else fault


async def _answer_fault(
    exchange: Exchange, form: _Form, fault: Fault, server: SecurityServer
) -> None:
    if exchange.started:  # the answer has begun: only cutting it off can tell that it is not whole
        raise NetError(f"the answer was cut off: {fault.code}")
    if form == "plain":
        await _answer_plain(exchange, 500, fault)
        return
    if server.settings.faults.to_callers == "old":
        fault = spelled_as_before(fault)
    if form == "SOAP":
        await exchange.respond(200, write_fault_head(), write_soap_fault(fault))
        return
    accept = ",".join(value for name, value in exchange.headers if name.lower() == "accept")
    content_type, body = write_rest_error(fault, accept or None)
    headers = [("Content-Type", content_type), ("X-Road-Error", fault.code)]
    await exchange.respond(rest_status(fault), headers, body)


async def _answer_plain(exchange: Exchange, status: int, fault: Fault) -> None:
    """What a download that is refused gets: a sentence (asic 6)."""
    headers = [("Content-Type", "text/plain; charset=UTF-8")]
    await exchange.respond(status, headers, fault.text.encode("utf-8", "replace"))
