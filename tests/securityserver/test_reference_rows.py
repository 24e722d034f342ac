"""Rows are found in a database of either form, and a database that is none is told from one."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from tests.securityserver.reference_tables import SERVER, old_tables, rename_to_new

from xgate.errors import Fault
from xgate.securityserver.reference_rows import read_rows
from xgate.testing.postgres import Cluster

Made = Callable[[str], str]


@pytest.fixture
def made(postgres: Cluster) -> Made:
    """Makes a database by what is to be run in it."""

    def make(text: str) -> str:
        conninfo = postgres.make_database()
        with psycopg.connect(conninfo) as db:
            db.execute(text.encode())
        return conninfo

    return make


CERTIFICATE = "INSERT INTO certificate VALUES(1, lo_from_bytea(0, '\\x3000'), 7);"


@pytest.mark.parametrize("schema", ["public", "serverconf"])
@pytest.mark.parametrize("new", [False, True])
def test_both_forms_are_read_the_same(made: Made, schema: str, new: bool) -> None:
    later = rename_to_new() if new else ""
    rows = read_rows(made(old_tables(schema) + SERVER + CERTIFICATE + later))
    assert rows.server["servercode"] == "SS1"
    assert rows.identifiers[1] == {
        "id": 1,
        "type": "MEMBER",
        "instance": "XG",
        "class": "GOV",
        "code": "2",
        "subsystem": None,
        "group": None,
    }
    assert [row["clientstatus"] for row in rows.clients] == ["registered"]
    assert [(row["client_id"], bytes(row["data"])) for row in rows.certificates] == [(7, b"0\0")]


def test_nothing_can_be_written_while_it_is_read(made: Made) -> None:
    trap = (
        "ALTER TABLE tsp RENAME TO kept;"
        "CREATE FUNCTION trap() RETURNS text LANGUAGE sql AS "
        "'INSERT INTO kept VALUES(9, $$a$$, $$x$$, 1) RETURNING url';"
        "CREATE VIEW tsp AS SELECT 1 AS id, trap() AS url;"
    )
    with pytest.raises(Fault, match="read-only transaction") as refused:
        read_rows(made(old_tables() + SERVER + trap))
    assert refused.value.code == "database_error"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 of its schemas have a table servicedescription"),
        (old_tables(), "it tells of 0 servers"),
        (old_tables("a") + old_tables("b"), "2 of its schemas"),
        (old_tables() + SERVER + "DROP TABLE endpoint", 'relation "endpoint" does not exist'),
        (old_tables() + SERVER + "ALTER TABLE tsp DROP COLUMN id", 'column "id" does not exist'),
    ],
)
def test_what_is_no_configuration_is_told(made: Made, text: str, says: str) -> None:
    with pytest.raises(Fault) as refused:
        read_rows(made(text))
    assert refused.value.code == "malformed_server_conf"
    assert says in refused.value.text


@pytest.mark.parametrize("conninfo", ["host=/nowhere dbname=a", "nonsense", "port=a", "a\0b"])
def test_a_database_that_is_not_there_is_told(conninfo: str) -> None:
    with pytest.raises(Fault) as refused:
        read_rows(conninfo)
    assert refused.value.code == "database_error"
