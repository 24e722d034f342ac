"""The settings of OCSP: ``[ocsp]``.

The rule: as in ``settings``; nothing is opened here. How often is asked and how fresh an answer
must be is the global configuration's to say.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from xgate.globalconf.responders import OcspOrder
from xgate.securityserver.section import Section

__all__ = ["OcspSettings"]


class OcspSettings(Section, frozen=True):
    """How OCSP responses of this server's certificates are fetched, and where all are kept.

    :param prioritization: in which order responders that cost money are asked, and whether at all.
    :param retry_seconds: the longest pause before what is missing is asked for again, and the
        shortest rest of a responder that could not be reached.
    :param fetch: whether responders are asked at all.
    :param cache_directory: one file for each response; the reference's folder can be used.
    :param cache_responses: how many are kept at most, the oldest leaving first.
    :param connect_seconds: for a connection to a responder. :param answer_seconds: for its answer.
    """

    prioritization: OcspOrder = "none"
    retry_seconds: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 60.0
    fetch: bool = True
    cache_directory: str = "ocsp-cache"
    cache_responses: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
    connect_seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 20.0
    answer_seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 60.0
