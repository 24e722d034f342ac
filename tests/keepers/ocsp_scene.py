"""What tests of OCSP need: certificates of ours, responders, and what came of asking them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId
from xgate.policy.world import World
from xgate.serverconf.model import ServerConf
from xgate.signer.ocsp_cache import OcspCache
from xgate.testing.authority import Authority
from xgate.testing.outside import LoopClock, Services, Watch
from xgate.trust.certificate import Certificate

__all__ = ["CLOCK", "MISSED", "Scene", "failing", "world_of"]

CLOCK = LoopClock()
MISSED = "OCSP not refreshed"


class Scene(msgspec.Struct):
    """One server with its certificates, before anybody was asked.

    :param responder: makes who answers; see ``conftest``.
    """

    authority: Authority
    own: list[Certificate]
    responder: Callable[..., Callable[[bytes], bytes]]
    services: Services
    watch: Watch
    cache: OcspCache


def world_of(conf: GlobalConf) -> World:
    """The world of a server that has this configuration, and no clients."""
    return World(conf, ServerConf(ServerId(ClientId("XG", "COM", "1"), "SS")))


def failing(error: Exception) -> Callable[[bytes], bytes]:
    """A responder that fails like this, whatever it is asked."""

    def answer(_: bytes) -> bytes:
        raise error

    return answer
