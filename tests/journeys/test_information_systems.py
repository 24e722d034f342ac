"""How a server and the information systems on its side know each other, beyond the three modes.

pipeline 4: the period of their certificates, servers that look at none, and the server's own
certificate, which changes while it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xgate.cli import main
from xgate.clock import SystemClock
from xgate.ids import ClientId
from xgate.net.client import connect
from xgate.net.context import service_context
from xgate.sandbox.country import Country
from xgate.testing.pki import Credential, make_ca

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Starter

DENIED = "server.clientproxy.ssl_authentication_failed"
PAST_THE_DOOR = "server.serverproxy.access_denied"  # the client has no right there
PINNED, SEALED = (ClientId("XG", "COM", "100", name) for name in ("pinned", "sealed"))
NOW = SystemClock().now()
DAY = timedelta(days=1)
TLS = {"[messagelog.timestamping]": "[tls]\n{}\n\n[messagelog.timestamping]"}


def tls(text: str) -> dict[str, str]:
    return {old: new.format(text) for old, new in TLS.items()}


@pytest.mark.parametrize(
    ("began", "ends", "text"),
    [
        (-9 * DAY, -DAY, "TLS certificate is expired"),
        (DAY, 9 * DAY, "TLS certificate is not yet valid"),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
async def test_certificates_out_of_their_period(
    start: Starter,
    found: Callable[..., Country],
    began: timedelta,
    ends: timedelta,
    text: str,
    strict: bool,
) -> None:
    system = make_ca("a system", not_before=NOW + began, not_after=NOW + ends)
    country = found(tls("refuse-expired-clients = true") if strict else None)
    (country.consumer.folder / "trusted.pem").write_bytes(system.certificate.der)
    async with start(country) as started:
        ask = started.caller.rest
        reply = await ask("GET", "/echo", client=PINNED, secure=True, identity=system)
        free = await ask("GET", "/echo", secure=True, identity=system)

    assert free.status == 200
    if strict:
        assert (reply.code, reply.text) == (DENIED, f"Client ({PINNED}) {text}")
    else:
        assert reply.code == PAST_THE_DOOR


async def test_a_server_told_not_to_look_lets_everybody_in(
    start: Starter, stranger: Credential
) -> None:
    async with start(changes=tls("verify-clients = false")) as started:
        ask = started.caller.rest
        replies = [
            await ask("GET", "/echo", client=SEALED),
            await ask("GET", "/echo", client=PINNED),
            await ask("GET", "/echo", client=PINNED, secure=True, identity=stranger),
        ]

        owner = "xRoadInstance=XG&memberClass=COM&memberCode=100&subsystemCode=pinned"
        log = await started.caller.send("GET", f"/asic?{owner}&queryId=q")

    assert [reply.code for reply in replies] == [PAST_THE_DOOR] * 3
    assert (log.status, b"did not supply TLS certificate" in log.body) == (401, True)


async def shown_by(caller: Caller) -> bytes:
    """The certificate at the HTTPS port."""
    host, ports = caller.country.consumer.address, caller.country.ports
    connection = await connect(host, ports.client_tls, tls=service_context(), timeout=5.0)
    try:
        return connection.stream.peer_chain[0]
    finally:
        await connection.aclose()


def xgate_tls(*arguments: object) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tls", *map(str, arguments)])
    assert ended.value.code == 0


def spoil(path: Path) -> None:
    path.write_text("nothing")


async def test_the_servers_certificate_changes_while_it_runs(
    start: Starter, found: Callable[..., Country], capsys: pytest.CaptureFixture[str]
) -> None:
    country = found(tls('certificate = "tls.crt"\nkey = "tls.key"'))
    for place in country.places:
        xgate_tls("generate", "--config", place.settings, "--key", "ec")
    config = country.consumer.settings
    async with start(country) as started:
        first = await shown_by(started.caller)
        xgate_tls("generate", "--config", config, "--key", "ec", "--replace")
        await started.running.consumer.wait("TLS certificate read anew")
        second = await shown_by(started.caller)
        seen = len(started.running.consumer)
        spoil(config.parent / "tls.crt")
        line = await started.running.consumer.wait("TLS certificate not read anew", since=seen)
        third = await shown_by(started.caller)
        reply = await started.caller.rest("GET", "/echo", secure=True)

    assert second != first
    assert third == second
    assert "cannot be read" in str(line["cause"])
    assert reply.status == 200
    assert "PRIVATE" not in capsys.readouterr().out


async def test_what_an_information_system_showed_is_logged_on_demand(
    start: Starter, trusted: Credential, stranger: Credential
) -> None:
    async with start(changes=tls("log-clients = true")) as started:
        ask, lines = started.caller.rest, started.running.consumer
        for shown in (trusted, stranger):
            certificate = shown.certificate
            seen = len(lines)
            await ask("GET", "/echo", client=PINNED, secure=True, identity=shown)
            line = await lines.wait("exchange", since=seen)
            told = f"{certificate.subject.rfc2253}, SHA-256 {certificate.sha256.hex()}"
            assert line["certificate"] == told
        seen = len(lines)
        await ask("GET", "/echo")
        assert "certificate" not in await lines.wait("exchange", since=seen)


async def test_else_nothing_is_told_of_it(start: Starter, trusted: Credential) -> None:
    async with start() as started:
        lines = started.running.consumer
        await started.caller.rest("GET", "/echo", client=PINNED, secure=True, identity=trusted)
        assert "certificate" not in await lines.wait("exchange")
