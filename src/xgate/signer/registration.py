"""Notes in the registry's file which authentication certificates are registered.

The rule: the file is written only when that changes something, and as it is at that moment: whoever
else changes it loses nothing.
"""

from __future__ import annotations

from pathlib import Path

from xgate.signer.registry import Listed, settle_auth_states
from xgate.signer.store import change_store, read_or_none

__all__ = ["note_registered"]


def note_registered(path: Path, listed: Listed) -> bool:
    """Note it in the registry at ``path``; True when that changed something.

    :param listed: whether the global configuration lists a certificate for this server.
    :raises Fault: as ``store.read_store``. :raises OSError: the file cannot be written.
    """
    store = read_or_none(path)
    if store is None or settle_auth_states(store, listed) == store:
        return False
    change_store(path, lambda store: settle_auth_states(store, listed))
    return True
