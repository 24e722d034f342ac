"""The settings of the global configuration: ``[globalconf]``.

The rule: as in ``settings``; nothing is opened here. Times are the reference's (globalconf 2.2).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from xgate.securityserver.section import Section

__all__ = ["GlobalconfSettings"]

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=600)]


class GlobalconfSettings(Section, frozen=True):
    """Where the global configuration comes from.

    :param use: ``http``: an anchor, downloaded from its sources; ``published``: an anchor and a
        copy of what a source publishes; ``disk``: the reference client's own folder; or the name of
        another package's source, which gets ``options``.
    :param directory: the folder of ``disk`` and ``published``; otherwise what was loaded is kept
        there, in the reference's layout.
    :param allowed_federations: instances of partners whose configuration is taken as well; ``all``
        of them, or ``none``, which wins wherever it stands. Whose folder is read (``disk``) decides
        by itself.
    :param accept_older: take a configuration that expires before the one in use, as after a central
        server was restored; for as long as that is so.
    :param accept_weak_digests: take digests and signatures by MD5 and SHA-1, which anybody might
        have forged, of a source that still makes them.
    :param connect_seconds: for a connection to a source. :param answer_seconds: for its answer.
    :param tls_verification: whether https sources must show a certificate that the system trusts;
        what they publish is proven by its signature in any case.
    :param hostname_verification: whether that certificate must be for the source's name.
    """

    use: str = "http"
    anchor: str = "configuration-anchor.xml"
    directory: str = "globalconf"
    refresh_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 60.0
    allowed_federations: tuple[str, ...] = ()
    accept_older: bool = False
    accept_weak_digests: bool = False
    connect_seconds: _Seconds = 10.0
    answer_seconds: _Seconds = 30.0
    tls_verification: bool = True
    hostname_verification: bool = True
    options: dict[str, Any] = msgspec.field(default_factory=dict)
