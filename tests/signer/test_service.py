"""What the signer answers: evidence that verifies, merged over all who ask; or why not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import trio

from xgate.algorithms import SHA512, find_signature, key_verifies, signature_uri
from xgate.signer.entries import KeyEntry, StoredCertificate
from xgate.signer.protocol import (
    Answer,
    Counted,
    Done,
    ListTokens,
    Login,
    Logout,
    Noted,
    NoteRegistered,
    Octets,
    Refused,
    Signatures,
    SignDigests,
    Signed,
    SignSeal,
    SignTls,
    Statistics,
    TokenStates,
)
from xgate.signer.service import public_ring
from xgate.signer.store import read_store, write_store
from xgate.trust.seal import seal_of
from xgate.trust.verify import Evidence

if TYPE_CHECKING:
    from tests.signer.conftest import Desk

ECDSA = signature_uri("ecdsa", SHA512)
SEAL = seal_of(b"<message/>", [b"attachment"])


async def ask(desk: Desk, *requests: SignSeal | SignDigests) -> list[Answer]:
    answers: dict[int, Answer] = {}

    async def one(request: SignSeal | SignDigests) -> None:
        answers[request.id] = await desk.service.answer(request)

    async with desk.running(), trio.open_nursery() as nursery:
        for request in requests:
            nursery.start_soon(one, request)
    return [answers[request.id] for request in requests]


async def test_a_message_is_signed(desk: Desk) -> None:
    (answer,) = await ask(desk, desk.request(1, SEAL))
    assert isinstance(answer, Signed)
    evidence = Evidence(answer.signature, answer.chain_result, answer.chain)
    assert desk.holds(evidence, SEAL)


async def test_what_waits_becomes_one_signature(desk: Desk) -> None:
    answers = await ask(desk, *(desk.request(n, seal_of(b"%d" % n)) for n in range(10)))
    assert all(isinstance(answer, Signed) for answer in answers)
    assert desk.token.calls == 1
    assert await desk.service.answer(Statistics(7)) == Counted(7, {10: 1})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda r: SignSeal(r.id, bytes(32), r.ocsp, r.parts), "cert_not_found"),
        (lambda r: SignSeal(r.id, r.certificate, b"none", r.parts), "incorrect_validation_info"),
        (lambda r: SignSeal(r.id, r.certificate, r.ocsp, ()), "internal_error"),
        (lambda r: SignSeal(r.id, r.certificate, r.ocsp, r.parts[1:]), "internal_error"),
        (lambda r: SignSeal(r.id, r.certificate, r.ocsp, r.parts[:1] * 2), "internal_error"),
        (
            lambda r: SignSeal(r.id, r.certificate, r.ocsp, (("/message.xml", b"short"),)),
            "internal_error",
        ),
    ],
)
async def test_a_request_that_is_wrong_spoils_no_other(
    desk: Desk, change: Callable[[SignSeal], SignSeal], code: str
) -> None:
    good, bad = desk.request(1, SEAL), change(desk.request(2, SEAL))
    first, second = await ask(desk, good, bad)
    assert isinstance(first, Signed)
    assert isinstance(second, Refused)
    assert second.code == code


async def test_a_response_about_another_certificate_is_refused(desk: Desk) -> None:
    good = desk.request(1, SEAL)
    foreign = desk.authority.vouch(desk.auth.certificate)
    (answer,) = await ask(desk, SignSeal(1, good.certificate, foreign, good.parts))
    assert isinstance(answer, Refused)
    assert "another certificate's" in answer.text


async def test_digests_are_signed_or_refused_one_by_one(desk: Desk) -> None:
    digest = SHA512.of(b"octets")
    jobs = (("K", ECDSA, digest), ("none", ECDSA, digest), ("K", ECDSA, b"short"))
    answer = await desk.service.answer(SignDigests(1, "0", jobs))
    assert isinstance(answer, Signatures)
    made, *refused = answer.results
    algorithm = find_signature(ECDSA)
    assert algorithm is not None
    assert isinstance(made, bytes)
    public = desk.sign.certificate.public_key
    assert key_verifies(public, made, b"octets", algorithm.digest, None)
    assert [code for code, _ in refused] == ["key_not_found", "cannot_sign"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (SignDigests(1, "9", ()), "token_not_found"),
        (SignDigests(1, "0", (("K", "urn:none", b""),)), "unsupported_sign_algorithm"),
        (SignDigests(1, "0", (("K", ECDSA, b""),) * 65), "cannot_sign"),
        (SignTls(1, "00" * 32, "rsa", "SHA-256", b""), "cert_not_found"),
        (Login(1, "0", "wrong"), "pin_incorrect"),
        (Logout(1, "9"), "token_not_found"),
    ],
)
async def test_a_refusal_has_its_code(
    desk: Desk, request_: SignDigests | SignTls | Login | Logout, code: str
) -> None:
    answer = await desk.service.answer(request_)
    assert isinstance(answer, Refused)
    assert answer.code == code


async def test_handshakes_are_signed_with_authentication_keys_only(desk: Desk) -> None:
    auth, sign = (c.certificate.sha256.hex() for c in (desk.auth, desk.sign))
    assert isinstance(await desk.service.answer(SignTls(1, auth, "ecdsa", "SHA-256", b"x")), Octets)
    refused = await desk.service.answer(SignTls(1, sign, "ecdsa", "SHA-256", b"x"))
    assert isinstance(refused, Refused)
    assert refused.code == "cert_not_found"


async def test_tokens_are_told_logged_out_of_and_logged_in_to(desk: Desk) -> None:
    async def active() -> list[bool]:
        told = await desk.service.answer(ListTokens(1))
        assert isinstance(told, TokenStates)
        return [token.state.active for token in told.tokens]

    assert await active() == [True]
    assert await desk.service.answer(Logout(1, "0")) == Done(1)
    assert await active() == [False]
    assert public_ring(desk.ring.value).signing == ()
    assert await desk.service.answer(Login(1, "0", "Secret1234")) == Done(1)
    assert len(public_ring(desk.ring.value).signing) == 1


async def test_only_whoever_insists_logs_in_when_one_wrong_pin_more_would_lock(desk: Desk) -> None:
    await desk.service.answer(Logout(1, "0"))
    desk.token.last_try = True
    careful = await desk.service.answer(Login(1, "0", "Secret1234"))
    assert careful == Refused(1, "login_failed", "one wrong PIN more locks it")
    assert await desk.service.answer(Login(1, "0", "Secret1234", force=True)) == Done(1)


async def test_a_defect_is_told_in_the_log_and_ends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(desk.token, "state", lambda: 1 / 0)
    answer = await desk.service.answer(ListTokens(1))
    assert answer == Refused(1, "internal_error", "The signer failed; its log tells more")
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("digest", [hashlib.sha1, hashlib.sha256])
async def test_what_a_server_finds_listed_is_registered(
    desk: Desk, digest: Callable[[bytes], Any]
) -> None:
    der = desk.auth.certificate.der
    stored = StoredCertificate(der, status="saved")
    write_store(desk.store, "a PIN", [(KeyEntry("A", "", "AUTHENTICATION", (stored,)), None)])
    other, hashed = bytes(32), digest(der).digest()
    assert await desk.service.answer(NoteRegistered(1, (other,))) == Noted(1, False)
    assert await desk.service.answer(NoteRegistered(2, (other, hashed))) == Noted(2, True)
    assert await desk.service.answer(NoteRegistered(3, (hashed,))) == Noted(3, False)
    assert read_store(desk.store).keys[0].certificates[0].status == "registered"


async def test_a_registry_that_cannot_be_used_is_told_of(desk: Desk) -> None:
    desk.store.write_text("damaged")
    answer = await desk.service.answer(NoteRegistered(1, (bytes(32),)))
    assert isinstance(answer, Refused)
    assert answer.code == "token_not_available"
