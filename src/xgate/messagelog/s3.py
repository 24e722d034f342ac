"""Archives kept in an S3-compatible store.

The rule: one PUT with the body's size and digest in front, streamed from the disk; only a 200 means
that it is kept, and a PUT that is repeated puts the same object in its own place. The store checks
the digest, and keeps a checksum with the object (which buckets with object lock ask for).
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import trio

from xgate.clock import Clock
from xgate.messagelog.aws_signature import AccessKey, encode_path, sign_request
from xgate.net.errors import HttpError
from xgate.net.fetch import Response, fetch

__all__ = ["S3Target"]

_PIECE = 1 << 16
_ANSWER_BYTES = 64 << 10
_SLOWEST = 64 << 10  # octets per second; slower than that is as good as not at all
_CODE = re.compile(rb"<(Code|Message)>([^<]{1,300})</\1>")


class _Run(Protocol):
    def __call__(
        self, call: Callable[[Path, str], Awaitable[None]], file: Path, name: str, /
    ) -> None: ...


class S3Target:
    """An ``ArchiveTarget`` in a bucket."""

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        key: AccessKey,
        clock: Clock,
        *,
        region: str = "us-east-1",
        prefix: str = "",
        timeout: float = 60.0,
        run: _Run = trio.from_thread.run,
    ) -> None:
        """:param endpoint: ``https://host[:port]``; the bucket becomes the first piece of the path.
        :param prefix: of the objects' names, with its ``/`` if it should look like a folder.
        :param timeout: seconds, beside what the size of the file allows for.
        :param run: how to run an async function: ``trio.from_thread.run`` in a thread of trio's,
            ``trio.run`` elsewhere.
        :raises ValueError: not such an endpoint.
        """
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"not an endpoint of the form https://host[:port]: {endpoint!r}")
        self._base = f"{parts.scheme}://{parts.netloc}"
        # As the client sends it: the scheme's own port is left out.
        self._host = parts.netloc.removesuffix(":443" if parts.scheme == "https" else ":80")
        self._folder = f"/{bucket}/{prefix}"
        self._key = key
        self._clock = clock
        self._region = region
        self._timeout = timeout
        self._run = run

    def put(self, file: Path, name: str) -> None:
        """Keep a file (``ArchiveTarget.put``).

        :raises NetError: the store cannot be reached, or refuses; ``HttpError`` says why.
        """
        self._run(self._put, file, name)

    async def _put(self, file: Path, name: str) -> None:
        digest, size = await trio.to_thread.run_sync(_measure, file)
        path = encode_path(self._folder + name)
        headers = sign_request(
            self._key,
            self._region,
            method="PUT",
            host=self._host,
            path=path,
            headers=[
                ("Content-Length", str(size)),
                ("Content-Type", "application/octet-stream"),
                ("X-Amz-Checksum-Sha256", b64encode(digest).decode()),
            ],
            body_sha256=digest.hex(),
            at=self._clock.now(),
        )
        async with aclosing(_pieces(file)) as body:
            answer = await fetch(
                self._base + path,
                method="PUT",
                headers=headers,
                body=body,
                timeout=self._timeout + size / _SLOWEST,
                max_bytes=_ANSWER_BYTES,
                clock=self._clock,
            )
        _check(answer, name)


def _measure(file: Path) -> tuple[bytes, int]:
    with file.open("rb") as octets:
        digest = hashlib.file_digest(octets, "sha256").digest()
        return digest, octets.tell()


async def _pieces(file: Path) -> AsyncGenerator[bytes, None]:
    async with await trio.open_file(file, "rb") as octets:
        while piece := await octets.read(_PIECE):
            yield piece


def _check(answer: Response, name: str) -> None:
    if answer.status == 200:
        return
    said = {kind: text.decode("utf-8", "replace") for kind, text in _CODE.findall(answer.body)}
    why = f": {said.get(b'Code', '')} {said.get(b'Message', '')}".rstrip(" :")
    raise HttpError(f"'{name}' was not stored: {answer.status} {answer.reason}".rstrip() + why)
