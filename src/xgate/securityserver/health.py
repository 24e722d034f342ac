"""Is this server able to carry messages? One small check for each thing that it needs.

The rule: a check does what a message would need done and says what it saw; none trusts another's
answer. All run side by side, each for a few seconds at most, and an answer is kept for two, so that
whoever asks often costs nothing. Order and sentences are the reference's where it has the check
(pipeline 14); what it does not look at follows.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import trio

from xgate.algorithms import SHA512, SIGNATURES, signature_uri
from xgate.errors import Fault
from xgate.keepers.report import cause_of
from xgate.securityserver.section import SettingsError
from xgate.securityserver.server import SecurityServer
from xgate.signer.keyring import SignKey
from xgate.signer.token import SignJob

__all__ = ["CHECKS", "Check", "Finding", "Health"]

_SECONDS = 5.0
_KEPT_SECONDS = 2.0

Check = Callable[[SecurityServer], Awaitable[str]]
"""What was seen, for people. :raises Fault: it is not well, by its text."""


class Finding(msgspec.Struct, frozen=True):
    """What one check found; ``text`` is what it saw, or why it is not well."""

    name: str
    ok: bool
    text: str


class Health:
    """All checks of one server, and the switch that says whether it wants work.

    :ivar maintenance: somebody has taken the server out of service.
    """

    def __init__(self, server: SecurityServer) -> None:
        self.maintenance = False
        self._server = server
        self._kept: tuple[float, tuple[Finding, ...]] | None = None
        self._ill: dict[str, str] = {}
        self._turn = trio.Lock()

    async def look(self) -> tuple[Finding, ...]:
        """What all checks find, in their order; at most two seconds old."""
        async with self._turn:
            now = self._server.clock.monotonic()
            if self._kept is not None and now - self._kept[0] < _KEPT_SECONDS:
                return self._kept[1]
            found: dict[str, Finding] = {}

            async def run(name: str, check: Check) -> None:
                found[name] = await self._run(name, check)

            async with trio.open_nursery() as nursery:
                for name, check in CHECKS.items():
                    nursery.start_soon(run, name, check)
            findings = tuple(found[name] for name in CHECKS)
            self._kept = (now, findings)
            return findings

    async def _run(self, name: str, check: Check) -> Finding:
        cause = ""
        text = f"Fetching health check response timed out for: {name}"
        with trio.move_on_after(_SECONDS):
            try:
                found = await check(self._server)
            except Fault as fault:
                text, cause = fault.text, fault.cause
            except Exception as error:  # noqa: BLE001  whatever it is, the server is not well
                text = f"Fetching health check response failed for: {name}"
                cause = cause_of(error)
            else:
                self._ill.pop(name, None)
                return Finding(name, True, found)
        if self._ill.get(name) != text:  # once, not whenever somebody asks
            self._ill[name] = text
            self._server.journal.event("not well", check=name, text=text, cause=cause or None)
        return Finding(name, False, text)


async def _check_hardware(server: SecurityServer) -> str:
    if not server.settings.health.hardware:
        return "not looked at"
    if await server.signer.troubles():
        raise Fault("hsm_non_operational", "At least one HSM are non operational")
    return "all modules work"


async def _check_configuration(server: SecurityServer) -> str:
    conf = server.world.value.globalconf
    conf.check_valid(server.clock.now())
    expires = conf.instances[conf.own].expires
    return "valid" if expires is None else f"valid until {expires.isoformat()}"


async def _check_authentication(server: SecurityServer) -> str:
    """The key is there, its certificate registered and valid, its OCSP response fresh and good."""
    if not server.ring.authentication:
        text = "No authentication key available. Signer might be down."
        raise Fault("internal_error", text)
    key, _ = server.auth_key(server.world.value)
    return f"certificate {key.certificate.serial} valid until {key.certificate.not_after}"


async def _check_signing(server: SecurityServer) -> str:
    """Every client of this server has a key, and each token with such a key signs now."""
    world = server.world.value
    keys: dict[str, SignKey] = {}
    for client in world.serverconf.clients:
        key = server.signing_context(world, client).key
        keys.setdefault(key.token.id, key)
        await trio.lowlevel.checkpoint()
    for key in keys.values():
        signing = partial(_sign_nothing, key)
        await trio.to_thread.run_sync(
            signing, abandon_on_cancel=True, limiter=_one_thread("signing")
        )
    return f"keys for {len(world.serverconf.clients)} clients; their tokens sign"


def _sign_nothing(key: SignKey) -> None:
    """Have the key's token sign what is no message, and forget the signature.

    :raises Fault: it does not; without the token's own words, which may name files.
    """
    algorithm = SIGNATURES[signature_uri(key.key.kind, SHA512)]
    job = SignJob(key.key.id, algorithm, algorithm.digest.of(b"a health check of xgate"))
    (signed,) = key.token.sign([job])
    if isinstance(signed, Fault):
        raise signed.outwards(f"The key of {key.member.short} does not sign: {signed.code}")


async def _check_log(server: SecurityServer) -> str:
    server.messagelog.check_can_log()
    check = server.messagelog.store.check_writable
    try:
        await trio.to_thread.run_sync(check, abandon_on_cancel=True, limiter=_one_thread("log"))
    except Fault as fault:
        raise fault.outwards("The message log cannot be written") from fault
    return "writable"


async def _check_serverconf(server: SecurityServer) -> str:
    try:
        conf = await trio.to_thread.run_sync(
            server.load_serverconf, abandon_on_cancel=True, limiter=_one_thread("serverconf")
        )
    except (Fault, SettingsError) as error:
        raise Fault("database_error", "ServerConf is not available", cause=str(error)) from None
    return f"{len(conf.clients)} clients"


async def _check_memory(server: SecurityServer) -> str:
    resident = _resident_megabytes()
    most = server.settings.health.memory_megabytes
    if most and resident >= most:
        raise Fault("internal_error", f"Memory usage above threshold: {resident} of {most} MB")
    return f"{resident} MB resident"


def _resident_megabytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


_LIMITERS: trio.lowlevel.RunVar[dict[str, trio.CapacityLimiter]] = trio.lowlevel.RunVar("health")


def _one_thread(store: str) -> trio.CapacityLimiter:
    """A store that hangs holds one thread, and none that messages or another check need."""
    try:
        limiters = _LIMITERS.get()
    except LookupError:
        limiters = {}
        _LIMITERS.set(limiters)
    return limiters.setdefault(store, trio.CapacityLimiter(1))


CHECKS: dict[str, Check] = {
    "Hardware Security Modules status": _check_hardware,
    "Global conf validity": _check_configuration,
    "Authentication key OCSP status": _check_authentication,
    "Server conf database status": _check_serverconf,
    "Proxy memory usage status": _check_memory,
    "Signing keys": _check_signing,
    "Message log": _check_log,
}
"""Every check by the name that people see, in the order in which the first refusal is told."""
