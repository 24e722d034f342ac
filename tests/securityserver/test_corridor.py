"""The edge: every refusal in the words of whoever asked, and nothing of our insides."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from xgate.errors import Fault
from xgate.net.errors import ClosedError
from xgate.net.fetch import Response, fetch
from xgate.net.room import Room
from xgate.net.server import Exchange
from xgate.opmonitor.buffer import OperationalBuffer
from xgate.sandbox.places import CONSUMER, PROVIDER
from xgate.securityserver import corridor
from xgate.securityserver.gate import NoMemoryError, open_gates
from xgate.securityserver.journal import Journal
from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.settings import FaultSettings, PeerSettings, SpoolSettings, TlsSettings
from xgate.testing.clock import FakeClock
from xgate.wire.faults import read_soap_fault, write_soap_fault
from xgate.wire.fields import find_header

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]

REST = f"/r1/{PROVIDER.url}/people/x"
RAW = write_soap_fault(Fault("Server.ServerProxy.AccessDenied", "old words", detail="theirs"))


class Edge:
    """One side's edge, with a journey that does as it is told, and the lines it logs."""

    def __init__(
        self,
        serve: Serve,
        monkeypatch: pytest.MonkeyPatch,
        side: str,
        faults: FaultSettings | None = None,
    ) -> None:
        self.lines: list[dict[str, Any]] = []
        journal = Journal(FakeClock(), lambda line: self.lines.append(json.loads(line)))
        parts = {
            "clock": FakeClock(),
            "journal": journal,
            "opdata": OperationalBuffer(),
            "gates": open_gates(LimitSettings(), lambda: 0.0),
            "own_address": "192.0.2.7",
            "settings": SimpleNamespace(
                peers=PeerSettings(),
                faults=faults or FaultSettings(),
                spool=SpoolSettings(),
                tls=TlsSettings(),
            ),
        }
        self._server = cast("SecurityServer", SimpleNamespace(**parts))
        self._serve = serve
        self._patch = monkeypatch
        self._side = side

    async def ask(self, error: BaseException, target: str = REST, **headers: str) -> Response:
        """What a caller gets when the journey raises ``error``."""

        async def journey(*_: object) -> None:
            raise error

        self._patch.setattr(corridor, "relay" if self._side == "client" else "serve", journey)
        edge = corridor.ask if self._side == "client" else corridor.provide

        async def handle(exchange: Exchange) -> None:
            await edge(exchange, self._server)

        url = f"http://127.0.0.1:{await self._serve(handle)}{target}"
        return await fetch(url, method="POST", headers=list(headers.items()))


@pytest.fixture
def client(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Edge:
    return Edge(serve, monkeypatch, "client")


@pytest.fixture
def provider(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Edge:
    return Edge(serve, monkeypatch, "server")


async def test_rest_is_refused_in_json_with_the_code_in_a_header(client: Edge) -> None:
    answer = await client.ask(Fault("unknown_member", f"Client '{CONSUMER}' not found"))
    code = "server.clientproxy.unknown_member"
    assert (answer.status, find_header(answer.headers, "x-road-error")) == (500, code)
    said = json.loads(answer.body)
    assert (said["type"], said["message"]) == (code, f"Client '{CONSUMER}' not found")
    (line,) = client.lines
    assert (line["code"], line["detail"]) == (code, said["detail"])


async def test_rest_is_refused_in_xml_when_that_is_accepted(client: Edge) -> None:
    answer = await client.ask(Fault("unknown_member", "no"), Accept="application/xml")
    assert b"<type>server.clientproxy.unknown_member</type>" in answer.body


async def test_soap_is_refused_with_200_and_a_fault(client: Edge) -> None:
    answer = await client.ask(Fault("client.invalid_soap", "no"), "/")
    assert answer.status == 200
    fault = read_soap_fault(answer.body)
    assert (fault.code, fault.text) == ("client.invalid_soap", "no")


async def test_another_partys_fault_keeps_its_words(client: Edge, provider: Edge) -> None:
    theirs = read_soap_fault(RAW)
    assert (await client.ask(theirs, "/")).body == RAW
    as_rest = await client.ask(theirs)
    # An old peer's code is not a `server.` code to a 7.8 client proxy (rest-protocol 7).
    assert find_header(as_rest.headers, "x-road-error") == theirs.code
    assert (await provider.ask(theirs)).body == RAW


async def test_a_peer_is_refused_with_200_and_a_fault(provider: Edge) -> None:
    answer = await provider.ask(Fault("access_denied", "no"), "/")
    assert answer.status == 200
    assert find_header(answer.headers, "content-type") == "text/xml;charset=utf-8"
    assert read_soap_fault(answer.body).code == "server.serverproxy.access_denied"


@pytest.mark.parametrize("side", ["client", "server"])
async def test_our_own_defect_crosses_the_wire_as_an_id_only(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    edge = Edge(serve, monkeypatch, side)
    answer = await edge.ask(RuntimeError("password=hunter2"), "/")
    fault = read_soap_fault(answer.body)
    assert fault.code == f"server.{side}proxy.internal_error"
    assert b"hunter2" not in answer.body
    crash, line = edge.lines
    assert "hunter2" in crash["trace"]
    assert crash["detail"] == line["detail"] == fault.detail


async def test_a_system_without_means_names_its_files_in_its_own_log_alone(client: Edge) -> None:
    answer = await client.ask(OSError(28, "No space left on device", "/secret/path"), "/")
    fault = read_soap_fault(answer.body)
    assert (fault.code, fault.text) == ("server.clientproxy.io_error", "No space left on device")
    assert b"secret" not in answer.body
    means, line = client.lines
    assert (means["event"], means["detail"]) == ("no means for an exchange", fault.detail)
    assert "/secret/path" in means["cause"]
    assert line["detail"] == fault.detail


@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (Fault("network_error", "later", limit="[limits] exchanges = 1"), "[limits] exchanges = 1"),
        (NoMemoryError("[limits] memory-bytes = 1"), "[limits] memory-bytes = 1"),
        (Room(each=4).refusal("each", 27, "large"), f"[spool] message-bytes = {16 << 30}"),
    ],
)
@pytest.mark.parametrize("side", ["client", "server"])
async def test_the_limit_that_was_met_is_told_in_our_log_alone(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, side: str, error: Exception, limit: str
) -> None:
    edge = Edge(serve, monkeypatch, side)
    answer = await edge.ask(error, "/")
    (line,) = edge.lines
    assert line["limit"] == limit
    assert b"[" not in answer.body


async def test_a_databases_own_words_stay_in_our_log(client: Edge) -> None:
    words = "connection to 10.0.0.7 as xgate failed"
    answer = await client.ask(Fault("logging_failed.database_error", words), "/")
    assert b"10.0.0.7" not in answer.body
    assert read_soap_fault(answer.body).text == "The message log cannot be read now"
    (line,) = client.lines
    assert line["cause"] == words


async def test_a_caller_that_goes_away_is_logged_and_gets_no_fault(client: Edge) -> None:
    answer = await client.ask(ClosedError("gone"), "/")
    assert find_header(answer.headers, "content-type") == "text/plain"
    assert b"Fault" not in answer.body
    (line,) = client.lines
    assert line["code"] == "client.io_error"


async def test_a_bad_target_is_the_front_servers_own_400(client: Edge) -> None:
    answer = await client.ask(AssertionError("the journey must not begin"), "/r1//x")
    assert answer.status == 400
    assert find_header(answer.headers, "x-road-error") is None
    assert client.lines[0]["code"] == "bad_request"


async def test_codes_leave_in_the_old_spelling_on_demand(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = Edge(serve, monkeypatch, "client", FaultSettings(to_callers="old"))
    rest = await edge.ask(Fault("unknown_member", "no"))
    soap = await edge.ask(Fault("unknown_member", "no"), "/")
    old = "Server.ClientProxy.UnknownMember"
    assert (rest.status, find_header(rest.headers, "x-road-error")) == (500, old)
    assert (json.loads(rest.body)["type"], read_soap_fault(soap.body).code) == (old, old)
    assert {line["code"] for line in edge.lines} == {"server.clientproxy.unknown_member"}
    relayed = await edge.ask(read_soap_fault(write_soap_fault(Fault("server.x_y", "theirs"))), "/")
    assert read_soap_fault(relayed.body).code == "server.x_y"


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("7.7.1", "Server.ServerProxy.AccessDenied"),
        ("7.8.0-SNAPSHOT", "server.serverproxy.access_denied"),
        ("7.8.0", "server.serverproxy.access_denied"),
        ("8.0.0", "server.serverproxy.access_denied"),
        ("none", "server.serverproxy.access_denied"),
    ],
)
async def test_a_peer_is_refused_in_the_spelling_of_its_version_on_demand(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, version: str, code: str
) -> None:
    edge = Edge(serve, monkeypatch, "server", FaultSettings(to_peers="theirs"))
    answer = await edge.ask(Fault("access_denied", "no"), **{"x-proxy-version": version})
    assert read_soap_fault(answer.body).code == code
