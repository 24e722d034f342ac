"""The command run in-process, a country to judge by, and containers of its members."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from xgate.cli import main
from xgate.clock import SystemClock
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
from xgate.messagelog.record import Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.sandbox.background import Running, run_in_background
from xgate.sandbox.country import found_country
from xgate.signer.hardening import Hardened
from xgate.testing.authority import NOW, Authority
from xgate.testing.pki import Credential
from xgate.trust.asic import Container, write_container
from xgate.trust.hashchain import build_chain
from xgate.trust.seal import seal_of
from xgate.trust.verify import Evidence
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
def xgate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run ``xgate`` with these arguments in this process, which is not to be hardened for good."""
    for command in ("keys_place", "serve", "signer"):
        monkeypatch.setattr(f"xgate.cli.{command}.harden_process", lambda **_: Hardened(None, None))

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


class Logged(NamedTuple):
    """A log with a story: a path, and the numbers of its records by what they are."""

    path: Path
    request: int
    answer: int
    waiting: int
    forged: int
    cut: int


SERVICE = "XG/COM/12/reg/look"
CALLER = ClientId("XG", "COM", "777", "app")
PROVIDER = ClientId("XG", "COM", "12", "reg")
FAILED = (
    b"404\r\nNot Found\r\nX-Road-Client:XG/COM/777/app\r\nX-Road-Service:XG/COM/12/reg/look\r\n"
    b"X-Road-Id:1\r\nx-road-request-id:2\r\nx-road-request-hash:AA==\r\n"
)


@pytest.fixture(scope="session")
def logged(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """A request and its failed answer, one that waits for its timestamp, one forged, one cut."""
    path = tmp_path_factory.mktemp("log") / "log.sqlite"
    chained = build_chain([seal_of(REQUEST, [b"body"])])
    merged = authority.sign(CHAIN_RESULT, chained.result, authority.member(MEMBER))
    plain = authority.sign(MESSAGE, REQUEST, authority.member(MEMBER))
    answer = authority.sign(MESSAGE, FAILED, authority.member(PROVIDER.member))

    def record(hours: int, **changes: object) -> Record:
        first = Record(
            time=NOW + timedelta(hours=hours),
            owner=CALLER,
            query_id="1",
            request_id="2",
            response=False,
            message=REQUEST,
            attachments=(),
            evidence=Evidence(plain),
            client=CALLER,
            service=SERVICE,
        )
        return msgspec.structs.replace(first, **changes)

    batch = Evidence(merged, chained.result, chained.chains[0])
    with closing(SqliteStore(path)) as store:
        numbers = store.append(
            [
                record(0, attachments=(b"body",), evidence=batch),
                record(1, response=True, message=FAILED, evidence=Evidence(answer)),
                record(2, query_id="waits", owner=PROVIDER),
                record(26, query_id="forged", message=REQUEST.replace(b"look", b"lock")),
                record(
                    27, query_id="cut", message=REQUEST.replace(b"Id:1", b"Id:3"), complete=False
                ),
            ]
        )
        documents = dict(zip(numbers, (merged, answer, b"", plain, plain), strict=True))
        del documents[numbers[2]]
        stamped = {number: _stamped(authority, document) for number, document in documents.items()}
        tokens = {
            number: read_signature(document).timestamp for number, document in stamped.items()
        }
        store.stamp({number: Stamp(token or b"") for number, token in tokens.items()}, stamped)
    return Logged(path, *numbers)


class Town:
    """A country at work, and a copy of its consumer's folder with one key more and one less."""

    def __init__(self, running: Running, folder: Path, run: Callable[..., Ran]) -> None:
        self.running = running
        self.country = running.country
        self.folder = folder / "consumer"
        self.config = self.folder / "xgate.toml"
        self._run = run
        shutil.copytree(running.country.consumer.folder, self.folder)
        shutil.copy(running.country.folder / "configuration-anchor.xml", folder)

    @property
    def store(self) -> Path:
        return self.folder / "keys.xgate"

    def keys(self, *arguments: object) -> Ran:
        """Run ``xgate keys`` with this server's settings."""
        command, *others = arguments
        return self._run("keys", command, *others, "--config", self.config)

    def told(self, *arguments: object) -> Any:
        """Run it for a script; it must go well."""
        ran = self.keys(*arguments, "--json")
        assert ran.code == 0, ran
        return json.loads(ran.out)

    def make_key(self, kind: str = "ecdsa") -> str:
        """A new key's id."""
        return str(self.told("generate", "--kind", kind)["id"])

    def request(self, key: str, *options: object) -> Path:
        """A request of this key, in a file."""
        path = self.folder / f"{key}.csr"
        ran = self.keys("csr", key, "--out", path, *options)
        assert ran.code == 0, ran
        return path

    def certify(self, request: Path, usage: str, ca: Credential | None = None) -> Path:
        """The certificate that the country's CA, or another, makes of a request (OpenSSL does)."""
        ca = ca or self.country.ca
        signer, key = self.folder / "ca.pem", self.folder / "ca.key"
        signer.write_bytes(x509.load_der_x509_certificate(ca.certificate.der).public_bytes(PEM))
        key.write_bytes(ca.key.private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption()))
        extensions = self.folder / "ext"
        extensions.write_text(f"keyUsage=critical,{usage}\n")
        made = request.with_suffix(".crt")
        files = ["-in", request, "-CA", signer, "-CAkey", key, "-extfile", extensions]
        openssl("x509", "-req", *files, "-days", "365", "-out", made)
        return made


PEM = Encoding.PEM


def openssl(*arguments: object) -> str:
    """Run it; it must go well. :returns: what it says, errors too."""
    command = ["openssl", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture(scope="session")
def at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("country")
    country = found_country(folder, SystemClock().now(), kind="P-256")
    with run_in_background(country, SystemClock()) as running:
        yield running


@pytest.fixture
def town(at_work: Running, tmp_path: Path, xgate: Callable[..., Ran]) -> Iterator[Town]:
    yield Town(at_work, tmp_path, xgate)
    at_work.authority.away.clear()
    at_work.authority.revoked.clear()
