"""Whether a certificate of ours is good at this moment: its responders are asked, now.

The rule: the certificate and every CA above it that answers are asked for must be good and fresh;
an answer that is kept from earlier does not count (signer 7).
"""

from __future__ import annotations

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.keepers.ocsp import certificates_in_use
from xgate.keepers.ocsp_client import OcspClient
from xgate.policy.world import World
from xgate.securityserver.settings import Settings
from xgate.securityserver.stamping import post_to
from xgate.serverconf.model import ServerConf
from xgate.signer.ocsp_cache import OcspCache, find_issuer
from xgate.trust.certificate import Certificate

__all__ = ["check_good_now"]


async def check_good_now(
    certificate: Certificate, conf: GlobalConf, settings: Settings, clock: Clock
) -> None:
    """Ask, and judge the answers.

    :raises Fault: ``internal_error`` naming what is wrong with which certificate.
    """
    ocsp, causes, cache = settings.ocsp, list[str](), OcspCache()

    def note(name: str, **fields: str | int | float | None) -> None:
        causes.append(": ".join(str(v) for k, v in fields.items() if k != "certificate"))

    client = OcspClient(
        Cell(World(conf, ServerConf(settings.server_id))),
        cache,
        clock,
        post_to(
            settings.peers.hosts,
            timeout=ocsp.connect_seconds + ocsp.answer_seconds,
            connect_timeout=ocsp.connect_seconds,
        ),
        note,
        order=ocsp.prioritization,
    )
    now = clock.now()
    asked = certificates_in_use([certificate], conf, now)
    await client.ask_all(asked)
    for one in asked or [certificate]:
        try:
            cache.usable(one, find_issuer(conf, one, now), conf, now)
        except Fault as fault:
            why = "; ".join([fault.text, *causes])
            raise Fault("internal_error", f"The certificate is not good now: {why}") from fault
