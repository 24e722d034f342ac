"""Ask the signer's process one thing, and wait for the answer.

The rule: for commands, and for threads that may wait: a connection of its own for each question, a
deadline for all of it. What the server asks for each message goes through ``remote`` instead.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from xgate.algorithms import key_octets
from xgate.errors import Fault
from xgate.ids import parse_short_client
from xgate.net.errors import TlsError
from xgate.net.key_reference import refer_to_key
from xgate.signer.door import check_signer
from xgate.signer.keyring import AuthKey, Keyring, SignKey
from xgate.signer.protocol import (
    VERSION,
    Answer,
    FrameReader,
    Hello,
    Numbered,
    PublicAuthKey,
    PublicRing,
    Refused,
    Signatures,
    SignDigests,
    Watch,
    Welcome,
    read_answer,
    write_frame,
)
from xgate.signer.token import SignJob, TokenKey
from xgate.trust.certificate import Certificate

__all__ = ["RemoteToken", "ask_ring", "ask_signer", "read_ring"]

_SECONDS = 60.0


def ask_signer(path: Path, request: Numbered | Watch, *, seconds: float = _SECONDS) -> Answer:
    """The answer to one request; blocks up to ``seconds``.

    :param path: the signer's socket.
    :raises Fault: ``token_not_available``: nobody answers there; or what the signer refuses by.
    """
    until = time.monotonic() + seconds
    reader = FrameReader()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(seconds)
            sock.connect(os.fspath(path))
            check_signer(sock, path)
            sock.sendall(write_frame(Hello()) + write_frame(request))
            while True:
                sock.settimeout(max(until - time.monotonic(), 0.001))
                octets = sock.recv(65536)
                if not octets:
                    raise Fault("token_not_available", f"The signer at {path} broke off")
                for frame in reader.feed(octets):
                    answer = read_answer(frame)
                    if isinstance(answer, Refused):
                        raise Fault(answer.code, answer.text)
                    if not isinstance(answer, Welcome):
                        return answer
                    if answer.version != VERSION:
                        raise Fault("internal_error", "The signer speaks another protocol")
    except TimeoutError:
        raise Fault(
            "token_not_available", f"The signer at {path} did not answer in {seconds:g} s"
        ) from None
    except OSError as error:
        raise Fault(
            "token_not_available",
            f"No signer answers at {path}: {error.strerror}; run: xgate signer",
        ) from None


def ask_ring(path: Path) -> Keyring:
    """The keys that the signer at ``path`` has now. Errors as ``ask_signer``."""
    answer = ask_signer(path, Watch())
    if not isinstance(answer, PublicRing):
        raise Fault("internal_error", "The signer's answer is to another question")
    return read_ring(answer, path.absolute(), lambda _: None)


class RemoteToken:
    """A ``SigningToken`` in the signer's process."""

    def __init__(self, path: Path, token_id: str, keys: Sequence[TokenKey]) -> None:
        """:param path: the signer's socket. :param keys: those that are known to be there."""
        self.id = token_id
        self._path = path
        self._keys = tuple(keys)

    def __repr__(self) -> str:
        return f"RemoteToken({self.id!r})"

    def keys(self) -> Sequence[TokenKey]:
        """Its keys in the ring, as last told."""
        return self._keys

    def sign(self, jobs: Sequence[SignJob]) -> Sequence[bytes | Fault]:
        """Sign each job (``SigningToken.sign``); when nobody answers, a Fault for each."""
        asked = tuple((job.key_id, job.algorithm.uri, job.digest) for job in jobs)
        try:
            answer = ask_signer(self._path, SignDigests(1, self.id, asked))
        except Fault as fault:
            return [fault] * len(jobs)
        if not isinstance(answer, Signatures) or len(answer.results) != len(jobs):
            return [Fault("cannot_sign", "The signer gave another number of signatures")] * len(
                jobs
            )
        return [r if isinstance(r, bytes) else Fault(*r) for r in answer.results]


def read_ring(told: PublicRing, path: Path, refused: Callable[[Fault], None]) -> Keyring:
    """The ring as the signer at ``path`` tells it.

    :param refused: told of each authentication key that TLS cannot use from here, which hides no
        other.
    :raises Fault: a certificate or a member's name cannot be read.
    """
    keys = [TokenKey(k.key, k.label, _public(k.certificate), k.kind) for k in told.signing]
    by_token: dict[str, list[TokenKey]] = {}
    for entry, key in zip(told.signing, keys, strict=True):
        by_token.setdefault(entry.token, []).append(key)
    tokens = {name: RemoteToken(path, name, held) for name, held in by_token.items()}
    signing = (
        SignKey(
            parse_short_client(entry.member),
            Certificate.load(entry.certificate),
            key,
            tokens[entry.token],
        )
        for entry, key in zip(told.signing, keys, strict=True)
    )
    return Keyring(tuple(signing), tuple(_auth_keys(told.authentication, path, refused)))


def _auth_keys(
    told: Iterable[PublicAuthKey], path: Path, refused: Callable[[Fault], None]
) -> Iterator[AuthKey]:
    for entry in told:
        certificate = Certificate.load(entry.certificate)
        name = certificate.sha256.hex()
        try:
            yield AuthKey(certificate, refer_to_key(path, name, certificate.public_key))
        except TlsError as error:
            text = f"Certificate {certificate.serial} cannot be used for TLS: {error}"
            refused(Fault("incorrect_certificate", text))


def _public(der: bytes) -> bytes:
    return key_octets(Certificate.load(der).public_key)
