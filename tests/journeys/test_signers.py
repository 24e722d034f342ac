"""Two servers whose keys are in signers' processes: messages pass, keys never come near them.

Servers and signers are processes, as users run them, so that the kernel can be asked what is in
each, and so that one can be killed without the other.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import trio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.journeys.fault_table import assert_in_table

from xgate.clock import SystemClock
from xgate.net.fetch import fetch
from xgate.sandbox.authority import Authority
from xgate.sandbox.background import Running
from xgate.sandbox.country import Country, found_country
from xgate.sandbox.desk import Desk
from xgate.sandbox.lines import Lines
from xgate.sandbox.pair import (
    ServerProcess,
    serve_surroundings,
    start_process,
    start_signer,
)
from xgate.sandbox.places import Place
from xgate.signer.entries import StoredCertificate
from xgate.signer.registry import change_certificate
from xgate.signer.store import change_store, read_store
from xgate.testing.pki import Key

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply

    Calling = Callable[[Running], Caller]

WITH_SIGNERS = {"[keys]\n": '[keys]\nsigner = "run/signer.sock"\n'}
WITH_HEALTH = {"[globalconf]": '[health]\nhost = "127.0.0.1"\nport = 0\n\n[globalconf]'}
RECOVERY = 30.0


async def readiness(server: ServerProcess) -> tuple[int, dict[str, str]]:
    """Status, and what is not well, by name."""
    lines = map(json.loads, server.log.read_bytes().splitlines())
    port = next(line["health"] for line in lines if line["event"] == "serving")
    answer = await fetch(f"http://127.0.0.1:{port}/readyz")
    checks = json.loads(answer.body)["checks"]
    return answer.status, {check["name"]: check["text"] for check in checks if not check["ok"]}


class Ensemble:
    """Two servers, their signers, and somebody who calls."""

    def __init__(self, caller: Caller, desk: Desk) -> None:
        self.caller = caller
        self.desk = desk
        self.servers: dict[str, ServerProcess] = {}
        self.signers: dict[str, ServerProcess] = {}
        self.acknowledged: list[str] = []
        self._ids = (f"message-{number}" for number in count(1))

    @property
    def places(self) -> tuple[Place, Place]:
        return self.caller.country.places

    async def start_signers(self) -> None:
        for place in self.places:
            self.signers[place.name] = await start_signer(place)

    async def start_servers(self) -> None:
        async with trio.open_nursery() as nursery:
            for place in self.places:
                nursery.start_soon(self._start_server, place)

    async def _start_server(self, place: Place) -> None:
        self.servers[place.name] = await start_process(place)

    async def call(self) -> Reply:
        query_id = next(self._ids)
        reply = await self.caller.rest("POST", "/echo", [("X-Road-Id", query_id)], b"body")
        if not reply.code:
            self.acknowledged.append(query_id)
        return reply

    async def wait_served(self) -> None:
        with trio.fail_after(RECOVERY):
            while (await self.call()).code:  # noqa: ASYNC110  it asks
                await trio.sleep(0.05)

    def end_all(self) -> None:
        for process in (*self.servers.values(), *self.signers.values()):
            process.process.kill()
            process.process.wait()


@asynccontextmanager
async def ensemble(country: Country, calling: Calling) -> AsyncIterator[Ensemble]:
    clock = SystemClock()
    authority = Authority(country, clock)
    desk = Desk()
    async with trio.open_nursery() as nursery:

        async def serve(task_status: trio.TaskStatus[None]) -> None:
            await serve_surroundings(
                country, clock, services=desk.serve, authority=authority, task_status=task_status
            )

        await nursery.start(serve)
        with ExitStack() as opened:
            caller = calling(Running(country, authority, Lines(), Lines()))
            opened.callback(caller.close)
            made = Ensemble(caller, desk)
            opened.callback(made.end_all)
            yield made
        nursery.cancel_scope.cancel()


async def test_messages_pass_and_are_proven(
    found: Callable[..., Country], calling: Calling
) -> None:
    async with ensemble(found(WITH_SIGNERS), calling) as all_:
        await all_.start_signers()
        await all_.start_servers()
        await all_.wait_served()
        rest, soap = await all_.call(), await all_.caller.soap("tell", "soap")
        assert (rest.code, soap.code) == ("", "")
        for process in (*all_.servers.values(), *all_.signers.values()):
            assert await process.stop() == 0
        for query_id in (*all_.acknowledged, "soap"):
            assert all_.caller.counts(query_id) == [2, 2]
            for records in all_.caller.records(query_id):
                assert all(record.record.evidence.signature for record in records)


async def test_servers_may_be_there_before_their_signers(
    found: Callable[..., Country], calling: Calling
) -> None:
    async with ensemble(found(WITH_SIGNERS), calling) as all_:
        await all_.start_servers()
        reply = await all_.call()
        assert reply.code == "server.clientproxy.ssl_authentication_failed"
        assert "is xgate signer running?" in reply.text
        await all_.start_signers()
        await all_.wait_served()


async def test_a_certificate_that_the_configuration_lists_becomes_registered_by_itself(
    found: Callable[..., Country], calling: Calling
) -> None:
    def unknown(stored: StoredCertificate) -> StoredCertificate:
        return msgspec.structs.replace(stored, status="registration in progress")

    async with ensemble(found(WITH_SIGNERS), calling) as all_:
        store = all_.places[0].folder / "keys.xgate"
        (auth,) = (e for e in read_store(store).keys if e.usage == "AUTHENTICATION")
        name = auth.certificates[0].id
        change_store(store, lambda known: change_certificate(known, name, unknown))
        await all_.start_signers()
        await all_.start_servers()
        await all_.wait_served()
        (auth,) = (e for e in read_store(store).keys if e.usage == "AUTHENTICATION")
        assert auth.certificates[0].status == "registered"


async def test_a_killed_signer_costs_time_and_no_message(
    found: Callable[..., Country], calling: Calling
) -> None:
    async with ensemble(found(WITH_SIGNERS), calling) as all_:
        await all_.start_signers()
        await all_.start_servers()
        await all_.wait_served()
        over = trio.Event()

        async def load() -> None:
            while not over.is_set():
                await all_.call()

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(load)
            for name, place in zip(all_.signers, all_.places, strict=True):
                await trio.sleep(0.3)
                all_.signers[name].process.send_signal(signal.SIGKILL)
                all_.signers[name].process.wait()
                all_.signers[name] = await start_signer(place)
            before = len(all_.acknowledged)
            with trio.fail_after(RECOVERY):
                while len(all_.acknowledged) < before + 20:  # noqa: ASYNC110  it watches
                    await trio.sleep(0.02)
            over.set()
        for query_id in all_.acknowledged:
            assert all_.caller.counts(query_id) == [2, 2]
        assert len(set(all_.acknowledged)) == len(all_.acknowledged)
        for server in all_.servers.values():
            assert b'"event":"signer lost"' in server.log.read_bytes()


async def test_a_signer_that_stays_away_is_named_in_the_refusal(
    found: Callable[..., Country], calling: Calling
) -> None:
    async with ensemble(found(WITH_SIGNERS | WITH_HEALTH), calling) as all_:
        await all_.start_signers()
        await all_.start_servers()
        await all_.wait_served()
        assert await readiness(all_.servers["consumer"]) == (200, {})
        assert await all_.signers["consumer"].stop() == 0
        reply = await all_.call()
        assert "signer.token_not_available" in reply.text
        with trio.fail_after(RECOVERY):
            while (seen := await readiness(all_.servers["consumer"]))[0] == 200:  # noqa: ASYNC110  it asks
                await trio.sleep(0.05)
        status, ill = seen
        assert status == 503
        assert set(ill) == {"Signing keys"}
        assert ill["Signing keys"].endswith("does not sign: token_not_available")
        assert "The signer is not there" in reply.text
        soap = await all_.caller.soap("tell", "away-1")
        assert soap.code == "server.clientproxy.cannot_create_signature.internal_error", soap.text
        assert "signer.sock" not in reply.text
        all_.signers["consumer"] = await start_signer(all_.places[0])
        await all_.wait_served()


async def test_a_signer_that_goes_while_the_service_works_is_told_of_behind_the_answer(
    found: Callable[..., Country], calling: Calling
) -> None:
    replies: list[Reply] = []
    async with ensemble(found(WITH_SIGNERS), calling) as all_:
        await all_.start_signers()
        await all_.start_servers()
        await all_.wait_served()

        async def ask() -> None:
            replies.append(await all_.caller.rest("GET", "/wait", [("X-Road-Id", "left-1")]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await all_.desk.waiting.wait()
            assert await all_.signers["provider"].stop() == 0
            all_.desk.gate.set()
        assert all_.caller.counts("left-1") == [1, 1], "both requests, and no answer"

    (reply,) = replies
    assert reply.code == "server.serverproxy.cannot_create_signature.internal_error"
    assert_in_table(reply.code, reply.text)


async def test_a_signer_that_hangs_does_not_take_its_server_along(
    found: Callable[..., Country], calling: Calling
) -> None:
    async with ensemble(found(WITH_SIGNERS), calling) as all_:
        await all_.start_signers()
        await all_.start_servers()
        await all_.wait_served()
        all_.signers["consumer"].process.send_signal(signal.SIGSTOP)
        with trio.fail_after(RECOVERY):
            reply = await all_.call()
            assert "signer.token_not_available" in reply.text
            listed = await all_.caller.send("GET", "/listClients")
        assert listed.status == 200, "what needs no key is served"
        all_.signers["consumer"].process.send_signal(signal.SIGCONT)
        await all_.wait_served()


# --- what is in the processes ---


def secrets_of(key: Key) -> list[bytes]:
    """The octets by which a private key would be found in memory, in both orders."""
    numbers = key.private_numbers()
    if isinstance(numbers, rsa.RSAPrivateNumbers):
        found = [numbers.p, numbers.q, numbers.d, numbers.dmp1, numbers.dmq1]
    else:
        assert isinstance(numbers, ec.EllipticCurvePrivateNumbers)
        found = [numbers.private_value]
    octets = [number.to_bytes((number.bit_length() + 7) // 8, "big") for number in found]
    return [piece for one in octets for piece in (one[:24], one[::-1][:24], one[-24:])]


def memory_of(pid: int) -> Iterator[bytes]:
    """All that a process can write to, piece by piece."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, mode, *rest = line.split()
            if "r" not in mode or "w" not in mode or rest[-1] in ("[vvar]", "[vsyscall]"):
                continue
            begin, end = (int(text, 16) for text in span.split("-"))
            memory.seek(begin)
            try:
                yield memory.read(end - begin)
            except OSError:
                continue


def found_in(pid: int, secrets: list[bytes]) -> bool:
    return any(secret in piece for piece in memory_of(pid) for secret in secrets)


def check_nothing_secret_is_open(pid: int, pin: bytes) -> None:
    process = Path(f"/proc/{pid}")
    for name in ("environ", "cmdline"):
        assert pin not in (process / name).read_bytes()
    opened = [str(path.readlink()) for path in (process / "fd").iterdir()]
    assert not [path for path in opened if "keys.xgate" in path or path.endswith("pin")]
    assert "keys.xgate" not in (process / "maps").read_text()


@pytest.mark.parametrize("kind", ["RSA-2048", "P-256"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a process that hides itself")
async def test_the_servers_hold_no_key_and_no_pin(
    tmp_path: Path, calling: Calling, kind: str
) -> None:
    country = found_country(tmp_path, SystemClock().now(), kind=kind, signers=True)  # type: ignore[arg-type]
    async with ensemble(country, calling) as all_:
        await all_.start_signers()
        await all_.start_servers()
        with trio.fail_after(RECOVERY):
            while (await all_.caller.rest("GET", "/1", service="people")).code:  # noqa: ASYNC110
                await trio.sleep(0.05)
        for place in all_.places:
            server, signer = (
                processes[place.name].process.pid for processes in (all_.servers, all_.signers)
            )
            pin = (place.folder / "pin").read_bytes().strip()
            for secrets in (secrets_of(place.sign.key), secrets_of(place.auth.key)):
                assert found_in(signer, secrets), "the search finds what is there"
                assert not found_in(server, secrets)
            assert not found_in(server, [pin])
            check_nothing_secret_is_open(server, pin)
