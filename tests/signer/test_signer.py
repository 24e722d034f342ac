"""Signing: what waits is merged, each message keeps its own proof, and failures have one code."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio
import trio.testing

from xgate.algorithms import SIGNATURES
from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.signer.keyring import SignKey
from xgate.signer.signer import Signer, SigningContext, sign_seals
from xgate.signer.software import SoftwareToken
from xgate.signer.token import SignJob, TokenKey
from xgate.testing.authority import NOW, Authority
from xgate.testing.clock import FakeClock
from xgate.testing.conf import make_conf
from xgate.testing.pki import Key, make_ec_key, make_rsa_key
from xgate.trust.seal import Seal, seal_of
from xgate.trust.verify import Evidence, verify_message
from xgate.trust.xades import read_signature

MEMBER = ClientId("XG", "COM", "1")
AUTHORITY = Authority()
CONF = make_conf(AUTHORITY)
KEYS: dict[str, Key] = {
    "RSA": make_rsa_key("signer"),
    "P-256": make_ec_key("signer"),
    "P-384": make_ec_key("signer", "P-384"),
}
CREDENTIALS = {kind: AUTHORITY.member(MEMBER, key=key) for kind, key in KEYS.items()}


class Token:
    """A software token under a test's control: it can be held up, and it can fail."""

    id = "T"

    def __init__(self, keys: dict[str, Key]) -> None:
        self._token = SoftwareToken({name: (name, key) for name, key in keys.items()})
        self.open = threading.Event()
        self.open.set()
        self.signed: list[SignJob] = []
        self.spoil: Callable[[bytes | Fault], bytes | Fault] = lambda value: value

    def keys(self) -> Sequence[TokenKey]:
        return self._token.keys()

    def sign(self, jobs: Sequence[SignJob]) -> Sequence[bytes | Fault]:
        assert self.open.wait(10)
        self.signed += jobs
        return [self.spoil(value) for value in self._token.sign(jobs)]


TOKEN = Token(KEYS)


@pytest.fixture
def token() -> Token:
    return Token(KEYS)


def context(kind: str = "P-256", token: Token = TOKEN) -> SigningContext:
    credential = CREDENTIALS[kind]
    key = next(key for key in token.keys() if key.id == kind)
    sign_key = SignKey(MEMBER, credential.certificate, key, token)
    return SigningContext(sign_key, AUTHORITY.vouch(credential.certificate))


@asynccontextmanager
async def running(cap: int = 32) -> AsyncIterator[Signer]:
    signer = Signer(FakeClock(NOW), cap)
    async with trio.open_nursery() as nursery:
        await nursery.start(signer.run)
        yield signer
        nursery.cancel_scope.cancel()


async def occupy(signer: Signer, token: Token, made: SigningContext, callers: trio.Nursery) -> None:
    """Have the token at work on a message, and kept at it until ``token.open`` is set."""
    token.open.clear()
    callers.start_soon(signer.sign, made, seal_of(b"first"))
    await trio.testing.wait_all_tasks_blocked(0.01)


def seals(count: int) -> list[Seal]:
    return [seal_of(b"message %d" % n, [b"attached"] * (n % 3)) for n in range(count)]


def proves(evidence: Evidence, seal: Seal) -> bool:
    try:
        return verify_message(CONF, evidence, seal, MEMBER, NOW).signer == MEMBER
    except Fault:
        return False


# what is made


@pytest.mark.parametrize("kind", list(KEYS))
def test_a_lone_message_is_signed_directly(kind: str) -> None:
    (evidence,) = sign_seals(context(kind), [seal_of(b"alone")], NOW)
    assert (evidence.chain_result, evidence.chain) == (None, None)
    assert read_signature(evidence.signature).refers_to("/message.xml")
    assert proves(evidence, seal_of(b"alone"))
    assert not proves(evidence, seal_of(b"other"))


@pytest.mark.parametrize("kind", list(KEYS))
def test_one_signature_covers_many_messages_and_each_proves_its_own_alone(kind: str) -> None:
    batch = seals(5)
    evidence = sign_seals(context(kind), batch, NOW)
    assert len({one.signature for one in evidence}) == 1
    for row, seal in enumerate(batch):
        assert [proves(one, seal) for one in evidence] == [n == row for n in range(5)]


def test_a_message_with_attachments_has_a_chain_even_alone() -> None:
    seal = seal_of(b"message", [b"attached"])
    (evidence,) = sign_seals(context(), [seal], NOW)
    assert evidence.chain is not None
    assert proves(evidence, seal)
    assert not proves(evidence, seal_of(b"message", [b"exchanged"]))
    assert not proves(evidence, seal_of(b"message"))


def test_equal_messages_in_one_batch_are_each_proven() -> None:
    twins = [seal_of(b"same"), seal_of(b"same")]
    assert [proves(one, twins[0]) for one in sign_seals(context(), twins, NOW)] == [True, True]


def test_the_signature_says_when_it_was_made_and_carries_the_response() -> None:
    made = context()
    (evidence,) = sign_seals(made, [seal_of(b"message")], NOW)
    document = read_signature(evidence.signature)
    assert document.signing_time == NOW
    assert document.ocsp == (made.ocsp,)


# merging


async def test_what_waits_while_the_token_is_busy_shares_the_next_signature(token: Token) -> None:
    batch, made = seals(20), context(token=token)
    evidence: dict[int, Evidence] = {}

    async def sign(number: int) -> None:
        evidence[number] = await signer.sign(made, batch[number])

    async with running() as signer, trio.open_nursery() as callers:
        await occupy(signer, token, made, callers)
        for number in range(20):
            callers.start_soon(sign, number)
        await trio.testing.wait_all_tasks_blocked(0.01)
        token.open.set()
    assert len(token.signed) == 2
    assert signer.batch_sizes() == {1: 1, 20: 1}
    for number, seal in enumerate(batch):
        assert proves(evidence[number], seal)
        assert not proves(evidence[number], batch[number - 1])


async def test_a_signature_covers_no_more_than_the_cap(token: Token) -> None:
    made = context(token=token)
    async with running(cap=4) as signer, trio.open_nursery() as callers:
        await occupy(signer, token, made, callers)
        for seal in seals(10):
            callers.start_soon(signer.sign, made, seal)
        await trio.testing.wait_all_tasks_blocked(0.01)
        token.open.set()
    assert signer.batch_sizes() == {1: 1, 4: 2, 2: 1}


async def test_a_token_that_merges_nothing_signs_each_message_by_itself(token: Token) -> None:
    made = context(token=token)
    alone = SigningContext(msgspec.structs.replace(made.key, merges=False), made.ocsp)
    answers: dict[int, Evidence] = {}

    async def ask(number: int) -> None:
        answers[number] = await signer.sign(alone, seals(4)[number])

    async with running() as signer, trio.open_nursery() as callers:
        await occupy(signer, token, alone, callers)
        for number in range(4):
            callers.start_soon(ask, number)
        await trio.testing.wait_all_tasks_blocked(0.01)
        token.open.set()
    assert len({one.signature for one in answers.values()}) == 4
    assert [answers[n].chain is None for n in range(4)] == [True, False, False, True]
    assert all(proves(answers[n], seal) for n, seal in enumerate(seals(4)))
    assert signer.batch_sizes() == {1: 5}


async def test_responses_of_different_age_may_meet_in_one_signature(token: Token) -> None:
    old, new = context(token=token), context(token=token)
    evidence: list[Evidence] = []

    async def sign(made: SigningContext, seal: Seal) -> None:
        evidence.append(await signer.sign(made, seal))

    async with running() as signer, trio.open_nursery() as callers:
        await occupy(signer, token, old, callers)
        for made, seal in zip([old, new, old, new], seals(4), strict=True):
            callers.start_soon(sign, made, seal)
        await trio.testing.wait_all_tasks_blocked(0.01)
        token.open.set()
    assert len(token.signed) == 2
    assert read_signature(evidence[0].signature).ocsp[0] in (old.ocsp, new.ocsp)
    assert sum(proves(one, seal) for one in evidence for seal in seals(4)) == 4


async def test_different_keys_are_not_merged(token: Token) -> None:
    async with running() as signer, trio.open_nursery() as callers:
        for kind in KEYS:
            await occupy(signer, token, context(kind, token), callers)
        for kind in KEYS:
            for seal in seals(2):
                callers.start_soon(signer.sign, context(kind, token), seal)
        await trio.testing.wait_all_tasks_blocked(0.01)
        token.open.set()
    assert sorted(job.key_id for job in token.signed) == sorted([*KEYS, *KEYS])
    assert signer.batch_sizes() == {1: 3, 2: 3}
    assert {SIGNATURES[job.algorithm.uri].kind for job in token.signed} == {"rsa", "ecdsa"}


async def test_a_first_caller_who_leaves_at_once_spoils_nothing_for_the_next() -> None:
    async with running() as signer:
        with trio.CancelScope() as scope:
            scope.cancel()
            await signer.sign(context(), seal_of(b"left"))
        assert scope.cancelled_caught
        with trio.fail_after(5):
            assert proves(await signer.sign(context(), seal_of(b"stays")), seal_of(b"stays"))


async def test_a_caller_who_leaves_while_it_waits_takes_no_other_with_it(token: Token) -> None:
    token.open.clear()
    made = context(token=token)
    async with running() as signer, trio.open_nursery() as callers:
        for seal in seals(3):
            callers.start_soon(signer.sign, made, seal)
        with trio.move_on_after(0.01):
            await signer.sign(made, seal_of(b"impatient"))
        token.open.set()


async def test_a_signer_that_does_not_run_says_so() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        await Signer(FakeClock()).sign(context(), seal_of(b"message"))


# failures


def refuse(value: bytes | Fault) -> Fault:
    return Fault("key_not_found", "Key 'P-256' not found")


def cut(value: bytes | Fault) -> bytes:
    assert isinstance(value, bytes)
    return value[:-1]


def huge(value: bytes | Fault) -> bytes:
    """An ECDSA signature of a longer curve."""
    return bytes.fromhex("3082010a02820101") + b"\1" * 257 + bytes.fromhex("02820101") + b"\1" * 257


def raise_fault(value: bytes | Fault) -> bytes:
    raise Fault("token_not_available", "The token was pulled out")


@pytest.mark.parametrize(
    ("kind", "spoil", "said"),
    [
        ("P-256", refuse, "signer.key_not_found: Key 'P-256' not found"),
        ("RSA", cut, "signer.cannot_create_signature: "),
        ("P-256", cut, "signer.cannot_sign: "),
        ("P-384", huge, "signer.cannot_sign: "),
        ("RSA", raise_fault, "signer.token_not_available: The token was pulled out"),
    ],
)
def test_whatever_the_token_does_wrong_has_one_code_and_its_own_is_in_the_text(
    token: Token, kind: str, spoil: Callable[[bytes | Fault], bytes | Fault], said: str
) -> None:
    token.spoil = spoil
    with pytest.raises(Fault) as caught:
        sign_seals(context(kind, token), seals(2), NOW)
    assert caught.value.code == "cannot_create_signature.internal_error"
    assert caught.value.text.startswith(said)


async def test_a_failure_is_everyones_who_waited_and_nobodys_after(token: Token) -> None:
    token.open.clear()
    token.spoil = refuse
    codes: list[str] = []
    made = context(token=token)

    async def sign(seal: Seal) -> None:
        with pytest.raises(Fault) as caught:
            await signer.sign(made, seal)
        codes.append(caught.value.code)

    async with running() as signer:
        async with trio.open_nursery() as callers:
            for seal in seals(4):
                callers.start_soon(sign, seal)
            await trio.testing.wait_all_tasks_blocked(0.01)
            token.open.set()
        assert codes == ["cannot_create_signature.internal_error"] * 4
        token.spoil = lambda value: value
        assert proves(await signer.sign(made, seal_of(b"again")), seal_of(b"again"))
