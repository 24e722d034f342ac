"""Who may speak for a client: each mode, each refusal in the reference's words and order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from xgate.errors import Fault
from xgate.ids import ClientId, ServerId
from xgate.policy.admit import Caller, check_caller, check_registered
from xgate.serverconf.model import Authentication, Client, ServerConf
from xgate.testing.clock import FakeClock
from xgate.testing.pki import make_ca

MEMBER = ClientId("XG", "COM", "1")
SUB = ClientId("XG", "COM", "1", "app")
NOW = FakeClock().now()
PLAIN = Caller(secure=False)
ANONYMOUS = Caller(secure=True)
KNOWN = Caller(secure=True, certificate=b"known")
STRANGER = Caller(secure=True, certificate=b"stranger")
OWN = Caller(secure=True, certificate=b"own")
WITHOUT_CERTIFICATE = "specifies HTTPS but did not supply TLS certificate"


def client(mode: Authentication, *certificates: bytes) -> Client:
    return Client(SUB, mode, frozenset(certificates))


def refusal(client: Client, caller: Caller, own: bytes | None = b"own") -> str:
    with pytest.raises(Fault) as caught:
        check_caller(client, caller, own)
    assert caught.value.code == "ssl_authentication_failed"
    return caught.value.text


@pytest.mark.parametrize("caller", [PLAIN, ANONYMOUS, STRANGER])
def test_without_tls_demanded_everyone_may(caller: Caller) -> None:
    check_caller(client(Authentication.NOSSL), caller)


@pytest.mark.parametrize("caller", [ANONYMOUS, STRANGER])
def test_tls_without_certificate_is_enough_where_only_tls_is_demanded(caller: Caller) -> None:
    check_caller(client(Authentication.SSLNOAUTH, b"known"), caller)


def test_a_plaintext_connection_is_not() -> None:
    assert refusal(client(Authentication.SSLNOAUTH), PLAIN) == (
        "Client (SUBSYSTEM:XG/COM/1/app) specifies HTTPS NO AUTH but client made plaintext "
        "connection"
    )


def test_a_listed_certificate_is_accepted_and_our_own() -> None:
    mode = Authentication.SSLAUTH
    check_caller(client(mode, b"other", b"known"), KNOWN)
    check_caller(client(mode), OWN, b"own")


@pytest.mark.parametrize(
    ("listed", "caller", "said"),
    [
        ([b"known"], PLAIN, WITHOUT_CERTIFICATE),
        ([b"known"], Caller(secure=False, certificate=b"known"), WITHOUT_CERTIFICATE),
        ([b"known"], ANONYMOUS, WITHOUT_CERTIFICATE),
        ([], ANONYMOUS, WITHOUT_CERTIFICATE),
        ([], STRANGER, "has no IS certificates"),
        ([b"known"], STRANGER, "TLS certificate does not match any IS certificates"),
        ([b"known"], Caller(True, b"known!"), "TLS certificate does not match any IS certificates"),
        ([b"known"], Caller(True, b""), "TLS certificate does not match any IS certificates"),
    ],
)
def test_refusals_of_a_client_that_demands_a_certificate(
    listed: list[bytes], caller: Caller, said: str
) -> None:
    demanding = client(Authentication.SSLAUTH, *listed)
    assert refusal(demanding, caller) == f"Client (SUBSYSTEM:XG/COM/1/app) {said}"


@pytest.mark.parametrize(
    ("days", "said"),
    [(-2, "TLS certificate is not yet valid"), (0, None), (400, "TLS certificate is expired")],
)
def test_a_certificates_period_counts_where_that_is_asked_for(days: int, said: str | None) -> None:
    day = timedelta(days=1)
    issued = make_ca("system", not_before=NOW - day, not_after=NOW + 30 * day)
    der = issued.certificate.der
    strict = client(Authentication.SSLAUTH, der)
    caller, now = Caller(True, der), NOW + days * day
    check_caller(strict, caller)
    check_caller(client(Authentication.SSLNOAUTH), caller, None, now)
    check_caller(strict, caller, der, now)  # our own is never too old
    if said is None:
        check_caller(strict, caller, b"own", now)
        return
    with pytest.raises(Fault, match=f"Client .+ {said}"):
        check_caller(strict, caller, b"own", now)


def test_a_certificate_that_tells_no_period_has_none() -> None:
    with pytest.raises(Fault, match="tells no period"):
        check_caller(client(Authentication.SSLAUTH, b"known"), KNOWN, None, NOW)


def test_no_certificate_is_not_our_own_when_we_have_none() -> None:
    said = refusal(client(Authentication.SSLAUTH, b"known"), ANONYMOUS, own=None)
    assert WITHOUT_CERTIFICATE in said


def test_only_the_client_itself_is_registered_not_its_member_nor_its_subsystems() -> None:
    conf = ServerConf(ServerId(MEMBER, "SS"), {SUB: client(Authentication.NOSSL)})
    assert check_registered(conf, SUB).id == SUB
    for other in (MEMBER, ClientId("XG", "COM", "1", "App"), ClientId("YY", "COM", "1", "app")):
        with pytest.raises(Fault) as caught:
            check_registered(conf, other)
        assert (caught.value.code, caught.value.text) == (
            "unknown_member",
            f"Client '{other}' not found",
        )
