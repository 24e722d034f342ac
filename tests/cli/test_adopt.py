"""``xgate adopt``: what it prints can be applied, and what it leaves out is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from tests.securityserver.reference_tables import SERVER, old_tables

from xgate.testing.postgres import Cluster

if TYPE_CHECKING:
    from tests.cli.conftest import Ran

Run = Callable[..., "Ran"]
MORE = """
INSERT INTO identifier(id, type, xroadinstance, memberclass, membercode, subsystemcode)
    VALUES(2, 'SUBSYSTEM', 'XG', 'GOV', '2', 'reg'), (3, 'SUBSYSTEM', 'XG', 'GOV', '2', 'new');
INSERT INTO client VALUES(2, 1, 2, 'registered', 'SSLNOAUTH'), (3, 1, 3, 'saved', 'NOSSL');
INSERT INTO servicedescription VALUES(1, 2, 'http://h/', false, null, now(), 'REST');
INSERT INTO service VALUES(1, 1, 'people', null, null, 'http://10.0.0.7/', true, 20);
INSERT INTO endpoint VALUES(1, 2, 'people', '*', '**', true);
INSERT INTO accessright VALUES(1, 1, now(), 2, 1);
"""


def test_what_is_adopted_can_be_applied(xgate: Run, tmp_path: Path, postgres: Cluster) -> None:
    conninfo = postgres.make_database()
    with psycopg.connect(conninfo) as db:
        db.execute((old_tables() + SERVER + MORE).encode())
    ran = xgate("adopt", conninfo)
    assert ran.code == 0
    assert ran.out.startswith("# the clients of XG/GOV/2/SS1\n")
    assert "left out: client XG/GOV/2/new: it is not registered, but saved" in ran.err
    config, document = tmp_path / "xgate.toml", tmp_path / "clients.toml"
    config.write_text('server = "XG/GOV/2/SS1"\n[serverconf]\nuse = "sqlite"\n')
    document.write_text(ran.out)
    assert xgate("apply", document, "--config", config).code == 0
    shown = json.loads(xgate("show", "--config", config, "--json").out)["document"]
    told = json.loads(xgate("adopt", conninfo, "--json").out)
    assert told["document"] == shown
    assert told["left_out"] == ["client XG/GOV/2/new: it is not registered, but saved"]


def test_a_database_that_cannot_be_read_is_told_from_one_that_is_none(
    xgate: Run, postgres: Cluster
) -> None:
    assert xgate("adopt", "host=/nowhere").code == 2
    ran = xgate("adopt", postgres.make_database())
    assert ran.code == 1
    assert "no configuration of the reference's" in ran.err


def test_no_password_is_taken_from_the_command_line(xgate: Run) -> None:
    for conninfo in ("host=/nowhere password=Geheim999", "postgresql://me:Geheim999@127.0.0.1/x"):
        ran = xgate("adopt", conninfo)
        assert (ran.code, ran.out) == (2, "")
        assert "say passfile=FILE" in ran.err
        assert "Geheim999" not in ran.err
