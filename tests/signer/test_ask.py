"""One question to the signer: from a command, or from a thread that may wait."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from xgate.algorithms import SHA512, find_signature, key_verifies, signature_uri
from xgate.errors import Fault
from xgate.signer.ask import RemoteToken, ask_ring, ask_signer
from xgate.signer.protocol import (
    Answer,
    Done,
    ListTokens,
    Login,
    Logout,
    Numbered,
    TokenStates,
)
from xgate.signer.token import SignJob

if TYPE_CHECKING:
    from tests.signer.conftest import Desk

ECDSA = find_signature(signature_uri("ecdsa", SHA512))


async def test_a_question_is_answered(desk: Desk) -> None:
    async with desk.running():

        async def ask(request: Numbered) -> Answer:
            return await trio.to_thread.run_sync(ask_signer, desk.path, request)

        assert await ask(Logout(1, "0")) == Done(1)
        assert await ask(Login(2, "0", "Secret1234")) == Done(2)
        assert isinstance(await ask(ListTokens(3)), TokenStates)
        with pytest.raises(Fault, match="pin_incorrect: The PIN is not correct"):
            await ask(Login(4, "0", "wrong"))


async def test_the_ring_is_told(desk: Desk) -> None:
    async with desk.running():
        ring = await trio.to_thread.run_sync(ask_ring, desk.path)
    assert ring.certificates() == desk.full().certificates()


def test_where_no_signer_is(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"No signer answers at .*No such file.*run: xgate signer"):
        ask_signer(tmp_path / "none", ListTokens(1))


def test_a_signer_that_is_silent_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "silent"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(os.fspath(path))
        silent.listen()
        with pytest.raises(Fault, match=r"did not answer in 0\.05 s"):
            ask_signer(path, ListTokens(1), seconds=0.05)


async def test_a_token_signs_by_way_of_the_signer(desk: Desk) -> None:
    assert ECDSA is not None
    token = RemoteToken(desk.path, "0", desk.token.keys())
    jobs = [SignJob(key, ECDSA, SHA512.of(b"octets")) for key in ("K", "none")]
    async with desk.running():
        made, refused = await trio.to_thread.run_sync(token.sign, jobs)
    public = desk.sign.certificate.public_key
    assert isinstance(made, bytes)
    assert key_verifies(public, made, b"octets", SHA512, None)
    assert isinstance(refused, Fault)
    assert refused.code == "key_not_found"
    assert [key.id for key in token.keys()] == ["K"]


def test_without_the_signer_each_job_is_refused(tmp_path: Path) -> None:
    assert ECDSA is not None
    token = RemoteToken(tmp_path / "none", "0", ())
    results = token.sign([SignJob("K", ECDSA, b"")] * 2)
    assert [result.code for result in results if isinstance(result, Fault)] == [
        "token_not_available"
    ] * 2
