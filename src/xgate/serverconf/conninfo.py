"""Looking at how a PostgreSQL database is named before anybody tries to reach it.

The rule: what cannot be read is refused without a word of it, for one of the words is a password,
and libpq's own error quotes the place where it lost its way. Needs the extra ``xgate[postgres]``.
"""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict

from xgate.errors import Fault

__all__ = ["check_conninfo", "holds_password"]

_TEXT = (
    "The database's conninfo cannot be read: write host=... dbname=... user=... passfile=..., a "
    "value with blanks 'in quotes', or postgresql://user@host/dbname, odd characters as %XX"
)


def check_conninfo(conninfo: str) -> None:
    """Refuse what libpq cannot read.

    :raises Fault: ``database_error``.
    """
    try:
        conninfo_to_dict(conninfo)
    except (psycopg.Error, UnicodeError):
        raise Fault("database_error", _TEXT) from None


def holds_password(conninfo: str) -> bool:
    """Whether there is a password in it; what libpq cannot read has none."""
    try:
        return bool(conninfo_to_dict(conninfo).get("password"))
    except (psycopg.Error, UnicodeError):
        return False
