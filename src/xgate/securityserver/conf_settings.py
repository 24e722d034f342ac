"""The settings of the global configuration: ``[globalconf]``.

The rule: as in ``settings``; nothing is opened here.
"""

from __future__ import annotations

from typing import Literal

from xgate.securityserver.section import Section

__all__ = ["GlobalconfSettings"]


class GlobalconfSettings(Section, frozen=True):
    """Where the global configuration comes from.

    :param use: ``published``: an anchor and a copy of what the source publishes; ``disk``: the
        reference client's own folder; ``http``: an anchor, downloaded from its source.
    """

    use: Literal["published", "disk", "http"] = "http"
    anchor: str = "configuration-anchor.xml"
    directory: str = "globalconf"
    refresh_seconds: float = 60.0
