"""A country at work, and a copy of its consumer's server that may be broken."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xgate.clock import SystemClock
from xgate.globalconf.shared import SharedParameters
from xgate.sandbox.background import Running, run_in_background
from xgate.sandbox.country import found_country
from xgate.sandbox.publication import VALID_FOR, publish_country
from xgate.signer.store import KeyEntry, StoredCertificate, write_store
from xgate.testing.pki import Credential

Run = Callable[..., Any]


class MovedClock(SystemClock):
    """The machine's clock, but for ``by``."""

    by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.by


class Examined(msgspec.Struct, frozen=True):
    """What one run of the command has found."""

    code: object
    report: dict[str, Any]
    out: str

    @property
    def link(self) -> tuple[str, str, str]:
        """Check, observed value and fix of the first broken link."""
        link = self.report["first_broken"]
        assert link is not None, self.out
        return link["check"], link["observed"], link["fix"]

    def of(self, check: str) -> list[dict[str, Any]]:
        """The findings of one check."""
        return [found for found in self.report["findings"] if found["check"] == check]

    def states(self, check: str) -> set[str]:
        return {found["state"] for found in self.of(check)}


class Patient:
    """A copy of the consumer's folder, beside the server that runs by the original."""

    def __init__(self, running: Running, clock: MovedClock, folder: Path, xgate: Run) -> None:
        self.running = running
        self.country = running.country
        self.place = running.country.consumer
        self.clock = clock
        self.folder = folder / "consumer"
        self._xgate = xgate
        shutil.copytree(self.place.folder, self.folder)
        shutil.copy(self.country.folder / "configuration-anchor.xml", folder)

    @property
    def settings(self) -> Path:
        return self.folder / "xgate.toml"

    @property
    def anchor(self) -> Path:
        return self.folder.parent / "configuration-anchor.xml"

    @property
    def pin(self) -> str:
        return (self.folder / "pin").read_text().strip()

    def edit(self, old: str, new: str) -> None:
        """Change the settings."""
        text = self.settings.read_text()
        assert old in text
        self.settings.write_text(text.replace(old, new))

    def add(self, text: str) -> None:
        """Add to the settings."""
        self.settings.write_text(self.settings.read_text() + text)

    def forget_configuration(self) -> None:
        """As before its first start."""
        shutil.rmtree(self.folder / "globalconf")

    def forget_ocsp(self) -> None:
        """As if no response had been kept."""
        shutil.rmtree(self.folder / "ocsp-cache", ignore_errors=True)

    def hold(self, *, sign: Credential | None = None, auth: Credential | None = None) -> None:
        """Put other keys into the key store."""
        sign, auth = sign or self.place.sign, auth or self.place.auth
        signing = StoredCertificate(sign.certificate.der, self.place.client.member.short)
        authentication = StoredCertificate(auth.certificate.der)
        write_store(
            self.folder / "keys.xgate",
            self.pin,
            [
                (KeyEntry("SIGN", "sign", "SIGNING", (signing,)), sign.key),
                (KeyEntry("AUTH", "auth", "AUTHENTICATION", (authentication,)), auth.key),
            ],
        )

    def publish(
        self,
        shared: SharedParameters | None = None,
        *,
        at: datetime | None = None,
        valid_for: timedelta = VALID_FOR,
    ) -> None:
        """Publish another configuration, until the test ends."""
        now = SystemClock().now()
        publish_country(self.country, at or now, shared, valid_for=valid_for)

    def examine(self, *arguments: object) -> Examined:
        """Run ``xgate doctor`` for a script."""
        ran = self._xgate("doctor", "--config", self.settings, "--json", *arguments)
        return Examined(ran.code, json.loads(ran.out), ran.out)

    def examine_apart(self, *arguments: str) -> Examined:
        """Likewise, in a process of its own, which may start itself anew."""
        command = [
            sys.executable,
            "-m",
            "xgate",
            "doctor",
            "--config",
            str(self.settings),
            "--json",
        ]
        done = subprocess.run([*command, *arguments], capture_output=True, timeout=60, check=False)
        assert done.stdout, done.stderr
        return Examined(done.returncode, json.loads(done.stdout), done.stdout.decode())

    def told(self, *arguments: object) -> Any:
        """Run ``xgate doctor`` for a person."""
        return self._xgate("doctor", "--config", self.settings, *arguments)


@pytest.fixture(scope="session")
def moved_clock() -> MovedClock:
    """The clock of the country; the command goes by the machine's own."""
    return MovedClock()


@pytest.fixture(scope="session")
def at_work(moved_clock: MovedClock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("doctor")
    country = found_country(folder, SystemClock().now(), kind="P-256")
    with run_in_background(country, moved_clock) as running:
        yield running


@pytest.fixture
def patient(
    at_work: Running, moved_clock: MovedClock, tmp_path: Path, xgate: Run
) -> Iterator[Patient]:
    """All is well with it, until the test breaks something; the country is mended afterwards."""
    web = {
        file: file.read_bytes() for file in at_work.country.web_root.rglob("*") if file.is_file()
    }
    yield Patient(at_work, moved_clock, tmp_path, xgate)
    moved_clock.by = timedelta()
    at_work.authority.away.clear()
    at_work.authority.revoked.clear()
    for file in at_work.country.web_root.rglob("*"):
        if file.is_file() and file not in web:
            file.unlink()
    for file, octets in web.items():
        file.write_bytes(octets)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte that holds few files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=50", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
