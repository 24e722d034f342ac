"""Records that prove something: signed by a real key, vouched for by a real authority."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xgate.ids import ClientId
from xgate.messagelog.record import Record
from xgate.messagelog.sqlite import SqliteStore
from xgate.signer.keyring import SignKey
from xgate.signer.signer import SigningContext, sign_seals
from xgate.signer.software import SoftwareToken
from xgate.testing.authority import NOW, Authority
from xgate.trust.seal import seal_of
from xgate.trust.verify import Evidence

OWNER = ClientId("XG", "COM", "777", "app")


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def context(authority: Authority) -> SigningContext:
    """What signs for the member who sends all messages here."""
    credential = authority.member(OWNER)
    token = SoftwareToken({"K": ("", credential.key)})
    key = SignKey(OWNER.member, credential.certificate, token.keys()[0], token)
    return SigningContext(key, authority.vouch(credential.certificate))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "messagelog.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    opened.close()


@pytest.fixture
def unsigned() -> Callable[..., Record]:
    """A record of which only the form is right; cheap to make."""

    def make(number: int, **more: Any) -> Record:
        record = Record(
            time=NOW,
            owner=OWNER,
            query_id=f"query {number}",
            request_id="5d8a6f6e-8b0e-4c2a-8a55-0a3f4f6c9f11",
            response=False,
            message=b"message %d" % number,
            attachments=(),
            evidence=Evidence(b"signature %d" % number),
        )
        return msgspec.structs.replace(record, **more)

    return make


@pytest.fixture
def signed(context: SigningContext, unsigned: Callable[..., Record]) -> Callable[..., list[Record]]:
    """REST requests under one signature, each with its body, if it has one."""

    def make(
        count: int = 1, *, bodies: Sequence[bytes | None] = (None,), at: datetime = NOW
    ) -> list[Record]:
        messages = [
            b"GET\r\n/r1/XG/GOV/2/reg/look\r\nX-Road-Client:XG/COM/777/app\r\n"
            b"X-Road-Id:%d\r\nx-road-request-id:2\r\n" % number
            for number in range(count)
        ]
        attached = [bodies[number % len(bodies)] for number in range(count)]
        seals = [
            seal_of(message, () if body is None else (body,))
            for message, body in zip(messages, attached, strict=True)
        ]
        return [
            unsigned(
                number,
                message=message,
                attachments=() if body is None else (body,),
                evidence=evidence,
            )
            for number, (message, body, evidence) in enumerate(
                zip(messages, attached, sign_seals(context, seals, at), strict=True)
            )
        ]

    return make
