"""The suite for third parties: it holds against the shipped tokens, and finds bad ones out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from xgate.errors import Fault
from xgate.signer.devices import ModuleSettings
from xgate.signer.pkcs11 import Pkcs11Module
from xgate.signer.sealed_token import SealedToken
from xgate.signer.software import PrivateKey, SoftwareToken
from xgate.signer.store import write_store
from xgate.signer.token import ManagedToken, SignJob
from xgate.testing.signingtoken import ManagedTokenDuties, Opened, SigningTokenDuties
from xgate.testing.softhsm import SoftHsm

KEYS: dict[str, tuple[str, PrivateKey]] = {
    "R": ("rsa", rsa.generate_private_key(65537, 2048)),
    "E": ("ec", ec.generate_private_key(ec.SECP384R1())),
}


class TestSoftware(SigningTokenDuties):
    @pytest.fixture
    def token(self) -> SoftwareToken:
        return SoftwareToken(KEYS)


class TestSealed(ManagedTokenDuties):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Opened:
        write_store(tmp_path / "keys.xgate", "secret pin", [])
        return Opened(SealedToken(tmp_path / "keys.xgate"), "secret pin", "another pin")

    @pytest.fixture
    def token(self, opened: Opened) -> ManagedToken:
        return with_keys(opened)


class TestSoftHsm(ManagedTokenDuties):
    @pytest.fixture
    def opened(self, softhsm: SoftHsm) -> Iterator[Opened]:
        softhsm.make_token("duties", "secret pin", "secret so pin")
        settings = ModuleSettings(type="softhsm", library=str(softhsm.library))
        module = Pkcs11Module(settings)
        try:
            yield Opened(module.tokens()[0], "secret pin", "another pin")
        finally:
            module.close()

    @pytest.fixture
    def token(self, opened: Opened) -> ManagedToken:
        return with_keys(opened)


def with_keys(opened: Opened) -> ManagedToken:
    opened.token.login(opened.pin)
    opened.token.generate("rsa", "first")
    opened.token.generate("ecdsa", "second")
    return opened.token


class Confused(SoftwareToken):
    """Mixes up what it was given together."""

    def sign(self, jobs: Sequence[SignJob]) -> Sequence[bytes | Fault]:
        return super().sign(jobs[::-1])


def test_a_token_that_mixes_up_a_batch_is_found_out() -> None:
    with pytest.raises(AssertionError):
        SigningTokenDuties().test_a_batch_is_answered_in_order(Confused(KEYS))
