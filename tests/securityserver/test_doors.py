"""The doors: all had or none, each where the settings say."""

from __future__ import annotations

import socket

import pytest

from xgate.net.errors import NetError
from xgate.sandbox.lines import Lines
from xgate.securityserver import doors as doors_module
from xgate.securityserver.doors import open_crowd, open_doors
from xgate.securityserver.health_settings import HealthSettings
from xgate.securityserver.journal import Journal
from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.settings import ListenSettings
from xgate.testing.clock import FakeClock


def listen(**ports: int | None) -> tuple[ListenSettings, HealthSettings]:
    loopback = dict.fromkeys(("client_host", "server_host", "ocsp_host"), "127.0.0.1")
    free = dict.fromkeys(("client_http_port", "client_https_port", "server_port", "ocsp_port"), 0)
    settings = ListenSettings(**{**loopback, **free, **ports})  # type: ignore[arg-type]  # by name
    return settings, HealthSettings("127.0.0.1", port=0, admin_port=0)


async def test_every_door_is_where_it_says() -> None:
    doors = await open_doors(*listen())
    named = doors.ports.named()
    assert len(set(named.values())) == 6
    for port in named.values():
        assert port is not None
        socket.create_connection(("127.0.0.1", port)).close()
    doors.close()


async def test_a_door_that_is_left_out_is_not_there() -> None:
    doors = await open_doors(*listen(client_http_port=None, ocsp_port=None))
    assert doors.ports.client_http is None
    assert doors.ports.ocsp is None
    assert doors.ports.server is not None
    doors.close()


async def test_nobody_is_told_of_health_unless_a_port_is_named() -> None:
    doors = await open_doors(listen()[0], HealthSettings())
    assert (doors.ports.health, doors.ports.admin) == (None, None)
    doors.close()


async def test_a_port_that_is_taken_leaves_no_door_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as probe:
        port = taken.getsockname()[1]
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
        probe.close()
        with pytest.raises(NetError, match=f"cannot listen on 127.0.0.1 port {port}"):
            await open_doors(*listen(client_http_port=free, ocsp_port=port))
        with socket.socket() as again:
            again.bind(("127.0.0.1", free))


@pytest.mark.parametrize(
    ("descriptors", "connections"), [(100_000, 5000), (1024, 412), (203, 1), (100, 1)]
)
def test_doors_for_messages_leave_descriptors_to_everything_else(
    descriptors: int, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors_module, "count_descriptors", lambda: descriptors)
    assert doors_module._most_connections(5000) == connections


async def test_of_whom_is_refused_one_line_a_minute_is_written() -> None:
    clock, lines = FakeClock(), Lines()
    crowd = open_crowd(LimitSettings(connections_per_address=1), clock, Journal(clock, lines.write))

    async def come(source: str) -> bool:
        await crowd.wait_room()
        return crowd.let_in(source)

    assert [await come(source) for source in ("a", "b", "a", "a", "b")] == [True, True] + [
        False
    ] * 3
    limit = "[limits] connections-per-address = 1, and no more than are free"
    assert [(line["event"], line["peer"], line["limit"]) for line in lines] == [
        ("connection refused", source, limit) for source in "ab"
    ]
    clock.advance(60)
    await come("a")
    assert (crowd.refused, len(lines)) == (4, 3)
