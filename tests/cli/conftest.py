"""The command run in-process, a country to judge by, and containers of its members."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from xgate.cli import main
from xgate.globalconf.anchor import read_anchor
from xgate.globalconf.disk import write_disk
from xgate.globalconf.file_source import TreeSource
from xgate.globalconf.generate import write_shared
from xgate.globalconf.shared import (
    CaInfo,
    CertificationService,
    OcspInfo,
    SharedParameters,
    Source,
    TimestampingService,
)
from xgate.globalconf.source import SHARED_FILE, StoredPart, assemble
from xgate.ids import ClientId
from xgate.testing.authority import NOW, Authority
from xgate.trust.asic import Container, write_container
from xgate.trust.hashchain import build_chain
from xgate.trust.seal import seal_of
from xgate.trust.xades import CHAIN_RESULT, MESSAGE, read_signature, with_timestamp

MEMBER = ClientId("XG", "COM", "777")
REQUEST = (
    b"GET\r\n/r1/XG/COM/12/reg/look\r\nX-Road-Client:XG/COM/777/app\r\n"
    b"X-Road-Id:1\r\nx-road-request-id:2\r\n"
)
PROFILE = "ee.ria.xroad.common.certificateprofile.impl.BasicCertificateProfileInfoProvider"


class Ran(NamedTuple):
    """How a command ended, and what it said."""

    code: object
    out: str
    err: str


@pytest.fixture
def xgate(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run ``xgate`` with these arguments in this process."""

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return Ran(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def configuration(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration folder that approves of the authority; it has expired long ago."""
    shared = SharedParameters(
        instance="XG",
        sources=(Source("cs", (authority.ca.certificate.der,)),),
        certification_services=(
            CertificationService(
                "XG CA",
                CaInfo(
                    authority.ca.certificate.der,
                    (OcspInfo("http://ocsp", authority.ocsp.certificate.der),),
                ),
                PROFILE,
            ),
        ),
        timestamping_services=(
            TimestampingService("XG TSA", "http://tsa", authority.tsa.certificate.der),
        ),
        members=(),
        servers=(),
    )
    octets = write_shared(shared)
    part = StoredPart("XG", SHARED_FILE, octets, version=6, expires=NOW - timedelta(days=1000))
    folder = tmp_path_factory.mktemp("globalconf")
    write_disk(folder, assemble("XG", [part]))
    return folder


@pytest.fixture(scope="session")
def plain(authority: Authority) -> bytes:
    """A container with a request of ``MEMBER``."""
    signature = authority.sign(MESSAGE, REQUEST, authority.member(MEMBER))
    return write_container(Container(REQUEST, _stamped(authority, signature)), NOW)


@pytest.fixture(scope="session")
def batch(authority: Authority) -> Callable[..., bytes]:
    """A container whose signature covers an attachment ``one`` by a hash chain."""
    chained = build_chain([seal_of(REQUEST, [b"one"])])
    signature = authority.sign(CHAIN_RESULT, chained.result, authority.member(MEMBER))
    document = _stamped(authority, signature)

    def contain(*attachments: bytes) -> bytes:
        named = tuple((f"attachment{n}", octets) for n, octets in enumerate(attachments, 1))
        container = Container(
            REQUEST, document, chained.result, chained.chains[0], attachments=named
        )
        return write_container(container, NOW)

    return contain


@pytest.fixture(scope="session")
def configuration_of_cs(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference's signed configuration of instance CS as a client keeps it."""
    tree = golden / "globalconf-signed" / "v3-2024-04"
    anchor = read_anchor((tree / "configuration-anchor.xml").read_bytes())
    folder = tmp_path_factory.mktemp("cs")
    write_disk(folder, TreeSource(anchor, tree).fetch(datetime(2026, 1, 1, tzinfo=UTC)))
    return folder


def _stamped(authority: Authority, signature: bytes) -> bytes:
    return with_timestamp(signature, authority.stamp(read_signature(signature).value))
