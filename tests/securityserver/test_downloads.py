"""Downloads when something is missing: a timestamp, a record that was there a moment ago."""

from __future__ import annotations

import io
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any
from zipfile import ZipFile

import pytest
import trio

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.ids import ClientId, ServerId
from xgate.messagelog.envelope import PlainEnvelope
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.record import Outline, Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.store import Waiting
from xgate.net.client import connect
from xgate.net.errors import NetError
from xgate.net.fetch import fetch
from xgate.net.server import Exchange
from xgate.policy.world import World
from xgate.securityserver.archive_settings import ArchiveSettings
from xgate.securityserver.corridor import ask
from xgate.securityserver.gate import open_gates
from xgate.securityserver.journal import Journal
from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.settings import MessagelogSettings, TlsSettings
from xgate.serverconf.model import Authentication, Client, ServerConf
from xgate.testing.authority import Authority
from xgate.testing.conf import make_conf
from xgate.trust.asic import MIME_TYPE
from xgate.trust.verify import Evidence

CLIENT = ClientId("XG", "COM", "1", "app")
QUERY = "/asic?xRoadInstance=XG&memberClass=COM&memberCode=1&subsystemCode=app&queryId=q"
TOKEN = Stamp(b"token", b"result", b"chain")


class Get:
    """Asks a desk; ``names`` are those of the files that it sent."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.names: list[str] = []

    async def __call__(self, target: str) -> tuple[int, str, bytes]:
        url = f"http://127.0.0.1:{self._port}{target}"
        answer = await fetch(url, timeout=5.0, max_bytes=1 << 24)
        headers = {name.lower(): value for name, value in answer.headers}
        self.names.append(headers.get("content-disposition", ""))
        return answer.status, headers["content-type"], answer.body


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "log.sqlite")


def log(
    store: SqliteStore, count: int, *, stamped: bool = True, attachments: tuple[bytes, ...] = ()
) -> list[int]:
    """This many requests under the query id, all alike."""
    records = [
        Record(
            time=SystemClock().now() - timedelta(hours=number),
            owner=CLIENT,
            query_id="q",
            request_id="r",
            response=False,
            message=b"<message/>",
            attachments=attachments,
            evidence=Evidence(b"<signature/>"),
        )
        for number in range(count)
    ]
    numbers = list(store.append(records))
    if stamped:
        store.stamp(dict.fromkeys(numbers, TOKEN), {})
    return numbers


def lose(store: SqliteStore, folder: Path) -> None:
    """Take the log's files away."""
    store.close()
    for file in folder.iterdir():
        file.unlink()


class Desk:
    """A corridor over a real log and real HTTP, with nothing else of a server."""

    def __init__(self, store: SqliteStore | Forgetful) -> None:
        clock = SystemClock()
        self.lines: list[bytes] = []
        self.stamped: list[int] = []
        client = Client(CLIENT, Authentication.NOSSL)
        conf = ServerConf(ServerId(CLIENT.member, "SS"), {CLIENT: client})
        self.server: Any = SimpleNamespace(
            clock=clock,
            journal=Journal(clock, self.lines.append),
            world=SimpleNamespace(value=World(make_conf(Authority()), conf)),
            internal=SimpleNamespace(certificate=b"own"),
            gates=open_gates(LimitSettings(), lambda: 0.0),
            messagelog=SimpleNamespace(store=store),
            stamp_now=self.stamp_now,
            envelope=PlainEnvelope(),
            settings=SimpleNamespace(messagelog=MessagelogSettings(), tls=TlsSettings()),
            loaded_conf=lambda: 1 / 0,
        )

    async def stamp_now(self, waiting: Waiting) -> None:
        raise Fault("timestamping_failed", f"no service has stamped {waiting[0]}")

    async def answer(self, exchange: Exchange) -> None:
        await ask(exchange, self.server)


@asynccontextmanager
async def at(desk: Desk, serve: Any) -> AsyncIterator[Get]:
    port = await serve(desk.answer)

    yield Get(port)


async def test_a_timestamp_that_cannot_be_had_is_a_500_in_plain_words(
    serve: Any, store: SqliteStore
) -> None:
    (number,) = log(store, 1, stamped=False)
    async with at(Desk(store), serve) as get:
        status, kind, body = await get(f"{QUERY}&force")
    assert (status, kind) == (500, "text/plain; charset=UTF-8")
    assert body == f"no service has stamped {number}".encode()


async def test_an_error_of_our_own_stays_at_home(serve: Any, store: SqliteStore) -> None:
    desk = Desk(store)
    async with at(desk, serve) as get:
        status, kind, body = await get("/verificationconf")
    assert (status, kind) == (500, "text/plain; charset=UTF-8")
    assert body.startswith(b"Internal error ")
    assert b"ZeroDivisionError" in desk.lines[0]


async def test_a_log_that_is_gone_is_a_500(serve: Any, store: SqliteStore, tmp_path: Path) -> None:
    lose(store, tmp_path)
    async with at(Desk(store), serve) as get:
        status, _, body = await get(QUERY)
    assert status == 500
    assert body


@pytest.mark.parametrize("more", ["", "&requestOnly&unique"])
async def test_what_is_too_large_for_memory_comes_whole(
    serve: Any, store: SqliteStore, more: str
) -> None:
    """A container alone, with its length; and two of them in a zip that leaves while it is made."""
    body = random.Random(1).randbytes(3 << 20)
    for number in log(store, 1 if more else 2, attachments=(body,)):
        (logged,) = store.find(number=number)
        name, octets = write_evidence(logged)
    async with at(Desk(store), serve) as get:
        status, kind, answer = await get(QUERY + more)
    assert status == 200
    if more:
        assert (kind, answer) == (MIME_TYPE, octets)
        return
    with ZipFile(io.BytesIO(answer)) as bundle:
        assert bundle.testzip() is None
        assert len(bundle.namelist()) == 2
        assert bundle.read(name) == octets


class Watched(SqliteStore):
    """A log that knows how many readings of it are open."""

    reading = 0

    def outlines(self, **filters: Any) -> Iterator[Outline]:
        return self._watched(super().outlines(**filters))

    def read_part(self, outline: Outline, place: int) -> Iterator[bytes]:
        return self._watched(super().read_part(outline, place))

    def _watched(self, found: Iterator[Any]) -> Iterator[Any]:
        self.reading += 1
        try:
            yield from found
        finally:
            self.reading -= 1


@pytest.mark.parametrize("more", ["", "&requestOnly&unique"])
async def test_no_reading_is_open_while_a_client_takes_its_time(
    serve: Any, tmp_path: Path, more: str
) -> None:
    store = Watched(tmp_path / "log.sqlite")
    log(store, 1 if more else 2, attachments=(random.randbytes(16 << 20),))
    port = await serve(Desk(store).answer)
    connection = await connect("127.0.0.1", port, timeout=5.0)
    await connection.request("GET", f"{QUERY}{more}", [])
    head = await connection.receive_head()
    assert (head.status, len(await connection.receive()) > 0) == (200, True)
    assert store.reading == 0
    await connection.aclose()


class Forgetful:
    """A log whose records go (or lose their stamp) after they were found once."""

    def __init__(self, store: SqliteStore, keep: set[int]) -> None:
        self.store = store
        self.keep = keep

    def outlines(self, *, number: int | None = None, **filters: Any) -> Any:
        if number is not None and number not in self.keep:
            return iter(())
        return self.store.outlines(number=number, **filters)

    def read_part(self, outline: Outline, place: int) -> Any:
        return self.store.read_part(outline, place)


@pytest.mark.parametrize("more", ["", "&requestOnly&unique"])
async def test_records_that_went_meanwhile_are_none(
    serve: Any, store: SqliteStore, more: str
) -> None:
    log(store, 2)
    async with at(Desk(Forgetful(store, set())), serve) as get:
        status, _, body = await get(QUERY + more)
    assert (status, body) == (404, b"No signed documents found")


async def test_what_is_left_is_handed_out(serve: Any, store: SqliteStore) -> None:
    numbers = log(store, 3)
    async with at(Desk(Forgetful(store, {numbers[1]})), serve) as get:
        status, kind, body = await get(QUERY)
    assert (status, kind) == (200, "application/zip")
    assert body.count(b"PK\x01\x02") >= 1
    assert body.count(f"q-request-{numbers[1]}.asice".encode()) == 2  # its header, the directory


async def test_a_failure_on_the_way_cuts_the_answer_off(serve: Any, store: SqliteStore) -> None:
    """What came could be taken for the whole of it otherwise."""
    first, second = log(store, 2)
    store.stamp({second: TOKEN}, {})

    class Failing(Forgetful):
        def read_part(self, outline: Outline, place: int) -> Any:
            if outline.id == second:
                raise Fault("logging_failed.database_error", "gone")
            return super().read_part(outline, place)

    async with at(Desk(Failing(store, {first, second})), serve) as get:
        with pytest.raises(NetError):
            await get(QUERY)


class Backwards:
    """An envelope that can be looked into; it notes for whom it was made."""

    encrypted = True

    def __init__(self) -> None:
        self.members: list[ClientId | None] = []

    @contextmanager
    def open(self, path: Path, member: ClientId | None) -> Iterator[IO[bytes]]:
        self.members.append(member)
        kept = io.BytesIO()
        yield kept
        path.write_bytes(kept.getvalue()[::-1])


@pytest.mark.parametrize(("grouping", "member"), [("none", None), ("member", CLIENT.member)])
async def test_where_archives_are_encrypted_downloads_are_so_for_the_same_readers(
    serve: Any, store: SqliteStore, grouping: str, member: ClientId | None
) -> None:
    (number,) = log(store, 1)
    plain, sealed = Desk(store), Desk(store)
    envelope = sealed.server.envelope = Backwards()
    archive = ArchiveSettings(grouping=grouping)  # type: ignore[arg-type]  # one of its words
    sealed.server.settings.messagelog = MessagelogSettings(archive=archive)
    async with at(plain, serve) as open_get, at(sealed, serve) as get:
        for flags, name in (
            ("", "q.zip.gpg"),
            ("&requestOnly&unique", f"q-request-{number}.asice.gpg"),
        ):
            _, _, clear = await open_get(QUERY + flags)
            status, kind, body = await get(QUERY + flags)
            assert (status, kind) == (200, "application/octet-stream")
            assert body[::-1] == clear
            assert get.names[-1] == f'attachment; filename="{name}"'
    assert envelope.members == [member] * 2


async def test_what_cannot_be_encrypted_is_not_handed_out(serve: Any, store: SqliteStore) -> None:
    log(store, 1)

    class Broken(Backwards):
        @contextmanager
        def open(self, path: Path, member: ClientId | None) -> Iterator[IO[bytes]]:
            yield io.BytesIO()
            raise Fault("archive_encryption_failed", "The archive is not encrypted: no key")

    desk = Desk(store)
    desk.server.envelope = Broken()
    async with at(desk, serve) as get:
        status, kind, body = await get(QUERY)
    assert (status, kind) == (500, "text/plain; charset=UTF-8")
    assert body == b"The archive is not encrypted: no key"


@pytest.mark.parametrize("more", ["", "&requestOnly&unique"])
async def test_nothing_to_encrypt(serve: Any, store: SqliteStore, more: str) -> None:
    log(store, 1)
    desk = Desk(Forgetful(store, set()))
    desk.server.envelope = Backwards()
    async with at(desk, serve) as get:
        status, _, _ = await get(QUERY + more)
    assert status == 404


async def test_many_at_once_wait_for_their_turn(serve: Any, store: SqliteStore) -> None:
    log(store, 20)
    bodies: list[bytes] = []
    async with at(Desk(store), serve) as get:

        async def one() -> None:
            bodies.append((await get(QUERY))[2])

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(one)
    assert len(set(bodies)) == 1
    assert bodies[0].count(b"-request-") == 40
