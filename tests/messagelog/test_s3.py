"""Archives in a bucket: a small server of our own checks each signature and keeps the files."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from xgate.clock import SystemClock
from xgate.messagelog.aws_signature import AccessKey
from xgate.messagelog.s3 import S3Target
from xgate.net.errors import ConnectError, HttpError
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.testing.authority import NOW
from xgate.testing.clock import FakeClock

SECRET = b"a secret/with+signs"
KEY = AccessKey("ID", SECRET.decode())
CONTENT = bytes(range(256)) * 1000 + b"end"
NAME = "mlog-XG_COM_äö x-20240101000000-20240101000000-0011223344556677.zip"


class Bucket:
    """A server that takes PUTs as AWS describes it; written from its description alone."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.answer: tuple[int, bytes] | None = None
        self.url = ""

    async def serve(self, exchange: Exchange) -> None:
        if self.answer is not None:
            status, body = self.answer
            await exchange.respond(status, [("Content-Type", "application/xml")], body)
            return
        octets = bytearray()
        while piece := await exchange.receive():
            octets += piece
        body = bytes(octets)
        why = self.fault(exchange, body)
        if why:
            error = f"<Error><Code>{why}</Code><Message>no</Message></Error>".encode()
            await exchange.respond(403, [], error)
        else:
            self.kept[exchange.target] = body
            await exchange.respond(200, [("ETag", '"x"')], b"")

    def fault(self, exchange: Exchange, body: bytes) -> str:
        digest = hashlib.sha256(body)
        if exchange.find_header("x-amz-content-sha256") != digest.hexdigest():
            return "XAmzContentSHA256Mismatch"
        checksum = exchange.find_header("x-amz-checksum-sha256") or ""
        if b64decode(checksum) != digest.digest():
            return "BadDigest"
        if exchange.find_header("content-length") != str(len(body)):
            return "MissingContentLength"
        algorithm, _, rest = (exchange.find_header("authorization") or "").partition(" ")
        said = dict(piece.strip().split("=", 1) for piece in rest.split(","))
        key_id, day, region, service, last = said["Credential"].split("/")
        date = exchange.find_header("x-amz-date") or ""
        if (algorithm, key_id, date[:8]) != ("AWS4-HMAC-SHA256", "ID", day):
            return "InvalidAccessKeyId"
        names = said["SignedHeaders"].split(";")
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names):
            return "AccessDenied"
        lines = [f"{name}:{exchange.find_header(name)}" for name in names]
        request = "\n".join(
            [exchange.method, exchange.target, "", *lines, "", ";".join(names), digest.hexdigest()]
        )
        hashed = hashlib.sha256(request.encode()).hexdigest()
        text = f"{algorithm}\n{date}\n{day}/{region}/{service}/{last}\n{hashed}"
        secret = b"AWS4" + SECRET
        for piece in (day, region, service, last, text):
            secret = hmac.new(secret, piece.encode(), hashlib.sha256).digest()
        good = hmac.compare_digest(secret.hex(), said["Signature"])
        return "" if good else "SignatureDoesNotMatch"


@pytest.fixture
async def bucket() -> AsyncIterator[Bucket]:
    async with a_bucket() as made:
        yield made


@asynccontextmanager
async def a_bucket() -> AsyncIterator[Bucket]:
    made = Bucket()
    async with trio.open_nursery() as nursery:
        listeners = await listen_on("127.0.0.1", 0)
        await nursery.start(
            serve_listeners,
            listeners,
            lambda stream: serve_connection(stream, made.serve, ServerLimits(), SystemClock()),
        )
        made.url = f"http://127.0.0.1:{listeners[0].getsockname()[1]}"
        yield made
        nursery.cancel_scope.cancel()


def target(bucket: Bucket, **more: object) -> S3Target:
    key = more.pop("key", KEY)
    assert isinstance(key, AccessKey)
    return S3Target(bucket.url, "archives", key, FakeClock(NOW), **more)  # type: ignore[arg-type]  # a test's own


async def put(made: S3Target, file: Path, name: str = NAME) -> None:
    """As the archiver does: from a thread."""
    await trio.to_thread.run_sync(made.put, file, name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    path.write_bytes(CONTENT)
    return path


async def test_a_file_is_kept_once_however_often_it_is_put(bucket: Bucket, file: Path) -> None:
    made = target(bucket, prefix="xgate/", region="eu-north-1")
    await put(made, file)
    await put(made, file)
    path = (
        "/archives/xgate/mlog-XG_COM_%C3%A4%C3%B6%20x-20240101000000-20240101000000"
        "-0011223344556677.zip"
    )
    assert bucket.kept == {path: CONTENT}


async def test_an_empty_file_and_keys_lent_for_a_time(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    await put(target(bucket, key=AccessKey("ID", KEY.secret, "token")), tmp_path / "empty", "a")
    assert bucket.kept == {"/archives/a": b""}


async def test_who_signs_with_another_secret_is_told_why_he_is_refused(
    bucket: Bucket, file: Path
) -> None:
    with pytest.raises(HttpError, match="403 Forbidden: SignatureDoesNotMatch no"):
        await put(target(bucket, key=AccessKey("ID", "wrong")), file)
    assert bucket.kept == {}


@pytest.mark.parametrize("status", [201, 204, 301, 403, 500, 503])
async def test_only_a_200_means_kept(bucket: Bucket, file: Path, status: int) -> None:
    bucket.answer = (status, b"" if status == 204 else b"<Error><Code>Some</Code></Error>")
    with pytest.raises(HttpError, match=f"was not stored: {status}"):
        await put(target(bucket), file)


async def test_a_refusal_before_the_end_of_a_large_file_is_heard(
    bucket: Bucket, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    with large.open("wb") as out:
        out.truncate(30 << 20)
    bucket.answer = (403, b"<Error><Code>AccessDenied</Code></Error>")
    with pytest.raises(HttpError, match="AccessDenied"):
        await put(target(bucket), large)


async def test_a_store_that_is_away_is_an_error_of_the_net(file: Path) -> None:
    async with a_bucket() as gone:
        pass
    with pytest.raises(ConnectError):
        await put(target(gone), file)


async def test_it_runs_where_there_is_no_trio_thread(bucket: Bucket, file: Path) -> None:
    def run(call: Callable[[Path, str], Awaitable[None]], path: Path, name: str) -> None:
        trio.run(call, path, name)

    made = target(bucket, run=run)
    await trio.to_thread.run_sync(partial(made.put, file, "a"))
    assert list(bucket.kept) == ["/archives/a"]


@pytest.mark.parametrize("url", ["", "s3://bucket", "https://", "http://host/path", "host:9000"])
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not an endpoint"):
        S3Target(url, "b", KEY, FakeClock(NOW))
