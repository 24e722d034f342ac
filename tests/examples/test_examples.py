"""The examples run as they say they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xgate.sandbox.country import Country, found_country

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.reference
def test_evidence_is_verified_or_refused_by_name(golden: Path) -> None:
    folder = golden / "globalconf" / "good2_v3"
    good = run("verify_evidence.py", golden / "asic" / "valid-signed-message.asice", folder)
    assert good.returncode == 0, good.stderr
    assert "signed by MEMBER:DEV/COM/4321 at 2024-12-05 13:16:35 UTC" in good.stdout
    assert "/message.xml: verified" in good.stdout
    bad = run("verify_evidence.py", golden / "asic" / "invalid-digest.asice", folder)
    assert bad.returncode == 1
    assert "no proof: invalid_signature_value" in bad.stderr


@pytest.fixture
def country(tmp_path: Path) -> Country:
    return found_country(tmp_path, datetime.now(UTC), kind="P-256", services="")


@pytest.fixture
def embedded(country: Country) -> Iterator[subprocess.Popen[str]]:
    """The embedding program, running the consumer's server from a configuration on disk."""
    settings = country.consumer.settings
    text = settings.read_text().replace('use = "http"', 'use = "disk"\ndirectory = "../globalconf"')
    settings.write_text(text)
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / "embed_gateway.py", settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with process:
        yield process
        process.kill()


def test_a_gateway_serves_inside_another_program(
    country: Country, embedded: subprocess.Popen[str]
) -> None:
    assert embedded.stdout is not None
    port = country.ports.client
    assert embedded.stdout.readline() == f"information systems may call port {port}\n"
    url = f"http://{country.consumer.address}:{port}/r1/XG/GOV/200/registry/people/people/1"
    asked = run("call_service.py", url, "XG/COM/999/stranger")
    # No OCSP responder is there, so the server cannot vouch for itself: it says so, in its words.
    assert asked.returncode == 1
    assert "server.clientproxy.ssl_authentication_failed" in asked.stderr
    embedded.send_signal(signal.SIGTERM)
    out, err = embedded.communicate(timeout=30)
    assert embedded.returncode == 0, err
    assert "exchanged: {'fault': 1}" in out
