"""Keys live while messages pass: made, certified, used, retired, unseen, with no restart."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Ran, Town

from xgate.clock import SystemClock
from xgate.sandbox.background import Running, run_in_background
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, found_country
from xgate.signer.store import read_store

SECONDS = 30.0


def xgate(*arguments: object) -> Ran:
    """The command, as people run it."""
    command = [sys.executable, "-m", "xgate", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


class Server(Town):
    """The consumer's server itself, which is running."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.country = running.country
        self.folder = running.country.consumer.folder
        self.config = running.country.consumer.settings
        self._run = xgate

    def call(self) -> int:
        """One message to the provider; the HTTP status."""
        place, ports = self.country.consumer, self.country.ports
        request = urllib.request.Request(
            f"http://{place.address}:{ports.client}/r1/{PROVIDER.url}/people/people/1",
            headers={"X-Road-Client": CONSUMER.url},
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            self.said = error.read().decode()
            error.close()
            return error.code

    def wait_for(self, status: int) -> None:
        until = time.monotonic() + SECONDS
        while (seen := self.call()) != status:
            assert time.monotonic() < until, f"{seen} instead of {status}"
            time.sleep(0.1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    country = found_country(tmp_path, SystemClock().now(), kind="P-256")
    with run_in_background(country, SystemClock()) as running:
        yield Server(running)


def test_a_signing_key_is_exchanged_while_the_server_runs(server: Server) -> None:
    server.wait_for(200)
    old = server.told("list")["keys"][0]["certificates"][0]["id"]
    server.told("disable", old)
    server.wait_for(500)  # nobody may sign for this member any more
    server.told("activate", old)
    server.wait_for(200)
    key = server.make_key("rsa")
    request = server.request(key, "--use", "sign", "--field", "C=FI")
    assert server.told("import", server.certify(request, "nonRepudiation"))["active"]
    server.told("disable", old)
    server.told("delete", "SIGN")
    server.wait_for(200)  # the new one signs; the old one's octets are gone
    assert "SIGN" not in read_store(server.folder / "keys.xgate").sealed.keys
    for _ in range(5):
        assert server.call() == 200, (server.said, list(server.running.consumer)[-12:])


def secrets_of(country: Country) -> dict[str, list[bytes]]:
    """The PIN, and what tells each private key, as it is and as texts hold it."""
    pin = (country.consumer.folder / "pin").read_text().strip()
    store = read_store(country.consumer.folder / "keys.xgate")
    found = {"PIN": [pin.encode(), base64.b64encode(pin.encode())]}
    for name, key in store.unlock(pin).private.items():
        numbers = key.private_numbers()
        number = getattr(numbers, "private_value", None) or numbers.p  # type: ignore[union-attr]  # EC or RSA
        octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
        found[name] = [octets, octets.hex().encode(), str(number).encode()]
        found[name] += [base64.b64encode(octets[start:])[4:40] for start in range(3)]
    return found


def test_no_pin_and_no_key_shows_anywhere(tmp_path: Path) -> None:
    country = found_country(tmp_path, SystemClock().now(), kind="P-256")
    place = country.consumer
    text = place.settings.read_text().replace(
        'use = "http"', 'use = "disk"\ndirectory = "../globalconf"'
    )
    place.settings.write_text(text)
    keys: Callable[..., Ran] = lambda *a: xgate("keys", *a, "--config", place.settings)  # noqa: E731
    said = [keys("generate", "--kind", "rsa", "--json"), keys("list"), keys("list", "--json")]
    secrets = secrets_of(country)
    wrong = tmp_path / "consumer" / "wrong"
    wrong.write_text("Geheim 999 999")
    secrets["wrong PIN"] = [b"Geheim 999 999"]
    said += [
        keys("generate", "--pin-file", wrong),
        keys("generate", "--pin=Geheim 999 999"),
        keys("csr", "SIGN", "--field", "C=FI"),
        keys("csr", "SIGN", "--fields"),
        keys("pin", "--pin-file", wrong, "--new-pin-file", wrong),
        xgate("doctor", "--config", place.settings, "--json"),
    ]
    heard = "".join(ran.out + ran.err for ran in said).encode()
    heard += watch_server(place.settings)
    place.settings.write_text(text.replace('pin-file = "pin"', 'pin-file = "wrong"'))
    refused = xgate("serve", "--config", place.settings)
    assert refused.code == 1
    heard += (refused.out + refused.err).encode()
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name not in ("pin", "wrong"):
            heard += path.read_bytes()
    for name, forms in secrets.items():
        for form in forms:
            assert form not in heard, f"{name} shows"


def watch_server(settings: Path) -> bytes:
    """What a server that runs shows: its lines, its command line, and what the kernel tells."""
    with subprocess.Popen(
        [sys.executable, "-m", "xgate", "serve", "--config", settings],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        heard = b""
        while b'"serving"' not in heard:
            line = process.stderr.readline()
            assert line, heard
            heard += line
        kernel = Path(f"/proc/{process.pid}")
        if sys.platform == "linux":
            limits = (kernel / "limits").read_text().splitlines()
            (core,) = [line.split() for line in limits if "core file" in line]
            assert core[4:6] == ["0", "0"]
            locked = [w for w in (kernel / "status").read_text().splitlines() if "VmLck" in w]
            assert int(locked[0].split()[1]) > 0 or b"LimitMEMLOCK" in heard
            heard += (kernel / "cmdline").read_bytes()
        os.kill(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
    return heard + out + err
