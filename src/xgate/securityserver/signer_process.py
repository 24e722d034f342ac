"""The signer's process: tokens, keys and PINs, and nothing that the network can reach.

The rule: it serves one Unix socket and opens no other connection. It needs the key settings alone:
no global configuration, no message log. Draining: no new clients, what was asked is answered.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.keepers.keys import keep_keys, renew_ring
from xgate.net.drain import Drain
from xgate.net.listen import AcceptLimits, serve_listeners
from xgate.net.stream import SocketStream
from xgate.securityserver.journal import Journal
from xgate.securityserver.key_holder import refusals_into, signer_socket
from xgate.securityserver.keys import open_tokens
from xgate.securityserver.settings import Settings, SettingsError
from xgate.signer.conversation import converse
from xgate.signer.door import SignerDoor, open_door, user_ids
from xgate.signer.registration import note_registered
from xgate.signer.service import SignerService
from xgate.signer.signer import Signer
from xgate.signer.tokens import Tokens

__all__ = ["run_signer"]

_CLIENTS = AcceptLimits(total=256, per_address=256)  # a handshake is a client for its moment
_STRANGERS = 8


async def run_signer(
    settings: Settings,
    folder: Path,
    clock: Clock,
    journal: Journal,
    drain: Drain,
    *,
    task_status: trio.TaskStatus[Path] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until ``drain`` is started and all that was asked is answered.

    :param folder: where relative paths of the settings count from.
    :raises SettingsError: no socket is named, or a user that there is not.
    :raises Fault: the key store does not open. :raises NetError: the socket cannot be had.
    """
    path = signer_socket(settings.keys, folder)
    if path is None:
        raise SettingsError('[keys] needs signer: the path of the socket, as "run/signer.sock"')
    others = _others(settings)
    door = open_door(path, shared=bool(others))  # first: a second signer is to touch no token
    try:
        tokens = open_tokens(settings.keys, folder, refusals_into(journal), locked=True)
        try:
            await _serve(door, tokens, clock, journal, drain, others, task_status)
        finally:
            tokens.close()
    finally:
        door.close()


async def _serve(
    door: SignerDoor,
    tokens: Tokens,
    clock: Clock,
    journal: Journal,
    drain: Drain,
    others: frozenset[int],
    task_status: trio.TaskStatus[Path],
) -> None:
    ring = Cell(tokens.keyring())
    signer = Signer(clock)
    renew, note = partial(renew_ring, ring, tokens), partial(note_registered, tokens.store)
    service = SignerService(tokens, ring, signer, renew, note)

    strangers = trio.CapacityLimiter(_STRANGERS)

    async def serve(stream: SocketStream) -> None:
        await converse(stream, service, drain, others, strangers)

    place = str(door.path)
    async with trio.open_nursery() as nursery:
        await nursery.start(signer.run)
        nursery.start_soon(keep_keys, ring, tokens, journal.event)
        async with trio.open_nursery() as serving:
            await serving.start(
                partial(serve_listeners, [door.listener], serve, limits=_CLIENTS, drain=drain)
            )
            journal.event("signing", socket=place, certificates=len(ring.value.certificates()))
            task_status.started(door.path)
        journal.statistics(signer.batch_sizes(), {}, {}, {})
        journal.event("stopped", socket=place)
        nursery.cancel_scope.cancel()


def _others(settings: Settings) -> frozenset[int]:
    try:
        return user_ids(settings.signer.allow_users)
    except Fault as fault:
        raise SettingsError(f"[signer] allow-users: {fault.text}") from None
