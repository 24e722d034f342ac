"""The chain that ``xgate doctor`` walks, link by link, in the order in which things can break.

The rule: one row a check; a link stands behind those that it hangs on, wherever it is run. Keys
come after what vouches for their certificates, for people look for the cause there last.
"""

from __future__ import annotations

from xgate.cli.doctor.authorities import check_ca, check_ocsp, check_timestamping
from xgate.cli.doctor.chain import Check
from xgate.cli.doctor.clients import check_clients
from xgate.cli.doctor.doors import check_ports
from xgate.cli.doctor.files import check_files, check_settings
from xgate.cli.doctor.front import check_tls
from xgate.cli.doctor.machine import check_libraries, check_limits
from xgate.cli.doctor.neighbours import check_peers, check_services
from xgate.cli.doctor.published import check_anchor, check_configuration
from xgate.cli.doctor.registration import check_certificates, check_registration
from xgate.cli.doctor.spool import check_spool
from xgate.cli.doctor.storage import check_database, check_disk
from xgate.cli.doctor.times import check_time
from xgate.cli.doctor.tokens import check_keys

__all__ = ["TABLE"]

TABLE = (
    Check("settings", check_settings),
    Check("clients", check_clients, needs=("settings",)),
    Check("files", check_files, needs=("settings",)),
    Check("anchor", check_anchor, needs=("settings",)),
    Check("configuration", check_configuration, needs=("anchor",), seconds=60.0),
    Check(
        "time",
        check_time,
        needs=("settings",),
        after=("configuration", "ocsp", "timestamping"),
    ),
    Check("ca", check_ca, needs=("configuration", "keys")),
    Check("ocsp", check_ocsp, needs=("ca",), seconds=30.0),
    Check(
        "timestamping",
        check_timestamping,
        needs=("configuration", "clients"),
        seconds=30.0,
    ),
    Check("keys", check_keys, needs=("settings",), seconds=30.0),
    Check("certificates", check_certificates, needs=("configuration", "keys", "ca")),
    Check("tls", check_tls, needs=("settings",)),
    Check("registration", check_registration, needs=("configuration", "keys", "clients")),
    Check("ports", check_ports, needs=("settings",), after=("keys",)),
    Check(
        "peers",
        check_peers,
        needs=("registration", "ocsp", "certificates"),
        after=("ports",),
        seconds=40.0,
    ),
    Check("services", check_services, needs=("clients",), seconds=30.0),
    Check("database", check_database, needs=("settings",), seconds=30.0),
    Check("disk", check_disk, needs=("settings",)),
    Check("spool", check_spool, needs=("settings",)),
    Check("limits", check_limits, needs=("settings",)),
    Check("libraries", check_libraries, after=("settings",)),
)
"""All checks, in the order in which they are told."""
