"""Downloads of evidence: who may have which messages, in what form, and what everybody may have."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

import pytest

from xgate.cli import main
from xgate.clock import SystemClock
from xgate.globalconf.disk import read_disk
from xgate.ids import ClientId
from xgate.sandbox.country import CONSUMER, Country
from xgate.testing.clock import FakeClock
from xgate.trust.verify import verify_container
from xgate.wire.faults import read_soap_fault

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply

SEALED = ClientId("XG", "COM", "100", "sealed")
PINNED = ClientId("XG", "COM", "100", "pinned")
NOBODY = ClientId("XG", "COM", "100", "nobody")
PLAIN = "text/plain; charset=UTF-8"


def asic(client: ClientId, query_id: str | None, *flags: str) -> str:
    """The target of a download."""
    named = {
        "xRoadInstance": client.instance,
        "memberClass": client.member_class,
        "memberCode": client.member_code,
        **({} if client.subsystem_code is None else {"subsystemCode": client.subsystem_code}),
        **({} if query_id is None else {"queryId": query_id}),
    }
    return f"/asic?{'&'.join([urlencode(named), *flags])}"


async def exchanged(caller: Caller, query_id: str) -> str:
    """The id of an exchange whose records are all timestamped."""
    reply = await caller.rest("POST", "/echo", [("X-Road-Id", query_id)], b"body")
    assert reply.status == 200
    await caller.prove(query_id)
    return query_id


def unzip(reply: Reply) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def signers(country: Country, containers: dict[str, bytes]) -> list[str]:
    trust = read_disk(country.verification, SystemClock().now()).conf
    return [str(verify_container(trust, octets).proven.signer) for octets in containers.values()]


async def test_a_client_gets_its_own_messages_as_containers(caller: Caller) -> None:
    query_id = await exchanged(caller, "to download/1")
    reply = await caller.send("GET", asic(CONSUMER, query_id))
    assert reply.status == 200
    assert reply.header("content-type") == "application/zip"
    assert reply.header("content-disposition") == 'attachment; filename="to+download%2F1.zip"'
    containers = unzip(reply)
    request, response = containers
    assert request.startswith("to+download%2F1-request-")
    assert response.startswith("to+download%2F1-response-")
    assert signers(caller.country, containers) == ["MEMBER:XG/COM/100", "MEMBER:XG/GOV/200"]


@pytest.mark.parametrize(
    ("flag", "name", "signer"),
    [
        ("requestOnly", "one-way-request", "MEMBER:XG/COM/100"),
        ("responseOnly=", "one-way-response", "MEMBER:XG/GOV/200"),
    ],
)
async def test_one_direction_as_a_zip_and_as_a_bare_container(
    caller: Caller, flag: str, name: str, signer: str
) -> None:
    if caller.counts("one-way") != [2, 2]:
        await exchanged(caller, "one-way")
    reply = await caller.send("GET", asic(CONSUMER, "one-way", flag))
    assert reply.header("content-disposition") == f'attachment; filename="{name}.zip"'
    containers = unzip(reply)
    assert signers(caller.country, containers) == [signer]
    reply = await caller.send("GET", asic(CONSUMER, "one-way", flag, "unique"))
    assert reply.header("content-type") == "application/vnd.etsi.asic-e+zip"
    ((container, octets),) = containers.items()
    assert reply.header("content-disposition") == f'attachment; filename="{container}"'
    assert reply.body == octets


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/asic", 400, 'Parameter "xRoadInstance"  must be specified.'),
        ("/asic?", 400, 'Parameter "xRoadInstance"  must be specified.'),
        ("/asic?xRoadInstance=XG", 400, 'Parameter "memberClass"  must be specified.'),
        (
            "/asic?xRoadInstance=XG&memberClass=COM&queryId=x",
            400,
            'Parameter "memberCode"  must be specified.',
        ),
        (asic(NOBODY, None), 401, f"Client '{NOBODY}' not found"),
        (asic(CONSUMER, None), 400, 'Parameter "queryId"  must be specified.'),
        (
            asic(CONSUMER, "x", "requestOnly", "responseOnly"),
            400,
            'Parameters "requestOnly" and "responseOnly" cannot be used at the same time.',
        ),
        (asic(CONSUMER, "no such id"), 404, "No signed documents found"),
        (asic(CONSUMER, "no such id", "unique"), 404, "No signed documents found"),
        (asic(CONSUMER.member, "known"), 401, f"Client '{CONSUMER.member}' not found"),
        (
            asic(CONSUMER, "known", "unique"),
            400,
            'Parameter "unique" not applicable without "requestOnly" or "responseOnly".',
        ),
    ],
)
async def test_what_is_refused_and_in_which_order(
    caller: Caller, target: str, status: int, text: str
) -> None:
    if not caller.records("known")[0]:
        await exchanged(caller, "known")
    reply = await caller.send("GET", target)
    assert (reply.status, reply.body.decode()) == (status, text)
    assert reply.header("content-type") == PLAIN


async def test_the_asker_is_proven_as_the_client_s_messages_are(
    caller: Caller, trusted: Any, stranger: Any
) -> None:
    """Before anything is said of what there is: a stranger learns nothing about query ids."""
    for client, secure, identity, text in (
        (SEALED, False, None, "made plaintext connection"),
        (PINNED, False, None, "did not supply TLS certificate"),
        (PINNED, True, None, "did not supply TLS certificate"),
        (PINNED, True, stranger, "does not match any IS certificates"),
    ):
        for query_id in ("x", None):
            reply = await caller.send(
                "GET", asic(client, query_id), secure=secure, identity=identity
            )
            assert reply.status == 401
            assert text in reply.body.decode()
    reply = await caller.send("GET", asic(PINNED, "x"), secure=True, identity=trusted)
    assert reply.status == 404
    reply = await caller.send("GET", asic(SEALED, "x"), secure=True)
    assert reply.status == 404


async def test_of_another_client_s_messages_there_are_none(caller: Caller) -> None:
    query_id = await exchanged(caller, "mine")
    reply = await caller.send("GET", asic(SEALED, query_id), secure=True)
    assert reply.status == 404


async def test_what_has_no_timestamp_waits_unless_forced(start: Any) -> None:
    """What is forced is stamped by itself, inside its signature; then all is handed out."""
    slow = {"interval-seconds = 0.1": "interval-seconds = 3600"}
    async with start(changes=slow) as started:
        caller: Caller = started.caller
        await started.running.consumer.wait("OCSP responses refreshed")
        reply = await caller.rest("GET", "/echo", [("X-Road-Id", "waiting")])
        assert reply.status == 200
        target = asic(CONSUMER, "waiting")
        reply = await caller.send("GET", target)
        assert (reply.status, reply.header("content-type")) == (500, PLAIN)
        assert reply.body == b"Message signature has not been timestamped yet!"
        reply = await caller.send("GET", f"{target}&force")
        assert reply.status == 200
        assert len(signers(caller.country, unzip(reply))) == 2
        (mine, _) = caller.records("waiting")
        assert all(logged.stamp is not None and logged.stamp.chain is None for logged in mine)


async def test_the_configuration_is_for_everybody_and_proves_the_containers(
    caller: Caller, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await exchanged(caller, "proven elsewhere")
    reply = await caller.send("GET", "/verificationconf")
    assert reply.status == 200
    assert reply.header("content-type") == "application/zip"
    assert reply.header("content-disposition") == 'filename="verificationconf.zip"'
    files = unzip(reply)
    shared = "verificationconf/XG/shared-params.xml"
    assert list(files) == [shared, f"{shared}.metadata", "verificationconf/instance-identifier"]
    assert files["verificationconf/instance-identifier"] == b"XG"
    assert files[f"{shared}.metadata"].startswith(b'{"configurationVersion":"')
    conf, bundle = tmp_path / "conf.zip", tmp_path / "containers"
    conf.write_bytes(reply.body)
    bundle.mkdir()
    for name, octets in unzip(await caller.send("GET", asic(CONSUMER, "proven elsewhere"))).items():
        (bundle / name).write_bytes(octets)
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(bundle), "--globalconf", str(conf)])
    assert ended.value.code == 0
    assert "2 of 2 containers are valid" in capsys.readouterr().out


async def test_an_expired_configuration_hands_nothing_out(start: Any) -> None:
    clock = FakeClock(SystemClock().now())
    async with start(clock=clock) as started:
        clock.advance(365 * 24 * 3600.0)
        for target in ("/verificationconf", asic(CONSUMER, "x"), "/asic"):
            reply: Reply = await started.caller.send("GET", target)
            assert (reply.status, reply.header("content-type")) == (200, "text/xml;charset=utf-8")
            fault = read_soap_fault(reply.body)
            assert fault.code == "server.clientproxy.global_conf_outdated"


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", "/asic"), ("HEAD", "/verificationconf"), ("GET", "/asic/"), ("GET", "/other")],
)
async def test_everything_else_is_no_download(caller: Caller, method: str, target: str) -> None:
    reply = await caller.send(method, target)
    assert reply.status == 200
    assert not reply.all("content-disposition")
    if method == "GET":
        assert reply.code == "client.invalid_http_method"


async def test_the_log_line_names_who_asked_for_what(caller: Caller) -> None:
    query_id = "logged " + quote_plus("ä")
    lines = caller.running.consumer
    seen = len(lines)
    await caller.send("GET", asic(CONSUMER, query_id))
    line = await lines.wait("exchange", since=seen)
    assert (line["protocol"], line["client"], line["id"]) == ("asic", CONSUMER.short, query_id)
    assert (line["outcome"], line["code"]) == ("fault", "not_found")
