"""Ports: free, our own, or somebody else's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trio
from tests.cli.doctor.conftest import Patient

from xgate.cli.doctor.case import Case
from xgate.cli.doctor.doors import check_ports, near_address
from xgate.clock import SystemClock
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.securityserver.health_settings import HealthSettings
from xgate.securityserver.settings import ListenSettings, Settings

DOORS = ("client-http-port", "client-https-port", "server-port", "ocsp-port")


Handler = Callable[[Exchange], Awaitable[None]]
Serve = Callable[[Handler], Awaitable[int]]


@pytest.fixture
def serve(nursery: trio.Nursery) -> Serve:
    """Serve a handler on 127.0.0.1; the port."""

    async def start(handler: Handler) -> int:
        listeners = await listen_on("127.0.0.1", 0)
        connection = partial(
            serve_connection, handler=handler, limits=ServerLimits(), clock=SystemClock()
        )
        await nursery.start(partial(serve_listeners, listeners, connection))
        port: int = listeners[0].getsockname()[1]
        return port

    return start


@pytest.fixture
def strangers_port() -> Iterator[int]:
    """Another program, which speaks HTTP as well."""
    with HTTPServer(("127.0.0.2", 0), BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_server_that_runs_has_its_own(patient: Patient) -> None:
    ran = patient.examine("--only", "ports")
    assert {f["observed"] for f in ran.of("ports")} == {"served by this server, which runs"}


def test_a_server_that_does_not_run_could_have_them(patient: Patient) -> None:
    patient.edit('"127.0.0.2"', '"127.0.0.7"')
    ran = patient.examine("--only", "ports")
    assert {f["observed"] for f in ran.of("ports")} == {"free; this server does not run now"}
    patient.examine("--only", "ports")  # and the first try has left nothing behind


@pytest.mark.parametrize("door", DOORS)
def test_another_program_listens(patient: Patient, strangers_port: int, door: str) -> None:
    ports = patient.country.ports
    old = dict(zip(DOORS, (ports.client, ports.client_tls, ports.server, ports.ocsp), strict=True))
    patient.edit(f"{door} = {old[door]}\n", f"{door} = {strangers_port}\n")
    ran = patient.examine("--only", "ports")
    check, observed, fix = ran.link
    assert (check, observed) == ("ports", "another program listens there")
    assert ran.report["first_broken"]["about"] == f"{door} 127.0.0.2:{strangers_port}"
    assert f"ss -ltnp 'sport = :{strangers_port}'" in fix
    assert [f["state"] for f in ran.of("ports")].count("ok") == 3


def test_the_server_port_of_another_security_server(patient: Patient) -> None:
    provider = patient.country.provider
    patient.edit('server-host = "127.0.0.2"', f'server-host = "{provider.address}"')
    assert patient.examine("--only", "ports", "--only", "keys").link[1] == (
        "another program listens there"
    )


@pytest.mark.parametrize("key", ["port", "admin-port"])
def test_another_program_at_the_ports_for_health(
    patient: Patient, strangers_port: int, key: str
) -> None:
    patient.add(f'\n[health]\nhost = "127.0.0.2"\n{key} = {strangers_port}\n')
    ran = patient.examine("--only", "ports")
    if key == "admin-port":  # it is on 127.0.0.1, where nobody listens
        assert ran.code == 0
        return
    check, observed, fix = ran.link
    assert (check, observed) == ("ports", "another program listens there")
    assert fix.endswith("or change port in [health].")


@pytest.mark.parametrize(
    ("ready", "state", "said"),
    [
        (b'{"maintenance":false,"checks":[]}', "ok", "and is ready"),
        (b'{"maintenance":true,"checks":[]}', "warning", "is taken out of service"),
        (
            b'{"maintenance":false,"checks":[{"name":"Message log","ok":false,"text":"full"}]}',
            "broken",
            "is not ready: Message log: full",
        ),
        (b"what?", "warning", "does not tell how it is"),
    ],
)
async def test_a_server_that_runs_is_asked_how_it_is(
    serve: Serve,
    tmp_path: Path,
    ready: bytes,
    state: str,
    said: str,
) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, [], b"ok\n" if exchange.target == "/livez" else ready)

    port = await serve(answer)
    case = Case(tmp_path, SystemClock())
    listen = ListenSettings(
        client_http_port=None, client_https_port=None, server_port=None, ocsp_port=None
    )
    case.settings = Settings("XG/COM/1/S", listen=listen, health=HealthSettings("127.0.0.1", port))
    (found,) = await check_ports(case)
    assert found.state == state
    assert said in found.observed


def test_an_address_that_is_not_this_machines(patient: Patient) -> None:
    patient.edit('client-host = "127.0.0.2"', 'client-host = "192.0.2.1"')
    check, observed, fix = patient.examine("--only", "ports").link
    assert check == "ports"
    assert observed == "it cannot be had: Cannot assign requested address"
    assert fix == "Change client-http-port or its host in [listen]."


def test_everywhere_is_reached_here() -> None:
    assert [near_address(host) for host in ("0.0.0.0", "::", "10.0.0.1")] == [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
    ]
    assert socket.inet_pton(socket.AF_INET6, near_address("::"))
