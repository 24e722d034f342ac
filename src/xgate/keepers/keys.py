"""Keeps the keyring true: what commands change and what tokens do reaches a running server.

The rule: the registry's file is looked at every second, the tokens every minute; a new ring is put
in place whole, so a message that runs keeps the keys it began with. What fails leaves the old ring
in place and is reported once, not once a second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from xgate.cell import Cell
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ServerId
from xgate.keepers.files import file_stamp
from xgate.keepers.report import Report, cause_of
from xgate.policy.world import World
from xgate.signer.keyring import Keyring
from xgate.signer.tokens import Tokens

__all__ = ["keep_auth_states", "keep_keys", "renew_ring"]

_LOOK_SECONDS, _TOKENS_SECONDS = 1.0, 60.0


async def keep_keys(ring: Cell[Keyring], tokens: Tokens, report: Report) -> None:
    """Renew ``ring`` whenever keys have changed, for ever.

    Start it after the first ring is in place (``Cell(tokens.keyring())``), in the process that
    holds the tokens; call ``renew_ring`` at once after a login or logout.
    """
    seen = file_stamp(tokens.store)
    failed = ""
    while True:
        for _ in range(round(_TOKENS_SECONDS / _LOOK_SECONDS)):
            await trio.sleep(_LOOK_SECONDS)
            if file_stamp(tokens.store) != seen:
                break
        seen = file_stamp(tokens.store)
        try:
            await renew_ring(ring, tokens)
        except Exception as error:  # noqa: BLE001  whatever it is, the old ring stays in place
            cause = cause_of(error)
            if cause != failed:
                report("keys not read anew", cause=cause)
            failed = cause
        else:
            failed = ""


async def keep_auth_states(
    world: Cell[World],
    note: Callable[[GlobalConf, ServerId], Awaitable[bool]],
    server: ServerId,
    report: Report,
) -> None:
    """Have it noted that authentication certificates are registered as soon as the global
    configuration lists them, for ever; who keeps the ring sees that.

    :param note: as ``KeyHolder.note_registered``.

    Every minute too: what could not be written may be written now, or a registry was put there.
    """
    version, failed = -1, ""
    while True:
        if version == world.version:
            with trio.move_on_after(_TOKENS_SECONDS):
                await world.wait_changed(version)
        version, conf = world.version, world.value.globalconf
        try:
            if await note(conf, server):
                report("authentication certificate registered", id=server.short)
        except (Fault, OSError) as error:
            cause = cause_of(error)
            if cause != failed:
                report("registration not noted", cause=cause)
            failed = cause
        else:
            failed = ""


async def renew_ring(ring: Cell[Keyring], tokens: Tokens) -> None:
    """Look at tokens and registry now; sets ``ring`` if another one comes out.

    :raises Fault: the registry cannot be read; the ring is as it was.
    """

    def look() -> Keyring:
        tokens.refresh()
        return tokens.keyring()

    async with tokens.turn:
        found = await trio.to_thread.run_sync(look)
        if found != ring.value:
            ring.set(found)
