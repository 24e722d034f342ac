"""A country whose every connection passes through a piece of network that can be bad.

One ``FaultProxy`` stands between each pair: servers and the authorities, the two servers, the
information systems and theirs, and, where it is asked for, servers and their database.

The rule: servers know nothing of it: they are told other ports, by the configuration and by their
settings, as an operator would tell them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import trio

from xgate.globalconf.shared import SharedParameters
from xgate.sandbox.places import Country
from xgate.sandbox.publication import VALID_FOR, describe_country, publish_country
from xgate.testing.fault_proxy import FaultProxy

__all__ = ["Wires"]


class Wires:
    """The proxies of one country; ``lay`` them, then ``run`` them in a nursery.

    :ivar conf: servers to the configuration source. :ivar ocsp: to the OCSP responder.
    :ivar tsa: to the timestamping service.
    :ivar peers: the consumer's server to the provider's. :ivar peers_ocsp: the same for OCSP.
    :ivar client: the consumer's information system to its server.
    :ivar services: the provider's server to its information system.
    :ivar database: servers to their database, if there is one.
    """

    def __init__(
        self, country: Country, *, seed: int | str = 0, database: Path | None = None
    ) -> None:
        """:param database: the Unix socket of a database, which gets a port."""
        ports, consumer, provider = country.ports, country.consumer, country.provider
        authority, services = ("127.0.0.1", ports.authority), ("127.0.0.1", ports.services)
        server, responder = (provider.address, ports.server), (provider.address, ports.ocsp)
        front = (consumer.address, ports.client)
        self.conf = FaultProxy(authority, seed=f"{seed}/conf")
        self.ocsp = FaultProxy(authority, seed=f"{seed}/ocsp")
        self.tsa = FaultProxy(authority, seed=f"{seed}/tsa")
        self.peers = FaultProxy(server, host=server[0], seed=f"{seed}/peers")
        self.peers_ocsp = FaultProxy(responder, host=responder[0], seed=f"{seed}/peers_ocsp")
        self.client = FaultProxy(front, host=front[0], seed=f"{seed}/client")
        self.services = FaultProxy(services, seed=f"{seed}/services")
        self.database = None
        if database is not None:
            self.database = FaultProxy(database, seed=f"{seed}/database")
        self._country = country

    def __iter__(self) -> Iterator[FaultProxy]:
        """All of them."""
        yield from (self.conf, self.ocsp, self.tsa, self.peers, self.peers_ocsp)
        yield from (self.client, self.services)
        if self.database is not None:
            yield self.database

    def lay(self, now: datetime) -> None:
        """Lead everyone through them who has not started yet; the database is the settings'."""
        self.publish(now)
        ports = self._country.ports
        self._change(
            self._country.consumer.settings,
            {
                f"[peers]\nserver-port = {ports.server}\n": "[peers]\n"
                f"server-port = {self.peers.port}\n",
                f"\nocsp-port = {ports.ocsp}\n\n[globalconf]": "\n"
                f"ocsp-port = {self.peers_ocsp.port}\n\n[globalconf]",
            },
        )
        self._change(
            self._country.provider.settings,
            {f"http://127.0.0.1:{ports.services}": f"http://127.0.0.1:{self.services.port}"},
        )

    def describe(self) -> SharedParameters:
        """The country's shared parameters, in which the authorities are behind the proxies."""
        through = self._with_authority(self.ocsp.port)
        services = describe_country(self._with_authority(self.tsa.port)).timestamping_services
        sources = describe_country(self._with_authority(self.conf.port)).sources
        return msgspec.structs.replace(
            describe_country(through), sources=sources, timestamping_services=services
        )

    def publish(
        self,
        now: datetime,
        shared: SharedParameters | None = None,
        *,
        valid_for: timedelta = VALID_FOR,
    ) -> None:
        """Publish the configuration. :param shared: None: as ``describe`` gives it."""
        country = self._with_authority(self.conf.port)
        publish_country(country, now, shared or self.describe(), valid_for=valid_for)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            for proxy in self:
                await nursery.start(proxy.run)
            task_status.started()

    def _with_authority(self, port: int) -> Country:
        ports = msgspec.structs.replace(self._country.ports, authority=port)
        return msgspec.structs.replace(self._country, ports=ports)

    @staticmethod
    def _change(settings: Path, changes: dict[str, str]) -> None:
        text = settings.read_text()
        for old, new in changes.items():
            if old not in text:
                raise ValueError(f"{settings} does not say {old!r}")
            text = text.replace(old, new)
        settings.write_text(text)
