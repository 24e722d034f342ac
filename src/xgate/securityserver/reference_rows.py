"""Reads the rows of a reference's own server configuration out of its PostgreSQL database.

The rule: nothing is written, and all is read in one snapshot; a table is found in whatever schema
it is, and both forms of identifiers are understood (before and from DM-SS 1.14). What the rows
mean is not known here. Needs the extra ``xgate[postgres]``. Source: DM-SS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from xgate.errors import Fault
from xgate.serverconf.conninfo import check_conninfo

__all__ = ["Row", "Rows", "read_rows"]

_SECONDS = 30
Row = Mapping[str, Any]
"""A row by its columns' names."""


class Rows(msgspec.Struct, frozen=True):
    """The rows of each table, in the order in which they were made.

    :ivar identifiers: by their number, with ``type``, ``instance``, ``class``, ``code``,
        ``subsystem`` and ``group``, whatever the columns are called.
    """

    server: Row
    identifiers: Mapping[int, Row]
    clients: Sequence[Row]
    descriptions: Sequence[Row]
    services: Sequence[Row]
    endpoints: Sequence[Row]
    rights: Sequence[Row]
    groups: Sequence[Row]
    members: Sequence[Row]
    certificates: Sequence[Row]
    timestamping: Sequence[Row]


def read_rows(conninfo: str) -> Rows:
    """All there is.

    :param conninfo: as libpq has it: ``host=.. dbname=serverconf user=.. passfile=..``.
    :raises Fault: ``database_error``: it cannot be read; ``malformed_server_conf``: it is none.
    """
    check_conninfo(conninfo)
    options = f"-c statement_timeout={_SECONDS}s"
    try:
        with psycopg.connect(
            conninfo, connect_timeout=_SECONDS, options=options, row_factory=dict_row
        ) as db:
            db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return _read(db)
    except psycopg.errors.InvalidTextRepresentation as error:
        raise _none(str(error)) from None
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise _none(str(error)) from None
    except (psycopg.Error, UnicodeError) as error:
        said = " ".join(str(error).split())
        raise Fault("database_error", f"The reference's configuration: {said}") from None


def _read(db: psycopg.Connection[dict[str, Any]]) -> Rows:
    _find_schema(db)
    servers = _all(db, "serverconf")
    if len(servers) != 1:
        raise _none(f"it tells of {len(servers)} servers")
    data = "lo_get(data)" if _has(db, "certificate", "data", "oid") else "data"
    return Rows(
        server=servers[0],
        identifiers={row["id"]: row for row in db.execute(_identifiers(db))},
        clients=_all(db, "client"),
        descriptions=_all(db, "servicedescription"),
        services=_all(db, "service"),
        endpoints=_all(db, "endpoint"),
        rights=_all(db, "accessright"),
        groups=_all(db, "localgroup"),
        members=_all(db, "groupmember"),
        certificates=_all(db, "certificate", f"client_id, {data} AS data"),
        timestamping=_all(db, "tsp"),
    )


def _find_schema(db: psycopg.Connection[dict[str, Any]]) -> None:
    found = db.execute(
        "SELECT schemaname FROM pg_tables WHERE tablename = 'servicedescription'"
    ).fetchall()
    if len(found) != 1:
        raise _none(f"{len(found)} of its schemas have a table servicedescription")
    db.execute("SELECT set_config('search_path', quote_ident(%s), true)", (found[0]["schemaname"],))


def _identifiers(db: psycopg.Connection[dict[str, Any]]) -> bytes:
    new = _has(db, "identifier", "object_type")
    names = _NEW_NAMES if new else _OLD_NAMES
    columns = ", ".join(f'{column} AS "{name}"' for name, column in names.items())
    return f"SELECT id, {columns} FROM identifier".encode()  # noqa: S608  names of ours


_OLD_NAMES = {
    "type": "type",
    "instance": "xroadinstance",
    "class": "memberclass",
    "code": "membercode",
    "subsystem": "subsystemcode",
    "group": "groupcode",
}
_NEW_NAMES = {
    "type": "object_type",
    "instance": "xroad_instance",
    "class": "member_class",
    "code": "member_code",
    "subsystem": "subsystem_code",
    "group": "group_code",
}


def _has(
    db: psycopg.Connection[dict[str, Any]], table: str, column: str, kind: str | None = None
) -> bool:
    found = db.execute(
        "SELECT udt_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = %s AND column_name = %s",
        (table, column),
    ).fetchone()
    return found is not None and kind in (None, found["udt_name"])


def _all(db: psycopg.Connection[dict[str, Any]], table: str, columns: str = "*") -> list[Row]:
    text = f"SELECT {columns} FROM {table} ORDER BY id"  # noqa: S608  names of ours
    return list(db.execute(text.encode()))


def _none(why: str) -> Fault:
    told = " ".join(why.split())
    return Fault(
        "malformed_server_conf", f"This database is no configuration of the reference's: {told}"
    )
