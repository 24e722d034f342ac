"""Where a server's keys are, by its settings: opened here, or in the signer's process.

The rule: with ``[keys] signer`` this process opens no key and reads no PIN, whether the signer is
there or not; without it the key store is opened now or the server does not start.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ServerId
from xgate.keepers.keys import keep_keys
from xgate.keepers.report import Report
from xgate.securityserver.journal import Journal
from xgate.securityserver.keys import open_tokens
from xgate.securityserver.settings import KeysSettings
from xgate.signer.ask import ask_ring
from xgate.signer.holder import KeyHolder, LocalKeys
from xgate.signer.keyring import Keyring
from xgate.signer.registration import note_registered
from xgate.signer.registry import listed_for
from xgate.signer.remote import RemoteKeys
from xgate.signer.signer import Signer
from xgate.signer.tokens import Refused, Tokens

__all__ = ["open_key_holder", "open_keys", "refusals_into", "signer_socket"]


def signer_socket(settings: KeysSettings, folder: Path) -> Path | None:
    """The socket of the signer's process, or None: there is none.

    :param folder: where relative paths of the settings count from.
    """
    return (folder / settings.signer).absolute() if settings.signer else None


def open_key_holder(
    settings: KeysSettings, folder: Path, clock: Clock, journal: Journal
) -> KeyHolder:
    """Who signs for the server.

    :param folder: where relative paths of the settings count from.
    :raises SettingsError: the settings say not where the PIN is.
    :raises Fault: the key store does not open.
    """
    path = signer_socket(settings, folder)
    if path is not None:
        return RemoteKeys(path, journal.event)
    tokens = open_tokens(settings, folder, refusals_into(journal))
    return _KeptKeys(tokens, Signer(clock), journal.event)


def open_keys(settings: KeysSettings, folder: Path) -> Keyring:
    """Every usable key, for those who look and do not serve.

    :raises Fault: as ``open_key_holder``, and ``token_not_available`` when the keys are in the
        signer's process and it does not answer.
    """
    path = signer_socket(settings, folder)
    if path is not None:
        return ask_ring(path)
    return open_tokens(settings, folder, lambda _, __: None).keyring()


def refusals_into(journal: Journal) -> Refused:
    """Writes a line for each token or key that cannot be used."""

    def write(whose: str, fault: Fault) -> None:
        journal.event("token or key not usable", token=whose, code=fault.code, cause=fault.text)

    return write


class _KeptKeys(LocalKeys):
    """Keys in tokens of this process; while it runs, the ring follows what is done to them."""

    def __init__(self, tokens: Tokens, signer: Signer, report: Report) -> None:
        super().__init__(Cell(tokens.keyring()), signer)
        self._tokens = tokens
        self._report = report

    async def troubles(self) -> Sequence[str]:
        """See ``KeyHolder.troubles``; as of the last look, a minute ago at most."""
        return self._tokens.troubles()

    async def note_registered(self, conf: GlobalConf, server: ServerId) -> bool:
        """See ``KeyHolder.note_registered``."""
        listed = listed_for(conf, server)
        return await trio.to_thread.run_sync(note_registered, self._tokens.store, listed)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """See ``KeyHolder.run``; then the tokens are closed."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(keep_keys, self.ring, self._tokens, self._report)
                await super().run(task_status)
        finally:
            self._tokens.close()
