"""Each thing that messages need is looked at, and what is seen is told."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.sandbox.lines import Lines
from xgate.securityserver import health
from xgate.securityserver.health import CHECKS, Finding, Health
from xgate.securityserver.health_settings import HealthSettings
from xgate.securityserver.journal import Journal
from xgate.securityserver.server import SecurityServer
from xgate.signer.keyring import SignKey
from xgate.signer.signer import SigningContext
from xgate.signer.token import SignJob, TokenKey
from xgate.testing.clock import FakeClock
from xgate.trust.certificate import Certificate


class Checks:
    """Checks that find what they are told, and count how often they are asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.hang = False

    async def __call__(self, _: SecurityServer) -> str:
        self.asked += 1
        if self.hang:
            await trio.sleep_forever()
        if self.error is not None:
            raise self.error
        return "fine"


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Checks:
    check = Checks()
    monkeypatch.setattr(health, "CHECKS", {"Well-being": check})
    return check


def server(clock: FakeClock, lines: Lines | None = None, **parts: Any) -> SecurityServer:
    journal = Journal(clock, (Lines() if lines is None else lines).write)
    return cast("SecurityServer", SimpleNamespace(clock=clock, journal=journal, **parts))


async def test_what_a_check_saw_is_told(check: Checks) -> None:
    assert await Health(server(FakeClock())).look() == (Finding("Well-being", True, "fine"),)


async def test_an_answer_is_kept_for_two_seconds(check: Checks) -> None:
    clock = FakeClock()
    asked = Health(server(clock))
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(asked.look)
    assert check.asked == 1
    check.error = Fault("any", "worse")
    clock.advance(1.9)
    assert (await asked.look())[0].ok
    clock.advance(0.2)
    assert await asked.look() == (Finding("Well-being", False, "worse"),)
    assert check.asked == 2


async def test_a_check_that_breaks_is_a_finding_without_its_words(check: Checks) -> None:
    check.error = RuntimeError("secret")
    (finding,) = await Health(server(FakeClock())).look()
    text = "Fetching health check response failed for: Well-being"
    assert finding == Finding("Well-being", False, text)


async def test_what_makes_it_ill_is_told_once_in_the_log_with_its_cause(check: Checks) -> None:
    clock, lines = FakeClock(), Lines()
    asked = Health(server(clock, lines))

    async def look_again() -> None:
        clock.advance(3)
        await asked.look()

    check.error = Fault("any", "the log cannot be written", cause="10.0.0.7 is away")
    await look_again()
    await look_again()
    check.error = RuntimeError("a defect")
    await look_again()
    check.error = None
    await look_again()
    check.error = Fault("any", "the log cannot be written")
    await look_again()
    assert [(line["event"], str(line["text"]).split(":")[0]) for line in lines] == [
        ("not well", "the log cannot be written"),
        ("not well", "Fetching health check response failed for"),
        ("not well", "the log cannot be written"),
    ]
    causes = [str(line.get("cause")).splitlines()[-1] for line in lines]
    assert causes == ["10.0.0.7 is away", "RuntimeError: a defect", "None"]


async def test_the_words_of_a_store_stay_here() -> None:
    def check_writable() -> None:
        raise Fault("logging_failed.database_error", "connection to 10.0.0.7 failed")

    store = SimpleNamespace(check_writable=check_writable)
    log = SimpleNamespace(store=store, check_can_log=lambda: None)
    with pytest.raises(Fault) as refused:
        await CHECKS["Message log"](server(FakeClock(), messagelog=log))
    assert refused.value.text == "The message log cannot be written"
    assert refused.value.cause == "connection to 10.0.0.7 failed"


async def test_a_check_that_hangs_is_given_five_seconds(
    check: Checks, autojump_clock: MockClock
) -> None:
    check.hang = True
    (finding,) = await Health(server(FakeClock())).look()
    text = "Fetching health check response timed out for: Well-being"
    assert finding == Finding("Well-being", False, text)
    assert trio.current_time() == pytest.approx(5)


@pytest.mark.parametrize(("most", "well"), [(0, True), (1, False), (1 << 20, True)])
async def test_memory_is_held_against_the_threshold(most: int, well: bool) -> None:
    settings = SimpleNamespace(health=HealthSettings(memory_megabytes=most))
    ask = CHECKS["Proxy memory usage status"]
    try:
        said = await ask(server(FakeClock(), settings=settings))
    except Fault as fault:
        said = fault.text
    assert said.startswith("Memory usage above threshold") is not well
    assert " MB" in said


async def test_a_server_without_an_authentication_key_is_not_well() -> None:
    ring = SimpleNamespace(authentication=())
    with pytest.raises(Fault, match="No authentication key available"):
        await CHECKS["Authentication key OCSP status"](server(FakeClock(), ring=ring))


async def test_a_store_that_hangs_makes_no_other_ill() -> None:
    end = threading.Event()
    store = SimpleNamespace(check_writable=lambda: None)
    log = SimpleNamespace(store=store, check_can_log=lambda: None)
    world = SimpleNamespace(clients=())
    ill = server(FakeClock(), load_serverconf=lambda: end.wait(60) and world, messagelog=log)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(CHECKS["Server conf database status"], ill)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(30):
            assert await CHECKS["Message log"](ill) == "writable"
        end.set()


class Modules:
    """A key holder whose modules are as told."""

    def __init__(self, *troubles: str) -> None:
        self._troubles = troubles

    async def troubles(self) -> tuple[str, ...]:
        return self._troubles


async def test_modules_that_do_not_work_count_when_it_is_set() -> None:
    ask = CHECKS["Hardware Security Modules status"]

    def having(hardware: bool, *troubles: str) -> SecurityServer:
        settings = SimpleNamespace(health=HealthSettings(hardware=hardware))
        return server(FakeClock(), settings=settings, signer=Modules(*troubles))

    assert await ask(having(False, "[card] shows no slots")) == "not looked at"
    assert await ask(having(True)) == "all modules work"
    with pytest.raises(Fault, match="At least one HSM are non operational") as refused:
        await ask(having(True, "[card] shows no slots"))
    assert refused.value.code == "hsm_non_operational"


class Token:
    """Holds keys and signs with them, as long as it does."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.jobs: list[SignJob] = []
        self.fault: Fault | None = None

    def keys(self) -> Sequence[TokenKey]:
        return ()

    def sign(self, jobs: Sequence[SignJob]) -> Sequence[bytes | Fault]:
        self.jobs += jobs
        return [self.fault or b"signed"] * len(jobs)


def having_keys(*tokens: Token) -> SecurityServer:
    """A server of one client for each token; the client's key is on it."""
    clients = {ClientId("XG", "COM", str(n), None): token for n, token in enumerate(tokens)}

    def context(_: object, client: ClientId) -> SigningContext:
        key = TokenKey(f"key-{client.member_code}", "", b"", "rsa")
        return SigningContext(SignKey(client, cast("Certificate", None), key, clients[client]), b"")

    conf = SimpleNamespace(serverconf=SimpleNamespace(clients=clients))
    return server(FakeClock(), world=SimpleNamespace(value=conf), signing_context=context)


async def test_each_token_that_keys_are_on_is_asked_to_sign_once() -> None:
    soft, card = Token("soft"), Token("card")
    said = await CHECKS["Signing keys"](having_keys(soft, card, soft))
    assert said == "keys for 3 clients; their tokens sign"
    assert [[job.key_id for job in token.jobs] for token in (soft, card)] == [["key-0"], ["key-1"]]


async def test_a_token_that_does_not_sign_makes_ill_and_its_words_stay_here() -> None:
    soft, card = Token("soft"), Token("card")
    card.fault = Fault("cannot_sign", "the device at /dev/secret is on fire")
    with pytest.raises(Fault) as refused:
        await CHECKS["Signing keys"](having_keys(soft, card))
    assert str(refused.value) == "cannot_sign: The key of XG/COM/1 does not sign: cannot_sign"
