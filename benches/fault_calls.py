"""Information systems that send messages whatever happens, and remember what was acknowledged.

The rule: a message is acknowledged when its whole answer has come, and is the answer to it. Then,
and not before, a line about it goes to the journal. Nothing is ever sent twice; each message has an
id of its own. Nothing of the security server's insides is used to make or read a message.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

import trio

from http1 import Message, take_message
from xgate.sandbox.country import CONSUMER, PROVIDER, Country
from xgate.sandbox.messages import multipart_related, soap_request

__all__ = ["Acknowledged", "Callers", "digest", "read_journal"]

_PATIENCE = 20.0  # seconds for an answer
_CHUNK = 1 << 16
_PAUSE = (0.0, 0.05)
_FAILED_PAUSE = 0.1
_BODIES = (0, 1, 100, 1024, 40_000, 300_000)
_SOAP = 0.4  # how many messages are SOAP
_ATTACHED = 0.3  # and how many of these have an attachment
_KEPT = 0.8  # how many connections live on after an answer
_CODE = re.compile(rb"<faultcode[^>]*>([^<]*)<")


class Acknowledged(NamedTuple):
    """One line of the journal: digests of the body or envelope sent, and of what was answered."""

    id: str
    protocol: str
    request: str
    answer: str


class _Call(NamedTuple):
    id: str
    protocol: str
    octets: bytes
    body: bytes
    """What is signed of it: the REST body, the SOAP envelope."""


class Callers:
    """Some tasks that send one message after the other."""

    def __init__(self, country: Country, journal: Path, seed: int) -> None:
        """:param journal: a file to be made."""
        self.acknowledged: Counter[str] = Counter()
        """How many messages, by protocol."""
        self.refused: Counter[str] = Counter()
        """How many messages, by the code of the error that came instead of an answer."""
        self.unanswered: Counter[str] = Counter()
        """How many messages got no whole answer, by what happened."""
        self.wrong: list[str] = []
        """Answers that were whole and good, and not to the message that was sent."""
        self._address = (country.consumer.address, country.ports.client)
        self._journal = journal.open("x")
        self._seed = seed
        self._stopping = False
        self._began: dict[str, float] = {}
        self._news = trio.Event()

    async def run(self, tasks: int) -> None:
        """Send until ``stop``."""
        async with trio.open_nursery() as nursery:
            for number in range(tasks):
                nursery.start_soon(self._send_on, number)
        self._journal.close()

    def stop(self) -> None:
        """Let each task finish the message it is at."""
        self._stopping = True

    async def wait_served(self) -> float:
        """Wait for messages of both protocols that were sent from now on and were acknowledged.

        :returns: the seconds that it took.
        """
        now = time.monotonic()
        while len(self._began) < 2 or min(self._began.values()) < now:
            self._news = trio.Event()
            await self._news.wait()
        return time.monotonic() - now

    async def _send_on(self, number: int) -> None:
        random = Random(f"{self._seed}/{number}")
        stream: trio.SocketStream | None = None
        count = 0
        while not self._stopping:
            count += 1
            call = _draw(random, f"m{number}-{count}")
            began = time.monotonic()
            answer: Message | None = None
            try:
                with trio.fail_after(_PATIENCE):
                    stream = stream or await trio.open_tcp_stream(*self._address)
                    answer = await _exchange(stream, call.octets)
            except (OSError, trio.BrokenResourceError, trio.TooSlowError, ValueError) as error:
                self.unanswered[type(error).__name__] += 1
            else:
                self._take(call, answer, began)
            if stream is not None and (answer is None or random.random() > _KEPT or _over(answer)):
                await trio.aclose_forcefully(stream)
                stream = None
            pause = random.uniform(*_PAUSE)
            await trio.sleep(pause if answer else _FAILED_PAUSE)
        if stream is not None:
            await trio.aclose_forcefully(stream)

    def _take(self, call: _Call, answer: Message, began: float) -> None:
        refusal = _refusal(answer)
        if refusal is not None:
            self.refused[refusal] += 1
        elif not _fits(call, answer):
            self.wrong.append(f"{call.id} got an answer that is not its own")
        else:
            line = Acknowledged(call.id, call.protocol, digest(call.body), digest(answer.body))
            self._journal.write(json.dumps(line) + "\n")
            self._journal.flush()
            self.acknowledged[call.protocol] += 1
            self._began[call.protocol] = began
            self._news.set()


def read_journal(path: Path) -> dict[str, Acknowledged]:
    """What was acknowledged, by id."""
    with path.open() as lines:
        found = (Acknowledged(*json.loads(line)) for line in lines)
        return {entry.id: entry for entry in found}


def digest(octets: bytes) -> str:
    """As it stands in the journal."""
    return hashlib.sha512(octets).hexdigest()


def _draw(random: Random, call_id: str) -> _Call:
    size = random.choice(_BODIES)
    if random.random() >= _SOAP:
        body = random.randbytes(size)
        target = f"/r1/{PROVIDER.url}/echo/echo"
        return _Call(
            call_id, "REST", _post(target, "application/octet-stream", body, call_id), body
        )
    envelope = soap_request(CONSUMER, PROVIDER, "getRandom", call_id, content="x" * size)
    kind, body = "text/xml; charset=UTF-8", envelope
    if random.random() < _ATTACHED:
        attachment = random.randbytes(random.choice(_BODIES))
        kind, body = multipart_related(envelope, [("application/octet-stream", attachment)])
    return _Call(call_id, "SOAP", _post("/", kind, body), envelope)


def _post(target: str, kind: str, body: bytes, rest_id: str = "") -> bytes:
    rest = f"X-Road-Client: {CONSUMER.url}\r\nX-Road-Id: {rest_id}\r\n" if rest_id else ""
    head = (
        f"POST {target} HTTP/1.1\r\nHost: consumer\r\n{rest}Content-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _exchange(stream: trio.SocketStream, octets: bytes) -> Message:
    """:raises ValueError: what came is no answer. :raises OSError: or no whole one."""
    await stream.send_all(octets)
    held = bytearray()
    while (answer := take_message(held)) is None:
        data = await stream.receive_some(_CHUNK)
        if not data:
            raise ConnectionError("closed in the middle")
        held += data
    if len(held) != answer.size:
        raise ValueError("more than one answer")
    return answer


def _over(answer: Message) -> bool:
    return b"\r\nconnection: close" in answer.head.lower()


def _refusal(answer: Message) -> str | None:
    """The code of an error; None: it is an answer."""
    for line in answer.head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"x-road-error":
            return value.strip().decode("latin-1")
    if (code := _CODE.search(answer.body)) is not None:
        return code[1].decode("latin-1").strip()
    return None if answer.status == 200 else f"status {answer.status}"


def _fits(call: _Call, answer: Message) -> bool:
    if call.protocol == "REST":
        return answer.body == call.body
    return f">{call.id}<".encode() in answer.body and b"getRandomResponse" in answer.body
