"""Who a server is towards information systems: by its files, as they are now."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from xgate.errors import Fault
from xgate.net.context import PrivateKey
from xgate.securityserver.internal_certificate import key_pem, new_key, self_signed
from xgate.securityserver.internal_identity import InternalIdentity, load_internal_identity
from xgate.securityserver.section import SettingsError
from xgate.securityserver.tls_settings import TlsSettings
from xgate.testing.clock import FakeClock

NAMED = TlsSettings("cert.pem", "key.pem")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def put(folder: Path, clock: FakeClock, key: PrivateKey | None = None) -> bytes:
    """A key and its certificate, whose DER it is; ``key`` is put instead of that key."""
    mine = new_key("ec")
    made = self_signed(mine, ["ss1"], clock.now(), timedelta(days=9))
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key_pem(key or mine))
    return made.public_bytes(Encoding.DER)


def test_a_certificate_of_its_own_is_made_when_none_is_named(clock: FakeClock) -> None:
    one, two = (load_internal_identity(TlsSettings(), Path(), clock.now()) for _ in range(2))
    certificate = x509.load_der_x509_certificate(one.chain[0])
    assert certificate.not_valid_before_utc < clock.now() < certificate.not_valid_after_utc
    assert one.chain != two.chain
    assert InternalIdentity(TlsSettings(), Path(), clock).paths == ()


def test_named_files_are_used_or_refused_by_name(tmp_path: Path, clock: FakeClock) -> None:
    der = put(tmp_path, clock)
    assert load_internal_identity(NAMED, tmp_path, clock.now()).chain == (der,)
    with pytest.raises(SettingsError, match=r"none\.pem: No such file"):
        load_internal_identity(TlsSettings("none.pem", "key.pem"), tmp_path, clock.now())
    with pytest.raises(SettingsError, match="cannot be read"):
        load_internal_identity(TlsSettings("key.pem", "cert.pem"), tmp_path, clock.now())
    put(tmp_path, clock, new_key("ec"))
    with pytest.raises(SettingsError, match="cannot be used for TLS"):
        InternalIdentity(NAMED, tmp_path, clock)


def test_what_changed_is_shown_once_it_can_be(tmp_path: Path, clock: FakeClock) -> None:
    first = put(tmp_path, clock)
    identity = InternalIdentity(NAMED, tmp_path, clock)
    callers, services = identity.for_callers, identity.for_services
    assert (identity.certificate, identity.paths) == (
        first,
        (tmp_path / "cert.pem", tmp_path / "key.pem"),
    )

    put(tmp_path, clock, new_key("ec"))
    with pytest.raises(Fault, match="cannot be used for TLS"):
        identity.renew()
    (tmp_path / "key.pem").unlink()
    with pytest.raises(Fault, match=r"key\.pem: No such file"):
        identity.renew()
    assert (identity.certificate, identity.for_callers) == (first, callers)

    second = put(tmp_path, clock)
    identity.renew()
    assert identity.certificate == second
    assert identity.for_callers is not callers
    assert identity.for_services is not services
