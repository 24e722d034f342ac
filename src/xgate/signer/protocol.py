"""What the signer's process and its clients say to each other on their Unix socket.

Frame: four octets of length, big-endian, then one message in MessagePack: an array that begins with
the message's name. A client begins with ``Hello``; every request carries a number of the client's
choice, and its answer brings it back, in whatever order answers come.

The rule: octets in, values out; no socket is known here. Whatever is too long, not a message, or
out of turn ends the conversation by a ``Fault``: there is nothing to go on from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from xgate.errors import Fault
from xgate.signer.token import TokenState

__all__ = [
    "LARGEST_REQUEST",
    "VERSION",
    "Answer",
    "Counted",
    "Done",
    "FrameReader",
    "Hello",
    "ListTokens",
    "ListedToken",
    "Login",
    "Logout",
    "NoteRegistered",
    "Noted",
    "Numbered",
    "Octets",
    "PublicAuthKey",
    "PublicRing",
    "PublicSignKey",
    "Refused",
    "Request",
    "SignDigests",
    "SignSeal",
    "SignTls",
    "Signatures",
    "Signed",
    "Statistics",
    "TokenStates",
    "Watch",
    "Welcome",
    "read_answer",
    "read_request",
    "write_frame",
]

VERSION = 1
_HEAD = 4
_LARGEST = 16 << 20  # a ring of some thousand certificates
LARGEST_REQUEST = 1 << 20
"""Octets of a request, as of a message of 12 000 attachments; more ends the conversation."""


class _Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One message of either side."""


class Hello(_Message, frozen=True, tag="hello"):
    """The first words of a client."""

    version: int = VERSION


class Watch(_Message, frozen=True, tag="watch"):
    """Tell the ring now, and again whenever it changes."""


class SignSeal(_Message, frozen=True, tag="sign-seal"):
    """Sign a message.

    :param certificate: SHA-256 of the certificate to sign with.
    :param ocsp: the response that goes into the signature (DER).
    :param parts: names and SHA-512 digests, in order.
    """

    id: int
    certificate: bytes
    ocsp: bytes
    parts: tuple[tuple[str, bytes], ...]


class SignDigests(_Message, frozen=True, tag="sign-digests"):
    """Sign digests as they are (``SigningToken.sign``): key id, algorithm's URI, digest of each."""

    id: int
    token: str
    jobs: tuple[tuple[str, str, bytes], ...]


class SignTls(_Message, frozen=True, tag="sign-tls"):
    """Sign for a TLS handshake.

    :param certificate: SHA-256 of an authentication certificate, in hex.
    :param kind: ``rsa``, ``pss`` or ``ecdsa``. :param digest: the digest's name, ``SHA-256``.
    :param octets: what is signed, not yet hashed.
    """

    id: int
    certificate: str
    kind: str
    digest: str
    octets: bytes


class ListTokens(_Message, frozen=True, tag="list-tokens"):
    """Tell all tokens and what they are like."""

    id: int


class Login(_Message, frozen=True, tag="login"):
    """Log in to a token; ``force`` as ``ManagedToken.login``."""

    id: int
    token: str
    pin: str
    force: bool = False

    def __repr__(self) -> str:
        return f"Login({self.id}, {self.token!r})"


class Logout(_Message, frozen=True, tag="logout"):
    """Log out of a token."""

    id: int
    token: str


class NoteRegistered(_Message, frozen=True, tag="note-registered"):
    """Note which authentication certificates the global configuration lists for the server.

    :param hashes: of the listed certificates (DER), by SHA-1 or SHA-256.
    """

    id: int
    hashes: tuple[bytes, ...]


class Statistics(_Message, frozen=True, tag="statistics"):
    """Tell how many signatures covered how many messages."""

    id: int


class Welcome(_Message, frozen=True, tag="welcome"):
    """The signer's first words."""

    version: int = VERSION


class PublicSignKey(msgspec.Struct, frozen=True, array_like=True):
    """A signing key as its users see it.

    :param member: ``INST/CLASS/CODE[/SUB]``. :param certificate: DER.
    :param key: its id on the token of this id. :param kind: what signatures it makes.
    """

    member: str
    certificate: bytes
    token: str
    key: str
    label: str
    kind: str


class PublicAuthKey(msgspec.Struct, frozen=True, array_like=True):
    """An authentication key as its users see it: its certificate (DER)."""

    certificate: bytes


class PublicRing(_Message, frozen=True, tag="ring"):
    """All usable keys; each message of this kind takes the place of the one before."""

    signing: tuple[PublicSignKey, ...]
    authentication: tuple[PublicAuthKey, ...]


class Signed(_Message, frozen=True, tag="signed"):
    """A message's evidence."""

    id: int
    signature: bytes
    chain_result: bytes | None
    chain: bytes | None


class Octets(_Message, frozen=True, tag="octets"):
    """One signature, bare."""

    id: int
    octets: bytes


class Signatures(_Message, frozen=True, tag="signatures"):
    """One result for each digest: a signature, or the code and text of a refusal."""

    id: int
    results: tuple[bytes | tuple[str, str], ...]


class ListedToken(msgspec.Struct, frozen=True, array_like=True):
    """A token and what it is like."""

    id: str
    state: TokenState


class TokenStates(_Message, frozen=True, tag="tokens"):
    """All tokens, and what is wrong with the modules that bring them."""

    id: int
    tokens: tuple[ListedToken, ...]
    troubles: tuple[str, ...] = ()


class Counted(_Message, frozen=True, tag="counted"):
    """Size of a batch to how many there were."""

    id: int
    sizes: dict[int, int]


class Noted(_Message, frozen=True, tag="noted"):
    """Whether that changed something."""

    id: int
    changed: bool


class Done(_Message, frozen=True, tag="done"):
    """It was done."""

    id: int


class Refused(_Message, frozen=True, tag="refused"):
    """A ``Fault``; the number is 0 when it is about the conversation itself, which then ends."""

    id: int
    code: str
    text: str


Numbered = (
    SignSeal | SignDigests | SignTls | ListTokens | Login | Logout | NoteRegistered | Statistics
)
"""Requests that get an answer each."""
Request = Hello | Watch | Numbered
Answer = (
    Welcome
    | PublicRing
    | Signed
    | Octets
    | Signatures
    | TokenStates
    | Noted
    | Counted
    | Done
    | Refused
)

T = TypeVar("T")
_ENCODER = msgspec.msgpack.Encoder()
_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_ANSWERS: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def write_frame(message: Request | Answer) -> bytes:
    """A message in its frame.

    :raises Fault: ``internal_error`` when it is larger than the other side takes.
    """
    octets = _ENCODER.encode(message)
    if len(octets) > (LARGEST_REQUEST if isinstance(message, Request) else _LARGEST):
        raise _broken(f"a message of {len(octets)} octets is too large")
    return len(octets).to_bytes(_HEAD, "big") + octets


def read_request(octets: bytes) -> Request:
    """What a client said. :raises Fault: ``internal_error``: it is no request."""
    return _read(_REQUESTS, octets)


def read_answer(octets: bytes) -> Answer:
    """What the signer said. :raises Fault: ``internal_error``: it is no answer."""
    return _read(_ANSWERS, octets)


def _read(decoder: msgspec.msgpack.Decoder[T], octets: bytes) -> T:
    try:
        return decoder.decode(octets)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # What was in it may be a PIN: msgspec's text tells places, but also values of tags.
        raise _broken("a frame holds no message of this protocol") from None


class FrameReader:
    """Octets as they come, frames as they are complete.

    :param most: octets that a frame may have.
    """

    def __init__(self, most: int = _LARGEST) -> None:
        self._most = most
        self._octets = bytearray()

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return bool(self._octets)

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """The frames that are complete with these octets; take all before the next call.

        :raises Fault: ``internal_error``: a frame is going to be too large.
        """
        self._octets += octets
        while len(self._octets) >= _HEAD:
            size = int.from_bytes(self._octets[:_HEAD], "big")
            if size > self._most:
                raise _broken(f"a frame of {size} octets is too large")
            if len(self._octets) < _HEAD + size:
                return
            frame = bytes(memoryview(self._octets)[_HEAD : _HEAD + size])
            del self._octets[: _HEAD + size]
            yield frame


def _broken(why: str) -> Fault:
    return Fault("internal_error", f"On the signer's socket: {why}")
