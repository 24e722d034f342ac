"""Where this server's own configuration is kept: ``[serverconf]``.

The rule: as in ``settings``; nothing is opened here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from xgate.securityserver.section import Section

__all__ = ["ServerconfSettings"]


class ServerconfSettings(Section, frozen=True):
    """Clients, services and rights, and how soon a change of them is seen.

    :param use: ``settings``: the ``[[client]]`` tables of the settings file itself; ``sqlite`` or
        ``postgres``: a store, filled by ``xgate apply``.
    :param path: the file of ``sqlite``. :param conninfo: of ``postgres``, as libpq takes it.
    :param watch_seconds: how often a change is looked for.
    """

    use: Literal["settings", "sqlite", "postgres"] = "settings"
    path: str = "serverconf.sqlite"
    conninfo: str = ""
    watch_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 2.0
