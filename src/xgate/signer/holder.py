"""Who holds a server's keys: this process, or the signer's beside it.

The rule: a server asks for the ring of now and for signatures, and never where the keys are. The
ring is a ``Cell``: keys that are brought in, activated or disabled while the server runs take
effect with the next message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import trio

from xgate.cell import Cell
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ServerId
from xgate.signer.keyring import Keyring
from xgate.signer.signer import Signer, SigningContext
from xgate.trust.seal import Seal
from xgate.trust.verify import Evidence

__all__ = ["KeyHolder", "LocalKeys"]


class KeyHolder(Protocol):
    """Keys that can be used, wherever they are."""

    @property
    def ring(self) -> Cell[Keyring]:
        """The usable keys."""
        ...

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve ``sign`` until cancelled."""
        ...

    async def sign(self, context: SigningContext, seal: Seal) -> Evidence:
        """The evidence for ``seal`` by a key of the ring.

        :raises Fault: ``cannot_create_signature.internal_error``.
        """
        ...

    async def troubles(self) -> Sequence[str]:
        """What is wrong with modules that bring tokens.

        :raises Fault: ``cannot_create_signature.token_not_available``: nobody is there to tell.
        """
        ...

    async def note_registered(self, conf: GlobalConf, server: ServerId) -> bool:
        """Note in the registry which authentication certificates are listed for this server; True
        when one was not known to be.

        :raises Fault: it could not be noted. :raises OSError: the registry cannot be written.
        """
        ...

    def batch_sizes(self) -> Mapping[int, int]:
        """How many signatures made here covered how many messages: size to count."""
        ...


class LocalKeys:
    """Keys in tokens that this process has opened itself.

    :param ring: whoever keeps it replaces it whole.
    """

    def __init__(self, ring: Cell[Keyring], signer: Signer) -> None:
        self.ring = ring
        self._signer = signer

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve ``sign`` until cancelled."""
        await self._signer.run(task_status)

    async def sign(self, context: SigningContext, seal: Seal) -> Evidence:
        """See ``KeyHolder.sign``; what waits for the same key becomes one signature."""
        return await self._signer.sign(context, seal)

    async def troubles(self) -> Sequence[str]:
        """None: no modules are known here."""
        return ()

    async def note_registered(self, conf: GlobalConf, server: ServerId) -> bool:
        """Nowhere: no registry is known here."""
        return False

    def batch_sizes(self) -> Mapping[int, int]:
        """See ``KeyHolder.batch_sizes``."""
        return self._signer.batch_sizes()
