"""What cannot be read as a database's name is refused, and nothing of it is told."""

from __future__ import annotations

import pytest

from xgate.errors import Fault
from xgate.messagelog.postgres import PostgresStore
from xgate.securityserver.reference_rows import read_rows
from xgate.serverconf.conninfo import check_conninfo, holds_password
from xgate.serverconf.postgres_store import PostgresConfigurationStore

BROKEN = [
    "host=db password=one secret",
    "host=db password='secret",
    "postgresql://user:%zzsecret@db/name",
    "pasword=secret",
    "host=db password=secret\udcff",
]


@pytest.mark.parametrize("conninfo", ["", "host=db password='a b'", "postgresql://u@db/name"])
def test_what_libpq_reads_passes(conninfo: str) -> None:
    check_conninfo(conninfo)


@pytest.mark.parametrize("conninfo", BROKEN)
@pytest.mark.parametrize(
    "opens", [check_conninfo, PostgresConfigurationStore, PostgresStore, read_rows]
)
def test_a_password_is_not_quoted_whoever_opens_the_database(opens: object, conninfo: str) -> None:
    assert callable(opens)
    with pytest.raises(Fault) as refused:
        opens(conninfo)
    assert refused.value.code == "database_error"
    assert "secret" not in refused.value.text
    assert "cannot be read: write host=" in refused.value.text


def test_a_password_is_seen_in_either_form() -> None:
    assert holds_password("host=db password='a b'")
    assert holds_password("postgresql://u:p@db/name")
    assert not holds_password("host=db passfile=/pass")
    assert not holds_password("password=one secret")
