"""The settings of the signer's process: ``[signer]``.

The rule: as in ``settings``; its socket is named in ``[keys] signer``, where servers look for it.
"""

from __future__ import annotations

from xgate.securityserver.section import Section

__all__ = ["SignerSettings"]


class SignerSettings(Section, frozen=True):
    """Who may use the signer.

    :param allow_users: names or numbers of users, besides the one that it runs under.
    """

    allow_users: tuple[str, ...] = ()
