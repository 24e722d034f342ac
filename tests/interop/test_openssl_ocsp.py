"""OCSP with OpenSSL on the other side: its responder's answers before our judge, over HTTP too."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from xgate.cell import Cell
from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.ids import ClientId, ServerId
from xgate.keepers.ocsp_client import OcspClient
from xgate.policy.world import World
from xgate.sandbox.ports import find_free_ports
from xgate.securityserver.stamping import post_to
from xgate.serverconf.model import ServerConf
from xgate.signer.ocsp_cache import OcspCache
from xgate.testing.authority import Authority
from xgate.testing.conf import make_conf
from xgate.testing.outside import Watch
from xgate.testing.pki import Credential, issue_auth
from xgate.trust.ocsp import OcspResponse, check_ocsp_genuine, verify_ocsp, write_ocsp_request

AUTHORITY = Authority()
GOOD, REVOKED, UNKNOWN = (issue_auth(AUTHORITY.ca, name) for name in ("good", "revoked", "unknown"))
SUBJECTS = {"good": GOOD, "revoked": REVOKED, "unknown": UNKNOWN}


def responder(folder: Path, signer: Credential) -> list[str]:
    """The command of a responder that knows the certificates but one."""

    def write(name: str, credential: Credential) -> str:
        path = folder / name
        loaded = x509.load_der_x509_certificate(credential.certificate.der)
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(loaded.public_bytes(Encoding.PEM) + credential.key.private_bytes(*form))
        return str(path)

    def line(credential: Credential, state: str) -> str:
        ends = f"{credential.certificate.not_after:%y%m%d%H%M%SZ}"
        revoked = "260101000000Z" if state == "R" else ""
        fields = (state, ends, revoked, f"{credential.certificate.serial:X}", "unknown", "/CN=x")
        return "\t".join(fields) + "\n"

    index = folder / "index.txt"
    index.write_text(line(GOOD, "V") + line(REVOKED, "R"))
    command = ["openssl", "ocsp", "-index", str(index), "-CA", write("ca.pem", AUTHORITY.ca)]
    return [*command, "-rsigner", write("signer.pem", signer), "-nmin", "10"]


def answered(folder: Path, subject: Credential, signer: Credential, *more: str) -> OcspResponse:
    request = folder / "request.der"
    request.write_bytes(write_ocsp_request(subject.certificate, AUTHORITY.ca.certificate))
    answer = folder / "answer.der"
    command = [*responder(folder, signer), "-reqin", str(request), "-respout", str(answer), *more]
    subprocess.run(command, capture_output=True, check=True)
    return OcspResponse.load(answer.read_bytes())


@pytest.mark.parametrize("signer", ["appointed", "the CA itself"])
@pytest.mark.parametrize("named", [(), ("-resp_key_id",)], ids=["by name", "by key"])
@pytest.mark.parametrize("status", SUBJECTS)
def test_what_openssl_answers_we_understand_and_believe(
    tmp_path: Path, status: str, named: tuple[str, ...], signer: str
) -> None:
    by = AUTHORITY.ocsp if signer == "appointed" else AUTHORITY.ca
    subject = SUBJECTS[status]
    response = answered(tmp_path, subject, by, *named)
    now, issuer = datetime.now(UTC), AUTHORITY.approved()
    judge = (response, subject.certificate, issuer, AUTHORITY.trust)
    assert check_ocsp_genuine(*judge, now) == by.certificate
    assert response.status == status
    assert response.next_update is not None
    assert response.next_update - response.this_update == timedelta(minutes=10)
    if status == "good":
        assert verify_ocsp(*judge, now) == by.certificate
    else:
        with pytest.raises(Fault, match=status.upper()):
            verify_ocsp(*judge, now)
    with pytest.raises(Fault, match="nextUpdate is too old"):
        verify_ocsp(*judge, now + timedelta(minutes=11))


def test_a_responder_that_nobody_appointed_is_not_believed(tmp_path: Path) -> None:
    response = answered(tmp_path, GOOD, GOOD)
    trust, issuer = AUTHORITY.trust, AUTHORITY.approved()
    with pytest.raises(Fault, match="not authorized"):
        verify_ocsp(response, GOOD.certificate, issuer, trust, datetime.now(UTC))


@asynccontextmanager
async def serving(folder: Path, port: int) -> AsyncIterator[None]:
    command = [*responder(folder, AUTHORITY.ocsp), "-port", str(port)]
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, command, stdin=subprocess.DEVNULL, check=False)
        process = await nursery.start(
            partial(run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        )
        assert process.stdout is not None
        said = b""
        while b"waiting for OCSP client" not in said:
            said += await process.stdout.receive_some(1000)
        yield
        nursery.cancel_scope.cancel()


async def test_our_client_gets_its_answers_from_openssls_server(tmp_path: Path) -> None:
    (port,) = find_free_ports(1, ["127.0.0.1"])
    urls = ["http://127.0.0.1:1/", f"http://127.0.0.1:{port}/ocsp"]
    conf = make_conf(AUTHORITY, ocsp_urls=urls)
    world = World(conf, ServerConf(ServerId(ClientId("XG", "COM", "1"), "SS")))
    cache, clock, watch = OcspCache(), SystemClock(), Watch()
    client = OcspClient(Cell(world), cache, clock, post_to({}, timeout=10.0), watch)
    async with serving(tmp_path, port):
        subjects = [subject.certificate for subject in SUBJECTS.values()]
        answers = await client.ask_all(subjects)
    assert all(answers.values())
    kept = [cache.find(subject.sha1, conf, clock.now()) for subject in subjects]
    assert [OcspResponse.load(der or b"").status for der in kept] == list(SUBJECTS)
    assert {str(missed.fields["url"]) for missed in watch.reports} == {urls[0]}
