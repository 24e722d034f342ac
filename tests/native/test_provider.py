"""The OpenSSL provider under ASan and UBSan: real signatures, and signers that misbehave."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.native.conftest import CSRC, FLAGS, compiler, said_by

from xgate.errors import Fault
from xgate.net.key_reference import refer_to_key
from xgate.signer.keyring import AuthKey
from xgate.signer.protocol import (
    Answer,
    Done,
    FrameReader,
    Octets,
    Refused,
    SignTls,
    Welcome,
    read_request,
    write_frame,
)
from xgate.signer.tls_signature import sign_for_tls
from xgate.testing.pki import Key, issue_auth, make_ca, make_ec_key, make_rsa_key

CA = make_ca("ca")
KEYS: dict[str, Key] = {
    "RSA-2048": make_rsa_key("provider"),
    "P-256": make_ec_key("provider"),
    "P-384": make_ec_key("provider", "P-384"),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
}
Answering = Callable[[SignTls], bytes]


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("provider") / "drive_provider"
    sources = [*sorted((CSRC / "provider").glob("*.c")), CSRC / "fuzz" / "drive_provider.c"]
    said_by([compiler("gcc", "cc", "clang"), *FLAGS, *sources, "-lcrypto", "-o", program])
    return program


@contextmanager
def signer(path: Path, answer: Answering) -> Iterator[None]:
    """A signer that answers each connection's request as the test says, and hangs up."""
    over = threading.Event()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(path))
    listener.listen()
    listener.settimeout(0.05)

    def serve() -> None:
        while not over.is_set():
            try:
                sock, _ = listener.accept()
            except TimeoutError:
                continue
            with sock, suppress(ConnectionError):  # whoever is told nonsense leaves early
                sock.settimeout(10)
                sock.sendall(answer(read_sign_tls(sock)))
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(4096):  # until the client has gone
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        listener.close()


def read_sign_tls(sock: socket.socket) -> SignTls:
    reader = FrameReader()
    while True:
        for frame in reader.feed(sock.recv(65536)):
            request = read_request(frame)
            if isinstance(request, SignTls):
                return request


def frames(*answers: Answer) -> bytes:
    return b"".join(map(write_frame, answers))


def honest(auth: AuthKey) -> Answering:
    def answer(request: SignTls) -> bytes:
        assert request.certificate == auth.certificate.sha256.hex()
        made = sign_for_tls(auth, request.kind, request.digest, request.octets)
        return frames(Welcome(), Octets(request.id, made))

    return answer


def auth_key(kind: str) -> AuthKey:
    return AuthKey(issue_auth(CA, "auth", key=KEYS[kind]).certificate, KEYS[kind])


def reference(folder: Path, kind: str) -> tuple[Path, AuthKey]:
    """The file of a reference to a key that the signer in this folder has."""
    auth = auth_key(kind)
    name = auth.certificate.sha256.hex()
    pem = folder / "key.pem"
    pem.write_bytes(refer_to_key(folder / "s", name, auth.certificate.public_key).pem)
    return pem, auth


@pytest.mark.parametrize(
    ("kind", "bits", "makes"),
    [
        ("RSA-2048", 2048, ("rsa", "pss")),
        ("P-256", 256, ("ecdsa",)),
        ("P-384", 384, ("ecdsa",)),
        ("P-521", 521, ("ecdsa",)),
    ],
)
def test_signatures_hold(
    driver: Path, tmp_path: Path, kind: str, bits: int, makes: tuple[str, ...]
) -> None:
    pem, auth = reference(tmp_path, kind)
    with signer(tmp_path / "s", honest(auth)):
        said = said_by([driver, pem, *makes]).splitlines()
    assert said == [f"{bits} bits, its public half", *["good"] * 2 * len(makes)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "broke off"),
        (frames(Welcome()), "broke off"),
        (frames(Welcome(version=2)), "broke off"),
        (frames(Welcome(), Done(1)), "broke off"),
        (frames(Welcome(), Octets(2, bytes(256))), "broke off"),
        (frames(Welcome(), Octets(1, b"")), "broke off"),
        (frames(Welcome(), Octets(1, bytes(255))), "that is no signature"),
        (frames(Welcome(), Octets(1, bytes(4000))), "broke off"),
        (frames(Welcome(), Octets(1, bytes(70_000))), "broke off"),
        (frames(Octets(1, bytes(256))), "broke off"),
        (frames(Welcome(), Octets(1, bytes(256)))[:-1], "broke off"),
        (frames(Welcome(), Refused(1, "cert_not_found", "None such")), "None such"),
        (frames(Refused(0, "access_denied", "Not you")), "Not you"),
        (b"\xff" * 100, "broke off"),
        (b"\0\0\0\0" * 10, "broke off"),
    ],
)
def test_a_signer_that_misbehaves_gets_no_signature_out(
    driver: Path, tmp_path: Path, answer: bytes, said: str
) -> None:
    pem, _ = reference(tmp_path, "RSA-2048")
    with signer(tmp_path / "s", lambda _: answer):
        _, *outcomes = said_by([driver, pem, "rsa"]).splitlines()
    assert len(outcomes) == 2
    assert all(one.startswith("refused: ") and said in one for one in outcomes)


def test_a_signature_of_the_right_size_and_nothing_else_is_the_peers_to_refuse(
    driver: Path, tmp_path: Path
) -> None:
    pem, _ = reference(tmp_path, "RSA-2048")
    with signer(tmp_path / "s", lambda _: frames(Welcome(), Octets(1, bytes(256)))):
        assert said_by([driver, pem, "rsa"]).splitlines()[1:] == ["bad", "bad"]


def test_no_signer(driver: Path, tmp_path: Path) -> None:
    pem, _ = reference(tmp_path, "P-256")
    _, *outcomes = said_by([driver, pem, "ecdsa"]).splitlines()
    assert (
        outcomes == [f"refused: no signer answers at {tmp_path}/s: No such file or directory"] * 2
    )


def test_a_silent_signer_is_waited_for_once(driver: Path, tmp_path: Path) -> None:
    pem, _ = reference(tmp_path, "P-256")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(os.fspath(tmp_path / "s"))
        silent.listen()
        _, first, second = said_by([driver, pem, "ecdsa"]).splitlines()
    assert "took too long" in first
    assert "is not asked" in second


def test_a_key_signs_only_as_its_kind_does(driver: Path, tmp_path: Path) -> None:
    pem, auth = reference(tmp_path, "P-256")
    with signer(tmp_path / "s", honest(auth)):
        _, *outcomes = said_by([driver, pem, "pss"]).splitlines()
    assert [one.partition(":")[0] for one in outcomes] == ["refused"] * 2


@pytest.mark.parametrize("octets", [b"", b"-----BEGIN XGATE KEY-----\n", b"nonsense" * 5000])
def test_what_is_no_reference_is_no_key(driver: Path, tmp_path: Path, octets: bytes) -> None:
    pem, _ = reference(tmp_path, "P-256")
    whole = pem.read_bytes()
    for content in (octets, whole[:150], whole.replace(b"WEdL", b"WEdM")):
        pem.write_bytes(content)
        assert said_by([driver, pem, "ecdsa"]).startswith("no key: ")


def test_keys_of_others_are_read_as_ever(driver: Path, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    said_by(["openssl", "genpkey", "-algorithm", "RSA", "-out", pem])
    said = said_by([driver, pem, "rsa", "pss"]).splitlines()
    assert said == ["2048 bits, its public half", *["good"] * 4]


def test_the_words_of_a_fault_are_told(driver: Path, tmp_path: Path) -> None:
    pem, _ = reference(tmp_path, "P-256")
    fault = Fault("internal_error", "Täuschung\n" * 50)
    refused = frames(Welcome(), Refused(1, fault.code, fault.text))
    with signer(tmp_path / "s", lambda _: refused):
        _, *outcomes = said_by([driver, pem, "ecdsa"]).splitlines()
    assert all(one.startswith("refused: T??uschung?T??uschung") for one in outcomes)
