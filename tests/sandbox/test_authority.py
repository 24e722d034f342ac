"""The authorities answer as real ones: to openssl's satisfaction, and not at all when away."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trio

from xgate.net.fetch import Response, fetch
from xgate.sandbox.authority import Authority
from xgate.sandbox.pair import serve_surroundings
from xgate.sandbox.places import Country
from xgate.testing.clock import FakeClock
from xgate.testing.responders import UNKNOWN
from xgate.trust.ocsp import OcspResponse, write_ocsp_request

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
async def authority(country: Country, nursery: trio.Nursery) -> Authority:
    clock = FakeClock(NOW)
    authority = Authority(country, clock)
    await nursery.start(partial(serve_surroundings, country, clock, authority=authority))
    return authority


async def ask(country: Country, path: str, body: bytes = b"") -> Response:
    url = f"http://127.0.0.1:{country.ports.authority}{path}"
    return await fetch(url, method="POST" if body else "GET", body=body)


async def test_certificates_are_good_until_revoked(country: Country, authority: Authority) -> None:
    certificate = country.consumer.sign.certificate
    request = write_ocsp_request(certificate, country.ca.certificate)

    async def status() -> str:
        return OcspResponse.load((await ask(country, "/ocsp", request)).body).status

    assert await status() == "good"
    authority.revoked[certificate.serial] = UNKNOWN
    assert await status() == "unknown"


async def test_timestamps_verify_with_openssl(
    country: Country, authority: Authority, tmp_path: Path
) -> None:
    data, query, reply, cert = (tmp_path / name for name in ("data", "tsq", "tsr", "tsa.pem"))
    data.write_bytes(b"stamped")
    await run("openssl", "ts", "-query", "-data", data, "-sha512", "-out", query, "-cert")
    reply.write_bytes((await ask(country, "/tsa", query.read_bytes())).body)
    for path, credential in ((cert, country.tsa), (tmp_path / "ca.pem", country.ca)):
        (tmp_path / "der").write_bytes(credential.certificate.der)
        await run("openssl", "x509", "-inform", "DER", "-in", tmp_path / "der", "-out", path)
    trusted = ("-CAfile", tmp_path / "ca.pem", "-untrusted", cert)
    done = await run("openssl", "ts", "-verify", "-data", data, "-in", reply, *trusted)
    assert b"Verification: OK" in done.stdout


async def run(*command: str | Path) -> subprocess.CompletedProcess[bytes]:
    return await trio.run_process(command, capture_stdout=True, capture_stderr=True)


async def test_the_configuration_is_served_by_version(
    country: Country, authority: Authority
) -> None:
    assert (await ask(country, "/internalconf?version=6")).status == 200
    assert (await ask(country, "/internalconf?version=5")).status == 404
    assert (await ask(country, "/../consumer/pin")).status == 404


@pytest.mark.parametrize(
    ("service", "path"), [("ocsp", "/ocsp"), ("tsa", "/tsa"), ("conf", "/internalconf?version=6")]
)
async def test_who_is_away_answers_nothing(
    country: Country, authority: Authority, service: str, path: str
) -> None:
    authority.away.add(service)
    assert (await ask(country, path)).status == 503
