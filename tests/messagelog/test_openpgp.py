"""Encrypted archives: GnuPG opens what we write, others do not; keys are found or refused."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.messagelog.openpgp import OpenPgpEnvelope, find_key

pysequoia = pytest.importorskip("pysequoia")
if shutil.which("gpg") is None:
    pytest.skip("gpg is not installed", allow_module_level=True)

MEMBER = ClientId("XG", "COM", "777")
OTHER = ClientId("XG", "COM", "888")


class Gpg:
    """A GnuPG folder of its own."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        (home / "gpg-agent.conf").write_text("s2k-count 65536\n")  # passwords cost little here
        self.home = home

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--no-tty", "--yes", *words]
        return subprocess.run(command, capture_output=True, check=False)

    def new_key(self, name: str) -> str:
        made = self.run(
            *("--passphrase", "", "--pinentry-mode", "loopback"),
            *("--quick-gen-key", name, "future-default", "default", "never"),
        )
        assert made.returncode == 0, made.stderr
        listed = self.run("--with-colons", "--list-keys", f"={name}").stdout.decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))

    def opened_by(self, file: Path) -> tuple[bytes, str]:
        """What is in the file, and what GnuPG says of it."""
        done = self.run("--status-fd", "2", "--decrypt", str(file))
        return done.stdout, done.stderr.decode("utf-8", "replace")

    def stop(self) -> None:
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False)


class Keys:
    """A server that signs and two auditors who read, each with his own GnuPG folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # A socket's path may have 108 octets, which pytest's folders leave little of.
        self.server = Gpg(folder / "s")
        self.one = Gpg(folder / "o")
        self.two = Gpg(folder / "t")
        self.server_print = self.server.new_key("Server <server@example.org>")
        self.one_print = self.one.new_key("Föö One <one@example.org>")
        self.two_print = self.two.new_key("Two <two@example.org>")
        self.signing_key = folder / "signing.pgp"
        self.keyring = folder / "keyring.pgp"
        self.signing_key.write_bytes(self.server.run("--export-secret-keys").stdout)
        self.keyring.write_bytes(self.one.run("--export").stdout + self.two.run("--export").stdout)
        server = folder / "server.pgp"
        server.write_bytes(self.server.run("--export").stdout)
        for reader in (self.one, self.two):
            assert reader.run("--import", str(server)).returncode == 0

    def seal(self, content: bytes, member: ClientId | None, **more: object) -> Path:
        envelope = OpenPgpEnvelope(self.signing_key, self.keyring, **more)  # type: ignore[arg-type]  # a test's own
        path = self.folder / "sealed.zip.gpg"
        with envelope.open(path, member) as file:
            file.write(content[:1000])
            file.write(content[1000:])
        return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    made = Keys(tmp_path_factory.mktemp("g"))
    yield made
    for gpg in (made.server, made.one, made.two):
        gpg.stop()


CONTENT = bytes(range(256)) * 2000


def test_gnupg_decrypts_it_and_knows_who_signed(keys: Keys) -> None:
    members = {MEMBER.short: ["one@example.org", keys.two_print]}
    path = keys.seal(CONTENT, MEMBER, member_keys=members)
    for reader in (keys.one, keys.two):
        content, said = reader.opened_by(path)
        assert content == CONTENT
        assert f"[GNUPG:] VALIDSIG {keys.server_print}" in said
        assert "[GNUPG:] DECRYPTION_OKAY" in said
        assert " 9 0" in said.split("DECRYPTION_INFO")[1].split("\n")[0]  # AES-256
    assert CONTENT[:100] not in path.read_bytes()
    assert keys.server.opened_by(path)[0] == b""  # it is none of the recipients


def test_who_has_no_key_of_his_own_gets_the_default_or_the_server_s(keys: Keys) -> None:
    members = {MEMBER.short: [keys.one_print]}
    for member in (None, OTHER):
        path = keys.seal(b"x", member, member_keys=members, default_key=keys.two_print)
        assert keys.two.opened_by(path)[0] == b"x"
        assert keys.one.opened_by(path)[0] == b""
        path = keys.seal(b"x", member, member_keys=members)
        assert keys.server.opened_by(path)[0] == b"x"


def test_keys_are_called_as_gnupg_users_call_them(keys: Keys) -> None:
    one, two = pysequoia.Cert.split_file(str(keys.keyring))
    print_of = keys.one_print
    spaced = " ".join(print_of[i : i + 4] for i in range(0, 40, 4))
    for name in (
        *(print_of, print_of.lower(), "0x" + print_of, spaced, print_of[-16:]),
        *("=Föö One <one@example.org>", "ONE@example.org", "Föö"),
    ):
        assert find_key(name, [two, one, one]).fingerprint == one.fingerprint, name


@pytest.mark.parametrize("name", ["three@example.org", "=Föö", "0" * 40, "12345678", "=="])
def test_a_key_that_is_not_there_is_refused_at_once(keys: Keys, name: str) -> None:
    for more in ({"default_key": name}, {"member_keys": {MEMBER.short: [name]}}):
        with pytest.raises(Fault) as caught:
            OpenPgpEnvelope(keys.signing_key, keys.keyring, **more)
        assert caught.value.code == "archive_key_not_found"


def test_a_name_that_two_keys_answer_to_is_refused(keys: Keys) -> None:
    with pytest.raises(Fault) as caught:
        OpenPgpEnvelope(keys.signing_key, keys.keyring, default_key="example.org")
    assert caught.value.code == "archive_key_ambiguous"


@pytest.mark.parametrize("content", [None, b"", b"no keys", bytes(8) + b"KBXf"])
def test_a_file_that_holds_no_keys_is_refused(
    keys: Keys, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    for files in ((path, keys.keyring), (keys.signing_key, path)):
        with pytest.raises(Fault, match=str(path)) as caught:
            OpenPgpEnvelope(*files)
        assert caught.value.code == "archive_encryption_failed"


def test_without_its_secret_a_key_signs_nothing(keys: Keys, tmp_path: Path) -> None:
    envelope = OpenPgpEnvelope(keys.keyring)
    with pytest.raises(Fault) as caught, envelope.open(tmp_path / "sealed", None) as file:
        file.write(CONTENT * 20)
    assert caught.value.code == "archive_encryption_failed"


def test_a_password_opens_the_signing_key(tmp_path: Path) -> None:
    gpg = Gpg(tmp_path / "p")
    made = gpg.run(
        *("--passphrase", "sésame", "--pinentry-mode", "loopback"),
        *("--quick-gen-key", "Locked <locked@example.org>", "future-default", "default", "never"),
    )
    assert made.returncode == 0
    key = tmp_path / "key"
    key.write_bytes(
        gpg.run(
            *("--passphrase", "sésame", "--pinentry-mode", "loopback"), "--export-secret-keys"
        ).stdout
    )
    gpg.stop()
    with OpenPgpEnvelope(key, password="sésame").open(tmp_path / "sealed", None) as file:
        file.write(CONTENT)
    assert (tmp_path / "sealed").stat().st_size > 1000
    for password in (None, "wrong"):
        with (
            pytest.raises(Fault, match="not encrypted"),
            OpenPgpEnvelope(key, password=password).open(tmp_path / "sealed", None) as file,
        ):
            file.write(CONTENT)


def test_what_was_given_up_does_not_look_whole(keys: Keys, tmp_path: Path) -> None:
    envelope = OpenPgpEnvelope(keys.signing_key)
    path = tmp_path / "sealed"
    with pytest.raises(KeyboardInterrupt), envelope.open(path, None) as file:
        _give_up(file)
    assert "DECRYPTION_OKAY" not in keys.server.opened_by(path)[1]


def _give_up(file: IO[bytes]) -> None:
    file.write(CONTENT * 10)
    raise KeyboardInterrupt


@pytest.mark.reference
def test_the_reference_s_keys_are_found(golden: Path, keys: Keys, tmp_path: Path) -> None:
    gpg = Gpg(tmp_path / "r")
    for name in ("pubring.kbx", "trustdb.gpg"):
        shutil.copy(golden / "messagelog" / "gpg" / name, gpg.home)
    (tmp_path / "ring").write_bytes(gpg.run("--export").stdout)
    gpg.stop()
    certificates = pysequoia.Cert.split_file(str(tmp_path / "ring"))
    for name, fingerprint in (
        ("INSTANCE:memberClass:memberCode", "730EC20B7F243906E7AA23ACB3EC2BDA9C918C0D"),
        ("test@example.org", "B23B8E993AC4632A896D39A27BE94D3451C16D33"),
        ("B3EC2BDA9C918C0D", "730EC20B7F243906E7AA23ACB3EC2BDA9C918C0D"),
    ):
        assert find_key(name, certificates).fingerprint.upper() == fingerprint
    envelope = OpenPgpEnvelope(keys.signing_key, tmp_path / "ring", default_key="test@example.org")
    with envelope.open(tmp_path / "sealed", None) as file:
        file.write(b"x")
