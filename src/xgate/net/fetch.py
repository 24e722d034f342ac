"""Small HTTP calls off the hot path: configuration, OCSP, timestamps.

The rule: one call, one connection, one bound for time and one for size; HTTPS is verified as the
web does it, against the system's roots or given ones. No redirect is followed.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import warnings
from collections.abc import AsyncIterable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import IO, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec
import trio
from cryptography import x509
from cryptography.x509 import verification

from xgate.clock import Clock, SystemClock
from xgate.net.body import Spool
from xgate.net.client import ClientConnection, connect
from xgate.net.context import service_context
from xgate.net.errors import ClosedError, TimedOutError, TlsError
from xgate.net.http import HeaderList
from xgate.net.room import Room
from xgate.net.stream import Octets

__all__ = ["Response", "Verify", "fetch"]

Verify = Literal["name", "chain", "nothing"]
"""How much of an HTTPS server's certificate is verified."""


class Response(msgspec.Struct, frozen=True):
    """A whole answer; headers in arrival order and case."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


async def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: HeaderList = (),
    body: Octets | AsyncIterable[Octets] = b"",
    timeout: float = 30.0,
    connect_timeout: float | None = None,
    max_bytes: int = 10 << 20,
    roots: Sequence[bytes] | None = None,
    verify: Verify = "name",
    clock: Clock | None = None,
) -> Response:
    """Make one call and return its answer, whatever its status.

    :param url: ``http`` or ``https``, without credentials. :param timeout: seconds for all of it.
    :param connect_timeout: seconds of these for the connection; None: as many.
    :param body: one that is iterated over needs a ``Content-Length`` or is chunked.
    :param max_bytes: most octets of an answer's body.
    :param roots: DER certificates to trust for HTTPS; the system's if None. A server whose own
        certificate is among them is trusted whatever else that says.
    :param verify: what an HTTPS server's certificate is held against: roots and ``name``, roots
        alone (``chain``), or ``nothing``: for what is proven otherwise.
    :param clock: for the certificates' validity.
    :raises ValueError: not such a URL. :raises NetError: by its kind what failed: ``ConnectError``,
        ``TlsError``, ``TimedOutError``, ``HttpError``, ``ClosedError``, ``TooBigError``.
    """
    parts = _read_url(url)
    with trio.move_on_after(timeout):
        patience = timeout if connect_timeout is None else connect_timeout
        connection = await _open(parts, patience, roots, verify, clock or SystemClock())
        try:
            with suppress(ClosedError):  # it takes no more, and may have answered why
                await connection.request(method, _target(parts), [*headers, *_CLOSE], body)
            head = await connection.receive_head()
            answer = await _read_body(connection, max_bytes)
            return Response(head.status, head.reason, head.headers, answer)
        finally:
            await connection.aclose()
    raise TimedOutError(f"{parts.hostname} did not answer in {timeout:g} s")


_CLOSE = (("Connection", "close"),)
_LARGE = 1 << 20  # octets


def _read_url(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(f"not a plain http or https address: {url!r}")
    if not url.isascii() or any(letter <= " " for letter in url):
        raise ValueError(f"this address has characters that must be escaped: {url!r}")
    return parts


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


async def _open(
    parts: SplitResult,
    timeout: float,
    roots: Sequence[bytes] | None,
    verify: Verify,
    clock: Clock,
) -> ClientConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return await connect(host, parts.port or 80, timeout=timeout)
    connection = await connect(host, parts.port or 443, tls=service_context(), timeout=timeout)
    try:
        if verify != "nothing":
            name = host if verify == "name" else None
            _check_server(connection.stream.peer_chain, name, roots, clock)
    except BaseException:
        await connection.aclose()
        raise
    return connection


async def _read_body(connection: ClientConnection, limit: int) -> bytes:
    """What is large gathers outside of the heap and is copied once, while the loop goes on."""
    with Spool(limit=limit, threshold=_LARGE, share=_Memory().share()) as body:
        while piece := await connection.receive():
            body.write(piece)
        if body.size <= _LARGE:
            return body.read()
        return await trio.to_thread.run_sync(body.read)


class _Memory(Room):
    """Files that are memory, which the kernel takes back at once."""

    def open(self) -> IO[bytes]:
        return os.fdopen(os.memfd_create("xgate-answer", os.MFD_CLOEXEC), "w+b", buffering=0)


def _check_server(
    chain: Sequence[bytes], host: str | None, roots: Sequence[bytes] | None, clock: Clock
) -> None:
    """Verify a web server's certificate for its name; None: for any name that it has.

    :raises TlsError: it does not hold.
    """
    if roots is not None and chain and chain[0] in roots:
        return
    try:
        leaf, *others = (x509.load_der_x509_certificate(der) for der in chain)
        trusted = _system_roots() if roots is None else _load(roots)
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store(trusted))
            .time(clock.now())
            .build_server_verifier(_subject(host) if host is not None else _a_name_of(leaf))
        )
        verifier.verify(leaf, others)
    except (verification.VerificationError, ValueError) as error:
        whose = host or "the server"
        raise TlsError(f"the certificate of {whose} is not trusted: {error}") from None


def _a_name_of(leaf: x509.Certificate) -> x509.DNSName | x509.IPAddress:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise ValueError("it has no name") from None
    for name in names:
        if isinstance(name, x509.DNSName | x509.IPAddress):
            return name
    raise ValueError("it has no name")


def _subject(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@lru_cache(maxsize=1)
def _system_roots() -> list[x509.Certificate]:
    roots: list[x509.Certificate] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some roots of the web have serial numbers of old custom
        for der in ssl.create_default_context().get_ca_certs(binary_form=True):
            with suppress(ValueError):  # one that pyca cannot read vouches for nobody
                roots += _load([der])
    return roots


def _load(ders: Sequence[bytes]) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(der) for der in ders]
