"""The check of this server's own configuration: who its clients are, and what they offer.

The rule: it is read from where the server reads it, and a store that is not there is not made.
"""

from __future__ import annotations

import trio

from xgate.cli.doctor.case import Case
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, warning
from xgate.cli.output import path_text
from xgate.errors import Fault
from xgate.securityserver.serverconf_source import open_configuration
from xgate.securityserver.settings import SettingsError
from xgate.serverconf.model import ServerConf

__all__ = ["check_clients"]

_PROBE = "SELECT to_regclass('xgate_serverconf.revision')"


async def check_clients(case: Case) -> Findings:
    """The clients, services and rights of this server can be read, and mean something."""
    try:
        return [await trio.to_thread.run_sync(_read, case, abandon_on_cancel=True)]
    except SettingsError as error:
        return [broken(str(error), fix=_mend(case))]
    except Fault as fault:
        fix = "Check that the database of [serverconf] runs and takes this user's connections."
        return [broken(f"{fault.code}: {fault.text}", fix=fix)]


def _read(case: Case) -> Finding:
    if not case.settings.client and _is_empty(case):
        case.serverconf = ServerConf(case.settings.server_id)
    else:
        case.serverconf = open_configuration(case.settings, case.folder)()
    clients = case.serverconf.clients.values()
    if not clients:
        return warning("there are no clients, so this server serves nobody", fix=_begin(case))
    services = sum(len(client.services) for client in clients)
    return ok(f"{len(clients)} clients, {services} services")


def _is_empty(case: Case) -> bool:
    """Whether there is no store yet: a server makes it when it starts.

    :raises Fault: ``database_error``: nobody can say.
    """
    chosen = case.settings.serverconf
    if chosen.use == "sqlite":
        return not (case.folder / chosen.path).exists()
    if chosen.use == "settings" or not chosen.conninfo:
        return False
    import psycopg

    from xgate.serverconf.conninfo import check_conninfo

    check_conninfo(chosen.conninfo)
    try:
        with psycopg.connect(chosen.conninfo, connect_timeout=5) as db:
            return db.execute(_PROBE).fetchone() == (None,)
    except psycopg.Error as error:
        raise Fault("database_error", " ".join(str(error).split())) from None


def _begin(case: Case) -> str:
    config = path_text(case.config)
    if case.settings.serverconf.use == "settings":
        return f"Put [[client]] tables into {config}."
    return f"Put [[client]] tables into a file, and run: xgate apply FILE --config {config}"


def _mend(case: Case) -> str:
    config = path_text(case.config)
    if case.settings.serverconf.use == "settings":
        return f"Correct [[client]] in {config}."
    return (
        f"Run: xgate show --config {config} > clients.toml; correct it, and apply it: xgate apply"
    )
