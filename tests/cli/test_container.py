"""One container's verdict: what makes it invalid, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from xgate.algorithms import SHA512
from xgate.cli import container
from xgate.cli.configuration import open_configuration
from xgate.cli.container import Verdict, judge_file, verdict_rows
from xgate.globalconf.conf import GlobalConf

Batch = Callable[..., bytes]


@pytest.fixture(scope="session")
def trust(configuration: Path) -> GlobalConf:
    return open_configuration(configuration)


def states(verdict: Verdict) -> list[tuple[str, str]]:
    return [(part.name, part.state) for part in verdict.parts]


@pytest.fixture
def judge(trust: GlobalConf, tmp_path: Path) -> Callable[[bytes], Verdict]:
    def judged(octets: bytes) -> Verdict:
        file = tmp_path / "container.asice"
        file.write_bytes(octets)
        return judge_file(trust, file)

    return judged


def test_an_attachment_that_was_not_kept_is_no_fault(
    judge: Callable[[bytes], Verdict], batch: Batch
) -> None:
    verdict = judge(batch())
    assert verdict.valid
    assert verdict.reason is None
    assert states(verdict) == [("/message.xml", "verified"), ("/attachment1", "missing")]


def test_an_attachment_that_was_kept_is_compared(
    judge: Callable[[bytes], Verdict], batch: Batch
) -> None:
    verdict = judge(batch(b"one"))
    assert verdict.valid
    assert states(verdict)[1] == ("/attachment1", "verified")
    assert verdict.parts[1].digest == SHA512.of(b"one").hex()


@pytest.mark.parametrize("attachments", [(b"on",), (b"one", b"more")])
def test_a_part_that_was_not_signed_makes_a_container_invalid(
    judge: Callable[[bytes], Verdict], batch: Batch, attachments: tuple[bytes, ...]
) -> None:
    verdict = judge(batch(*attachments))
    assert not verdict.valid
    assert verdict.reason is not None
    assert verdict.reason.code == "malformed_signature"
    name = f"/attachment{len(attachments)}"
    assert name in verdict.reason.cause
    assert (name, "unverified") in states(verdict)
    assert verdict.signer is not None, "the message itself is proven, and so it is told"
    assert ("signed by", "XG/COM/777") in verdict_rows(verdict)


def test_a_file_that_cannot_be_read_gets_its_verdict_too(trust: GlobalConf, tmp_path: Path) -> None:
    verdict = judge_file(trust, tmp_path)
    assert not verdict.valid
    assert verdict.reason is not None
    assert verdict.reason.code == "io_error"
    assert "Is a directory" in verdict.reason.cause


def test_a_file_that_is_too_large_is_not_read(
    judge: Callable[[bytes], Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "SIZE_LIMIT", 100)
    verdict = judge(bytes(101))
    assert verdict.reason is not None
    assert "larger than 100" in verdict.reason.cause


def test_the_lines_name_everybody_who_vouches(
    judge: Callable[[bytes], Verdict], plain: bytes
) -> None:
    rows = verdict_rows(judge(plain))
    assert [what for what, _ in rows if what] == [
        "signed by",
        "certificate",
        "issued by",
        "signature",
        "time-stamp",
        "OCSP",
        "part",
    ]
    assert ("", "by CN=XG OCSP") in rows
