"""``xgate adopt``: the configuration of a reference's security server as a document of ours.

The rule: it reads and prints; whoever wants it, applies it (``xgate apply``), after a look.
"""

from __future__ import annotations

from xgate.cli.document_text import write_document_text
from xgate.cli.output import Unusable, print_error, print_json, print_line
from xgate.errors import Fault
from xgate.securityserver.reference_conf import Adopted
from xgate.securityserver.reference_conf import adopt as adopt_rows

__all__ = ["adopt"]


def adopt(conninfo: str, /, *, json: bool = False) -> int:
    """Read the clients, services, rights and groups of a reference's security server.

    Its PostgreSQL database is read, never written. The document goes to standard output, what could
    not be taken over to standard error. Exit code 0 when it was read, 1 when it is no configuration
    of the reference's, 2 when the database cannot be read.

    :param conninfo: The database, in libpq's form: "dbname=serverconf host=... passfile=...". A
        password in it is refused: other users see the command lines of this machine.
    :param json: Print one JSON object.
    """
    adopted = _read(conninfo)
    if json:
        print_json(adopted)
        return 0
    print_line(f"# the clients of {adopted.server}")
    for line in write_document_text(adopted.document).splitlines():
        print_line(line)
    for line in adopted.left_out:
        print_error(f"left out: {line}")
    return 0


def _read(conninfo: str) -> Adopted:
    try:
        from xgate.securityserver.reference_rows import read_rows
        from xgate.serverconf.conninfo import holds_password
    except ImportError as error:
        raise Unusable(f"xgate adopt needs the extra xgate[postgres]: {error}") from None
    if holds_password(conninfo):
        raise Unusable(
            "The connection has a password in it, which other users see on this command line; "
            "put it into a file and say passfile=FILE (libpq's password file), or set PGPASSFILE"
        )
    try:
        return adopt_rows(read_rows(conninfo))
    except Fault as fault:
        if fault.code == "database_error":
            raise Unusable(fault.text) from None
        raise
