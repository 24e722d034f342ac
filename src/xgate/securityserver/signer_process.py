"""The signer's process: tokens, keys and PINs, and nothing that the network can reach.

The rule: it serves one Unix socket and opens no other connection. It needs the key settings alone:
no global configuration, no message log. Draining: no new clients, what was asked is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.net.drain import Drain
from xgate.net.listen import AcceptLimits, serve_listeners
from xgate.net.stream import SocketStream
from xgate.securityserver.journal import Journal
from xgate.securityserver.key_holder import open_keys, signer_socket
from xgate.securityserver.settings import Settings, SettingsError
from xgate.signer.conversation import converse
from xgate.signer.door import open_door, user_ids
from xgate.signer.keyring import Keyring
from xgate.signer.service import SignerService
from xgate.signer.signer import Signer
from xgate.signer.token import SigningToken

__all__ = ["run_signer"]

_CLIENTS = AcceptLimits(total=256, per_address=256)  # a handshake is a client for its moment


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
    ring = Cell(open_keys(settings.keys, folder))
    signer = Signer(clock)
    service = SignerService(_Shelf(ring), ring, signer, trio.lowlevel.checkpoint)

    async def serve(stream: SocketStream) -> None:
        await converse(stream, service, drain, others)

    door = open_door(path, shared=bool(others))
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(signer.run)
            async with trio.open_nursery() as serving:
                await serving.start(
                    partial(serve_listeners, [door.listener], serve, limits=_CLIENTS, drain=drain)
                )
                journal.event("signing", socket=str(path), certificates=_count(ring))
                task_status.started(path)
            journal.statistics(signer.batch_sizes(), {}, {})
            journal.event("stopped", socket=str(path))
            nursery.cancel_scope.cancel()
    finally:
        door.close()


class _Shelf:
    """The tokens of a ring."""

    def __init__(self, ring: Cell[Keyring]) -> None:
        self._ring = ring

    def all(self) -> Sequence[SigningToken]:
        return list({key.token.id: key.token for key in self._ring.value.signing}.values())

    def find(self, token_id: str) -> SigningToken | None:
        return next((token for token in self.all() if token.id == token_id), None)


def _others(settings: Settings) -> frozenset[int]:
    try:
        return user_ids(settings.signer.allow_users)
    except Fault as fault:
        raise SettingsError(f"[signer] allow-users: {fault.text}") from None


def _count(ring: Cell[Keyring]) -> int:
    return len(ring.value.certificates())
