"""A signer at work on a socket of its own: real keys, real connections, nothing else."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from tests.signer.weather import Weather, build_weather

from xgate.cell import Cell
from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.net.drain import Drain
from xgate.net.listen import serve_listeners
from xgate.signer.conversation import converse
from xgate.signer.door import open_door
from xgate.signer.keyring import AuthKey, Keyring, SignKey
from xgate.signer.protocol import SignSeal
from xgate.signer.registration import note_registered
from xgate.signer.service import SignerService
from xgate.signer.signer import Signer, SigningContext
from xgate.signer.software import SoftwareToken
from xgate.signer.token import KeyKind, SignJob, TokenCertificate, TokenKey, TokenState
from xgate.testing.authority import NOW, Authority
from xgate.testing.clock import FakeClock
from xgate.testing.conf import make_conf
from xgate.testing.pki import Credential, issue_auth, make_ec_key
from xgate.testing.softhsm import SoftHsm
from xgate.trust.seal import Seal
from xgate.trust.verify import Evidence, verify_message

MEMBER = ClientId("XG", "COM", "1")
PIN = "Secret1234"


class HeldToken:
    """A software token that a test can hold up, and that people log in to."""

    id = "0"

    def __init__(self, credential: Credential) -> None:
        self._token = SoftwareToken({"K": ("k", credential.key)})
        self.open = threading.Event()
        self.open.set()
        self.active = True
        self.last_try = False
        self.calls = 0

    def keys(self) -> Sequence[TokenKey]:
        return self._token.keys()

    def sign(self, jobs: Sequence[SignJob]) -> Sequence[bytes | Fault]:
        self.calls += 1
        assert self.open.wait(10)
        return self._token.sign(jobs)

    def state(self) -> TokenState:
        return TokenState("softToken-0", "softToken", "ok", available=True, active=self.active)

    def login(self, pin: str, *, force: bool = False) -> None:
        if self.last_try and not force:
            raise Fault("login_failed", "one wrong PIN more locks it")
        if pin != PIN:
            raise Fault("pin_incorrect", "The PIN is not correct")
        self.active = True

    def logout(self) -> None:
        self.active = False

    def generate(self, kind: KeyKind, label: str) -> TokenKey:
        raise Fault("token_readonly", "not here")

    def delete(self, key_id: str) -> None:
        raise Fault("token_readonly", "not here")

    def certificates(self) -> Sequence[TokenCertificate]:
        return ()


class Desk:
    """All there is to a signer, in this process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run" / "signer.sock"
        self.store = folder / "keys.xgate"
        self.authority = Authority()
        self.sign = self.authority.member(MEMBER, key=make_ec_key("desk sign"))
        self.auth = issue_auth(self.authority.ca, "desk", key=make_ec_key("desk auth"))
        self.token = HeldToken(self.sign)
        self.ring = Cell(self.full())
        self._start()
        self.ocsp = self.authority.vouch(self.sign.certificate)
        self.drain = Drain()
        self.wrong: list[str] = []

    def _start(self) -> None:
        self.signer = Signer(FakeClock(NOW))
        note = partial(note_registered, self.store)
        self.service = SignerService(self, self.ring, self.signer, self._look, note)

    def full(self) -> Keyring:
        (key,) = self.token.keys()
        sign = SignKey(MEMBER, self.sign.certificate, key, self.token)
        return Keyring((sign,), (AuthKey(self.auth.certificate, self.auth.key),))

    async def _look(self) -> None:
        self.ring.set(self.full() if self.token.active else Keyring((), ()))

    def all(self) -> Sequence[HeldToken]:
        return [self.token]

    def troubles(self) -> Sequence[str]:
        return self.wrong

    def find(self, token_id: str) -> HeldToken | None:
        return self.token if token_id == self.token.id else None

    def request(self, number: int, seal: Seal) -> SignSeal:
        parts = tuple((part.name, part.digest) for part in seal.parts)
        return SignSeal(number, self.sign.certificate.sha256, self.ocsp, parts)

    def context(self, ring: Keyring) -> SigningContext:
        (key,) = ring.sign_keys(MEMBER)
        return SigningContext(key, self.ocsp)

    def holds(self, evidence: Evidence, seal: Seal) -> bool:
        conf = make_conf(self.authority)
        return verify_message(conf, evidence, seal, MEMBER, NOW).signer == MEMBER

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Callable[[], None]]:
        """The signer at its socket; what is given ends it as a power cut would."""
        self._start()
        door = open_door(self.path)
        serve = partial(converse, service=self.service, drain=self.drain)
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.signer.run)
                await nursery.start(
                    partial(serve_listeners, [door.listener], serve, drain=self.drain)
                )
                yield nursery.cancel_scope.cancel
                nursery.cancel_scope.cancel()
        finally:
            door.close()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def weather_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module with weather, built."""
    return build_weather(tmp_path_factory.mktemp("weather"))


@pytest.fixture
def weather(weather_module: Path, softhsm: SoftHsm) -> Iterator[Weather]:
    """SoftHSM2 with a store of the test's own, in fine weather."""
    weather = Weather(weather_module, softhsm.library)
    yield weather
    weather.clear()
