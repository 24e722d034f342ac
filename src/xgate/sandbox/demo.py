"""The demo: a country is founded, its servers run, messages travel, and the evidence is proven.

The rule: everything shown is done for real and checked; the tale is told step by step through
``tell``, the numbers are returned. What does not hold ends the demo with its cause.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec
import trio

from xgate.clock import Clock
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.disk import read_disk
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.sqlite import SqliteStore
from xgate.net.fetch import Response, fetch
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, Place, found_country
from xgate.sandbox.messages import multipart_related, rest_url, soap_request
from xgate.sandbox.pair import ServerProcess, serve_surroundings, start_process, start_signer
from xgate.trust.verify import verify_container
from xgate.wire.fields import find_header

__all__ = ["DemoError", "DemoResult", "run_demo"]

Tell = Callable[[str], None]

_TOGETHER = 25
_READY_SECONDS = 15.0
_STAMP_SECONDS = 15.0


class DemoError(Exception):
    """Something that the demo shows did not hold; the text says what was seen."""


class DemoResult(msgspec.Struct, frozen=True):
    """What was done: messages by protocol, containers verified, seconds, megabytes in all."""

    ok: bool
    rest: int
    soap: int
    refused: int
    asic_verified: int
    seconds: float
    memory_mb: float
    evidence: str


async def run_demo(
    folder: Path,
    clock: Clock,
    tell: Tell,
    *,
    keep: bool = False,
    signers: bool = False,
    hsm: Path | None = None,
) -> DemoResult:
    """Tell the whole tale in ``folder`` (exists, empty); with ``keep``, run on until cancelled.

    :param signers: the servers leave their keys to signers' processes.
    :param hsm: SoftHSM2's library: the keys are on tokens of it, which signers' processes use.
    :raises DemoError: something did not hold. :raises NetError: a server did not start.
    :raises SoftHsmError: no token can be made.
    """
    began = clock.monotonic()
    tell("1. Founding a country: authorities, two organisations, keys, a signed configuration")
    found = partial(found_country, folder, clock.now(), signers=signers, hsm=hsm)
    country = await trio.to_thread.run_sync(found)
    tell(f"   everything is in {folder}")
    for place in country.places:
        if place.hardware is not None:
            tell(f"   the keys of {place.id.short} were made on token {place.hardware.token}")
    async with _running(country, clock, tell, signers=signers or hsm is not None) as servers:
        caller = _Caller(country, tell)
        await caller.wait_until_ready()
        await caller.send_rest()
        await caller.send_soap()
        await caller.send_refused()
        await caller.send_together()
        verified = await _prove(country, caller, clock, tell)
        memory = _memory_mb([os.getpid(), *(server.process.pid for server in servers)])
        seconds = clock.monotonic() - began
        tell(f"Done in {seconds:.1f} s with {memory:.0f} MB in all processes together.")
        result = DemoResult(
            ok=True,
            rest=caller.rest,
            soap=caller.soap,
            refused=caller.refused,
            asic_verified=verified,
            seconds=round(seconds, 2),
            memory_mb=round(memory, 1),
            evidence=str(folder / "evidence"),
        )
        if keep:
            _tell_what_to_try(country, tell)
            await trio.sleep_forever()
        return result


@asynccontextmanager
async def _running(
    country: Country, clock: Clock, tell: Tell, *, signers: bool
) -> AsyncIterator[list[ServerProcess]]:
    """The authorities and services in this process, the two servers as processes of their own."""
    servers: list[ServerProcess] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_surroundings, country, clock)
        port = country.ports.authority
        tell(f"2. OCSP responder, timestamping service, configuration: http://127.0.0.1:{port}/")
        tell("3. Starting two security servers, each a process of its own")
        try:
            if signers:
                tell("   and beside each a signer, who alone has its keys")
                for place in country.places:
                    servers.append(await start_signer(place))  # noqa: PERF401  those that run
            for place in (country.consumer, country.provider):
                servers.append(await start_process(place))
                tell(
                    f"   {place.id.short}: clients http://{place.address}:{country.ports.client}/, "
                    f"other servers {place.address}:{country.ports.server} (TLS)"
                )
            yield servers
        finally:
            with trio.CancelScope(shield=True):
                for server in reversed(servers):
                    await server.stop()
            nursery.cancel_scope.cancel()


class _Caller:
    """The consumer's information system: it calls its own server and checks the answers."""

    def __init__(self, country: Country, tell: Tell) -> None:
        self.rest = self.soap = self.refused = 0
        self._country = country
        self._tell = tell
        self._base = f"http://{country.consumer.address}:{country.ports.client}/"

    async def wait_until_ready(self) -> None:
        """Until both servers have the OCSP responses that messages need."""
        with trio.move_on_after(_READY_SECONDS):
            while (answer := await self._rest("GET", "/people/1")).status != 200:
                await trio.sleep(0.1)
            self.rest += 1
            return
        raise DemoError(f"no message got through: {_said(answer)}")

    async def send_rest(self) -> None:
        """REST with and without a body."""
        self._tell("4. REST: the insurance asks the population office")
        answer = self._expect(await self._rest("GET", "/people/2"), b"Kalev")
        self.rest += 1
        self._tell(f"   GET people/2 -> 200 {answer.body.decode()}")
        self._tell(f"   request hash {find_header(answer.headers, 'x-road-request-hash')}")
        body = os.urandom(200_000)
        self._expect(await self._rest("POST", "/echo", body), body)
        self.rest += 1
        self._tell("   POST echo with 200,000 random octets -> the same octets back")

    async def send_soap(self) -> None:
        """SOAP alone, with attachments, and as MTOM."""
        self._tell("5. SOAP: getRandom")
        plain = soap_request(CONSUMER, PROVIDER, "getRandom", "demo-soap-1")
        self._expect(await self._post("text/xml; charset=UTF-8", plain), b"requestHash")
        self._tell("   plain -> answered, the request's hash is in the answer's header")
        files = [("application/pdf", os.urandom(50_000)), ("text/plain", b"hello")]
        for number, mtom in ((2, False), (3, True)):
            envelope = soap_request(CONSUMER, PROVIDER, "getRandom", f"demo-soap-{number}")
            kind, body = multipart_related(envelope, files, mtom=mtom)
            self._expect(await self._post(kind, body), b"<attachments>2</attachments>")
            form = "MTOM" if mtom else "SOAP with attachments"
            self._tell(f"   {form}, 2 files -> the service received both")
        self.soap += 3

    async def send_refused(self) -> None:
        """What must not pass."""
        self._tell("6. What must not pass")
        for service, code in (
            ("secret", "server.serverproxy.access_denied"),
            ("nothing", "server.serverproxy.unknown_service"),
        ):
            answer = await self._rest("GET", "/", service=service)
            error = find_header(answer.headers, "x-road-error")
            if answer.status != 500 or error != code:
                raise DemoError(f"service {service} should be {code}, not {_said(answer)}")
            self.refused += 1
            self._tell(f"   service '{service}' -> {code}")

    async def send_together(self) -> None:
        """Many at once: their signatures are merged."""
        self._tell(f"7. {_TOGETHER} requests at once")

        async def one() -> None:
            self._expect(await self._rest("GET", "/people/3"), b"Olev")
            self.rest += 1

        async with trio.open_nursery() as nursery:
            for _ in range(_TOGETHER):
                nursery.start_soon(one)
        self._tell("   all answered; messages that waited together share a signature")

    async def _rest(
        self, method: str, path: str, body: bytes = b"", *, service: str = "people"
    ) -> Response:
        consumer = self._country.consumer
        url = rest_url(consumer.address, self._country.ports.client, PROVIDER, service, path)
        headers = [("X-Road-Client", CONSUMER.url), ("X-Road-UserId", "XG12345")]
        return await fetch(url, method=method, headers=headers, body=body)

    async def _post(self, content_type: str, body: bytes) -> Response:
        headers = [("Content-Type", content_type), ("SOAPAction", '""')]
        return await fetch(self._base, method="POST", headers=headers, body=body)

    def _expect(self, answer: Response, content: bytes) -> Response:
        if answer.status != 200 or content not in answer.body:
            raise DemoError(f"a message failed: {_said(answer)}")
        return answer


def _said(answer: Response) -> str:
    return f"{answer.status} {answer.body[:500].decode(errors='replace')}"


async def _prove(country: Country, caller: _Caller, clock: Clock, tell: Tell) -> int:
    """Export a container for every logged message, and verify each as a stranger would."""
    tell("8. Evidence: waiting for timestamps, exporting every logged message, verifying")
    conf = read_disk(country.verification, clock.now()).conf
    folder = country.folder / "evidence"
    folder.mkdir()
    verified = 0
    for place in (country.consumer, country.provider):
        count = await _prove_one(place, folder / place.name, conf, tell)
        verified += count
    # Four records an exchange; a request that the provider refused is in the consumer's log only.
    expected = 4 * (caller.rest + caller.soap) + caller.refused
    if verified < expected:
        raise DemoError(f"{expected} messages were acknowledged, {verified} are proven")
    return verified


async def _prove_one(place: Place, folder: Path, conf: GlobalConf, tell: Tell) -> int:
    store = SqliteStore(place.folder / "messagelog.sqlite")
    try:
        with trio.move_on_after(_STAMP_SECONDS) as waiting:
            while store.unstamped(1):
                await trio.sleep(0.1)
        if waiting.cancelled_caught:
            raise DemoError(f"the {place.name}'s log was not timestamped in time")
        folder.mkdir()
        return await trio.to_thread.run_sync(_export, store, folder, conf, place, tell)
    finally:
        store.close()


def _export(store: SqliteStore, folder: Path, conf: GlobalConf, place: Place, tell: Tell) -> int:
    kinds: dict[str, int] = {}
    latest: datetime | None = None
    for logged in store.find():
        name, octets = write_evidence(logged)
        (folder / name).write_bytes(octets)
        proof = verify_container(conf, octets)
        kinds[proof.kind] = kinds.get(proof.kind, 0) + 1
        latest = max(latest or proof.timestamp.gen_time, proof.timestamp.gen_time)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    tell(f"   {place.name}: {sum(kinds.values())} containers verified ({told} signatures),")
    tell(f"   the last one timestamped at {latest:%H:%M:%S} UTC, in {folder}")
    return sum(kinds.values())


def _memory_mb(pids: list[int]) -> float:
    """Proportional set size of these processes: what they really take, shared pages divided."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def _tell_what_to_try(country: Country, tell: Tell) -> None:
    url = rest_url(country.consumer.address, country.ports.client, PROVIDER, "people", "/people/1")
    tell("Still running. Try:")
    tell(f"   curl -i -H 'X-Road-Client: {CONSUMER.url}' {url}")
    echo = url.replace("/people/1", "/echo")
    tell(f"   curl -i -H 'X-Road-Client: {CONSUMER.url}' --data hello {echo}")
    tell(f"   xgate verify {country.folder}/evidence --globalconf {country.verification}")
    tell(f"   xgate doctor --config {country.consumer.settings}")
    tell(f"   tail -f {country.consumer.folder}/server.log {country.provider.folder}/server.log")
    tell("Stop with Ctrl-C.")
