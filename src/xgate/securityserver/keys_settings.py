"""The settings of keys and tokens: ``[keys]``.

The rule: as in ``settings``; nothing is opened here, and a PIN is never in the file itself.
"""

from __future__ import annotations

from xgate.securityserver.section import Section

__all__ = ["KeysSettings"]


class KeysSettings(Section, frozen=True):
    """The key store, and where its PIN is read from (one of the two).

    :param signer: the Unix socket of ``xgate signer``: a server then opens no keys itself.
    """

    store: str = "keys.xgate"
    pin_file: str = ""
    pin_env: str = ""
    signer: str = ""
