"""What the corridors of a security server share: what is known, the keys, the log, the peers.

The rule: a corridor takes one World at its start; everything else here lives as long as the server.
"""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.globalconf.source import LoadedConf
from xgate.ids import ClientId, ServerId
from xgate.keepers.audit import Audit
from xgate.messagelog.envelope import Envelope
from xgate.messagelog.store import Waiting
from xgate.messagelog.writer import MessageLog
from xgate.net.body import Spool
from xgate.net.context import TlsContext
from xgate.net.listen import Crowd
from xgate.net.room import Room
from xgate.opmonitor.buffer import OperationalBuffer
from xgate.policy.world import World
from xgate.securityserver.gate import Gates
from xgate.securityserver.identity import PeerIdentity
from xgate.securityserver.internal_identity import InternalIdentity
from xgate.securityserver.journal import Journal
from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.peers import Peers
from xgate.securityserver.services import Services
from xgate.securityserver.settings import Settings
from xgate.securityserver.vouching import Vouching
from xgate.serverconf.model import ServerConf
from xgate.signer.holder import KeyHolder
from xgate.signer.keyring import AuthKey, Keyring, choose_auth_key, choose_sign_key
from xgate.signer.ocsp_cache import OcspCache
from xgate.signer.signer import SigningContext
from xgate.trust.certificate import Certificate
from xgate.wire.attachments import BodyLimits
from xgate.wire.mime import MimeLimits
from xgate.wire.transport import TransportLimits
from xgate.wire.xml import Bounds

__all__ = ["SecurityServer", "new_token", "new_uuid"]

_LETTERS = (string.ascii_letters * 5)[:256].encode("ascii")


@dataclass(kw_only=True, eq=False)
class SecurityServer:
    """One member's server, assembled by ``run.run_server``.

    :param room: what kept bodies may take on the disk.
    :param loaded_conf: the global configuration loaded last, with its files.
    :param stamp_now: gives one logged message its timestamp, or raises a Fault.
    :param envelope: what archives are put into, and downloads as well.
    :param opdata: takes the operational record of each exchange.
    :param gates: where exchanges wait for their turn.
    :param crowd: who is connected at the doors for messages.
    :param own_address: of this machine in its network, for operational records.
    :param load_serverconf: reads this server's own configuration; for threads.
    :ivar servers_refused: connections of other servers that were closed because theirs has too
        many.
    """

    settings: Settings
    clock: Clock
    journal: Journal
    world: Cell[World]
    vouching: Vouching
    signer: KeyHolder
    messagelog: MessageLog
    peers: Peers
    services: Services
    room: Room
    identity: PeerIdentity
    internal: InternalIdentity
    loaded_conf: Callable[[], LoadedConf]
    stamp_now: Callable[[Waiting], Awaitable[None]]
    audit: Audit
    envelope: Envelope
    opdata: OperationalBuffer
    gates: Gates
    crowd: Crowd
    own_address: str
    load_serverconf: Callable[[], ServerConf]
    servers_refused: int = field(default=0, init=False)
    body_limits: BodyLimits = field(init=False)
    transport_limits: TransportLimits = field(init=False)

    def __post_init__(self) -> None:
        self.body_limits, self.transport_limits = _limits_of(self.settings.limits)

    @property
    def ocsp(self) -> OcspCache:
        """The OCSP responses at hand."""
        return self.vouching.cache

    @property
    def id(self) -> ServerId:
        """The identifier of this server."""
        return self.world.value.serverconf.server

    @property
    def ring(self) -> Keyring:
        """The keys that are usable now."""
        return self.signer.ring.value

    def spools(self, keep: int | None = None) -> Callable[[], Spool]:
        """Opens places for the bodies of one message, in memory while small.

        :param keep: how many octets of each are going to be read; all of them if None.
        """
        limit = self.settings.limits.body_bytes
        spool = partial(Spool, limit=limit, share=self.room.share())
        return spool if keep is None else partial(spool, keep=keep)

    def signing_context(self, world: World, client: ClientId) -> SigningContext:
        """The key that signs for ``client`` now.

        :raises Fault: ``internal_error``, as ``choose_sign_key``.
        """
        now = self.clock.now()
        return SigningContext(*choose_sign_key(self.ring, client, world.globalconf, self.ocsp, now))

    def auth_key(self, world: World) -> tuple[AuthKey, bytes]:
        """The authentication key shown to peers now, and its OCSP response.

        :raises Fault: ``ssl_authentication_failed``.
        """
        server = world.serverconf.server
        now = self.clock.now()
        return choose_auth_key(self.ring, server, world.globalconf, self.ocsp, now)

    async def wait_signing_context(self, world: World, client: ClientId) -> SigningContext:
        """As ``signing_context``; waits for an OCSP response that is not at hand."""
        certificates = (key.certificate for key in self.ring.sign_keys(client))
        choice = partial(self.signing_context, world, client)
        return await self.vouching.choose(certificates, choice)

    async def wait_auth_key(self, world: World) -> tuple[AuthKey, bytes]:
        """As ``auth_key``; waits for an OCSP response that is not at hand."""
        choice = partial(self.auth_key, world)
        return await self.vouching.choose(self._auth_certificates(), choice)

    async def wait_peer_context(self, world: World) -> TlsContext:
        """The TLS context for peers that call; errors as ``wait_auth_key``."""
        choice = partial(self.identity.server_context, world)
        return await self.vouching.choose(self._auth_certificates(), choice)

    def _auth_certificates(self) -> Iterable[Certificate]:
        return (key.certificate for key in self.ring.authentication)


def _limits_of(settings: LimitSettings) -> tuple[BodyLimits, TransportLimits]:
    """What bodies of information systems, and messages of other servers, may cost."""
    mime = MimeLimits(
        line=settings.part_line_bytes,
        field=settings.part_field_bytes,
        fields=settings.part_head_fields,
        header=settings.part_head_bytes,
        headers=settings.part_heads_bytes,
    )
    xml = Bounds(
        depth=settings.xml_depth,
        nodes=settings.xml_nodes,
        told=settings.xml_header_elements,
        namespace=settings.xml_namespace_chars,
    )
    body = BodyLimits(
        head=settings.soap_bytes,
        attachments=settings.attachments,
        depth=settings.multipart_depth,
        nested=settings.multiparts,
        mime=replace(mime, excess=BodyLimits().mime.excess),
        xml=xml,
    )
    transport = TransportLimits(
        head=settings.soap_bytes,
        rest_head=settings.rest_head_bytes,
        ocsp=settings.ocsp_bytes,
        ocsp_count=settings.ocsp_parts,
        chain_result=settings.chain_result_bytes,
        chain=settings.chain_bytes,
        signature=settings.signature_bytes,
        fault=settings.fault_bytes,
        attachments=settings.attachments,
        mime=mime,
        xml=xml,
    )
    return body, transport


def new_token() -> str:
    """Thirty random letters for a multipart boundary."""
    # One draw of 30 octets, not 30 draws: four boundaries are made for every exchange.
    return secrets.token_bytes(30).translate(_LETTERS).decode("ascii")


def new_uuid() -> str:
    """A random UUID, for exchanges and for faults."""
    return str(uuid.uuid4())
