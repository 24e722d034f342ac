"""A code is explained in either spelling; an id is found in log lines and records."""

from __future__ import annotations

import ast
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import xgate
from xgate.cli.explain import Explanation, explain_code
from xgate.opmonitor.record import OperationalRecord
from xgate.opmonitor.sqlite import SqliteOperationalStore

if TYPE_CHECKING:
    from tests.cli.conftest import Ran

Run = Callable[..., "Ran"]
UUID = "5c7e0000-0000-4000-8000-000000000001"
LINE = {
    "time": "2026-01-31T10:00:00.000+00:00",
    "event": "exchange",
    "id": "XG-1",
    "request_id": UUID,
    "code": "server.clientproxy.network_error",
    "text": "Could not connect",
    "detail": "the-detail",
}


@pytest.mark.parametrize(
    "code", ["server.clientproxy.network_error", "Server.ClientProxy.NetworkError"]
)
def test_a_code_is_explained_in_either_spelling(xgate: Run, code: str) -> None:
    ran = xgate("explain", code)
    assert ran.code == 0
    assert ran.out.startswith("server.clientproxy.network_error\n")
    assert "The client's own security server refused." in ran.out
    assert "No TCP connection could be made" in ran.out
    assert "next         Check names" in ran.out


def test_every_piece_in_front_is_explained() -> None:
    found = explain_code("server.serverproxy.service_failed.ssl_authentication_failed")
    assert found is not None
    assert [sentence.split(":")[0] for sentence in found.before] == [
        "The provider's security server refused.",
        "It happened between that server and its counterpart",
    ]
    assert found.meaning.startswith("A TLS certificate is missing")


def test_a_code_that_says_only_who_refused_has_a_next_step() -> None:
    found = explain_code("Server.ServerProxy")
    assert found == Explanation(
        "server.serverproxy",
        (),
        "The provider's security server refused.",
        "Look up the id of the fault's detail in both security servers' logs.",
    )


def codes_raised() -> Iterator[str]:
    """Every code that some source raises, written there or named by a constant of its file."""
    for path in Path(xgate.__file__).parent.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        names = {
            node.targets[0].id: node.value.value
            for node in nodes
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in nodes:
            match node:
                case ast.Call(func=ast.Name(id="Fault"), args=[first, *_]):
                    pass
                case ast.Call(func=ast.Name(id="NotHandedOut"), args=[_, first, *_]):
                    pass
                case _:
                    continue
            match first:
                case ast.Constant(value=str(code)):
                    yield code
                case ast.Name(id=name) if isinstance(names.get(name), str):
                    yield str(names[name])


def test_every_code_that_is_raised_anywhere_is_explained() -> None:
    raised = set(codes_raised())
    assert len(raised) > 100
    assert {code for code in raised if explain_code(code) is None} == set()


def test_a_script_gets_an_object(xgate: Run) -> None:
    ran = xgate("explain", "access_denied", "--json")
    assert json.loads(ran.out)["code"] == "access_denied"
    assert set(json.loads(ran.out)) == {"code", "before", "meaning", "next_step"}


def test_what_is_no_code_must_be_looked_for_somewhere(xgate: Run) -> None:
    ran = xgate("explain", "no-such-thing")
    assert ran.code == 1
    assert "--log" in ran.err


@pytest.mark.parametrize("what", ["the-detail", "XG-1", UUID])
def test_an_id_is_found_in_the_log_with_its_code_explained(
    xgate: Run, tmp_path: Path, what: str
) -> None:
    log = tmp_path / "server.log"
    other = {**LINE, "id": "XG-12", "request_id": "x", "detail": f"more {what}"}
    lines = [json.dumps(other), "Jan 31 host xgate: " + json.dumps(LINE), f"broken {{ {what}"]
    log.write_text("\n".join(lines))

    ran = xgate("explain", what, "--log", log)

    assert ran.code == 0
    assert ran.out.count("exchange  2026-01-31") == 1
    assert "Could not connect" in ran.out
    assert "No TCP connection could be made" in ran.out
    found = json.loads(xgate("explain", what, "--log", log, "--json").out)
    assert found["found"] == [LINE]
    assert [e["code"] for e in found["explanations"]] == [LINE["code"]]


def test_a_limit_is_explained_by_its_name(xgate: Run) -> None:
    ran = xgate("explain", "connections-per-address")
    assert ran.code == 0
    assert ran.out.startswith("connections-per-address\n")
    assert "'connection refused' tell whose" in ran.out


def test_a_limit_that_was_met_is_the_explanation(xgate: Run, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    limit = "[limits] exchanges = 8, at the gate of callers"
    log.write_text(json.dumps({**LINE, "limit": limit}))

    ran = xgate("explain", "the-detail", "--log", log)

    assert ran.code == 0
    assert "This server refused early" in ran.out
    assert f"The limit: {limit}." in ran.out
    assert "No TCP connection could be made" not in ran.out
    (told,) = json.loads(xgate("explain", "XG-1", "--log", log, "--json").out)["explanations"]
    assert (told["code"], limit in told["meaning"]) == (LINE["code"], True)


def test_an_id_within_a_text_is_found_and_the_cause_there_explained(
    xgate: Run, tmp_path: Path
) -> None:
    cause = f"[{UUID}] [SYSTEM] logging_failed.database_error: The message log: disk is full"
    line = LINE | {"code": "server.clientproxy.io_error", "text": cause, "request_id": "other"}
    log = tmp_path / "server.log"
    log.write_text(json.dumps(line) + "\n")

    found = json.loads(xgate("explain", UUID, "--log", log, "--json").out)

    assert [told["code"] for told in found["explanations"]] == [
        "server.clientproxy.io_error",
        "logging_failed.database_error",
    ]
    assert xgate("explain", "SYSTEM] logging", "--log", log).code == 1


def test_an_id_is_found_in_the_operational_records(xgate: Run, tmp_path: Path) -> None:
    config = tmp_path / "xgate.toml"
    config.write_text('server = "XG/COM/1/SS"\n')
    store = SqliteOperationalStore(tmp_path / "opmonitor.sqlite")
    record = OperationalRecord(
        security_server_internal_ip="192.0.2.7",
        security_server_type="Client",
        request_in_ts=1,
        response_out_ts=2,
        succeeded=False,
        message_id="XG-1",
        fault_code="server.serverproxy.access_denied",
        fault_string="Request is not allowed",
    )
    store.append([record], 100)
    store.close()

    ran = xgate("explain", "XG-1", "--config", config)

    assert ran.code == 0
    assert "Request is not allowed" in ran.out
    assert "The client holds no right" in ran.out
    missing = xgate("explain", "XG-2", "--config", config)
    assert missing.code == 1
    assert "look in the log with --log" in missing.err


def test_files_that_cannot_be_used_are_named(xgate: Run, tmp_path: Path) -> None:
    config = tmp_path / "xgate.toml"
    config.write_text('server = "XG/COM/1/SS"\n')
    log = tmp_path / "odd.log"
    log.write_bytes(b"\xff {}\n")
    assert xgate("explain", "\udcff", "--log", log).code == 1
    missing = xgate("explain", "some-id", "--log", tmp_path / "none")
    without = xgate("explain", "some-id", "--config", config)
    assert (missing.code, without.code) == (2, 2)
    assert "Cannot read" in missing.err
    assert "no operational records" in without.err
    SqliteOperationalStore(tmp_path / "opmonitor.sqlite").close()
    with sqlite3.connect(tmp_path / "opmonitor.sqlite") as db:
        db.execute("INSERT INTO operational(time, record) VALUES(1, x'00')")
    damaged = xgate("explain", "some-id", "--config", config)
    assert damaged.code == 2
    assert "The operational records in" in damaged.err
