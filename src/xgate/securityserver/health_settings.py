"""The settings of the health checks: ``[health]``.

The rule: as in ``settings``; off unless a port is named, as in the reference (pipeline 14).
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from xgate.securityserver.section import Section

__all__ = ["HealthSettings"]


class HealthSettings(Section, frozen=True):
    """Where load balancers, orchestrators and operators ask how this server is.

    :param port: for everybody; None: nobody is told.
    :param admin_port: on 127.0.0.1 alone, for the maintenance switch (the reference's is 5566).
    :param beat_milliseconds: how often it is measured how late turns come; the ``statistics`` line
        at the end tells. A shorter one sees shorter pauses, and wakes an idle server more often.
    :param hardware: whether a PKCS#11 module that does not work makes the server ill, as the
        reference's ``hsm-health-check-enabled``; keys that are missed do in any case.
    :param memory_megabytes: from how much resident memory on the server counts as ill; 0: never.
    """

    host: str = "0.0.0.0"  # noqa: S104  the reference's default bind
    port: int | None = None
    admin_port: int | None = None
    beat_milliseconds: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 250
    hardware: bool = False
    memory_megabytes: Annotated[int, msgspec.Meta(ge=0)] = 0
