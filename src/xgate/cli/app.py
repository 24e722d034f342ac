"""The ``xgate`` command: its commands, and how all of them refuse.

The rule: exit code 0 means that all went well, 1 that the answer is no (something does not verify,
the server ended in an error), 2 that the command line or a file named in it cannot be used. Errors
are one line on standard error; ``--json`` puts one object on standard output. A command's module is
imported when the command is run, so that the others cost nothing.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from xgate import __version__
from xgate.cli.output import Unusable, print_error
from xgate.errors import Fault

__all__ = ["app", "main"]

_EXIT_CODES = (
    "Exit codes: 0 all went well; 1 the answer is no, or the work failed; "
    "2 the command line, or a file named in it, cannot be used."
)
# Each with what its help says; the first paragraph stands in the list of commands.
_COMMANDS = {
    "serve": """Run a member's security server.

It writes one JSON line per event and exchange to standard error. SIGTERM or SIGINT makes it finish
the exchanges that are running and exit with 0; a second one stops it at once.""",
    "signer": """Hold the keys of servers, and sign for them, in a process of its own.

It opens the tokens of the settings file and serves the Unix socket named there ([keys] signer);
`xgate serve` with the same file then holds no keys. SIGTERM or SIGINT makes it answer what was
asked and exit with 0; a second one stops it at once.""",
    "demo": """Run a whole ecosystem on loopback and exchange messages in it.

A certificate authority with OCSP responder and timestamping service, a signed global configuration,
a consumer's and a provider's security server, a REST and a SOAP service; then messages through all
of it, and every logged message exported and verified. Exit code 0 when all of it holds.""",
    "verify": """Verify ASiC-E containers and archives of the message log: who signed what, when.

Exit code 0 when all are valid and no chain of archives is broken, 1 when not, 2 when a file is not
there or the configuration is none. The configuration's own validity does not count, so old
containers can be verified.""",
    "log": "Look into the message log, export evidence, and prove what is stored.",
    "doctor": """Walk all that a security server hangs on, and name the first broken link.

Settings, clients, files, anchor, configuration, time, ca, ocsp, timestamping, keys,
certificates, tls, registration, ports, peers, services, database, disk, limits, libraries: each is
tried as the server would do it, also beside one that runs, and nothing is changed. Each approved
timestamping service is asked for one real timestamp, and each signing key makes a signature about
nothing. Exit code 0 when nothing is broken (warnings allowed), 1 when something is, 2 when the
settings cannot be used.""",
    "apply": """Make a document the server's own configuration: clients, services, rights, groups.

Everything or nothing; a running server takes it up within seconds. Exit code 0 when it is in force,
or would be (--dry-run), 1 when it cannot be, 2 when a file cannot be used.""",
    "show": "Show the server's own configuration, as a document that can be applied again.",
    "refresh": "Read the WSDL and OpenAPI descriptions of all services anew.",
    "adopt": """Read the clients, services, rights and groups of a reference's security server.

Its PostgreSQL database is read, never written; a document for `xgate apply` is printed. Exit code 0
when it was read, 1 when it is no configuration of the reference's, 2 when it cannot be read.""",
    "explain": """Explain a fault code, or find what happened to an exchange.

Exit code 0 when it is known, 1 when it is not, 2 when a file that is named cannot be used.""",
    "keys": "Tokens, keys and certificates: make, request, import, use, delete.",
    "tls": "The server's certificate towards information systems: make, request, import, show.",
    "globalconf": "Download, show, compare and verify global configurations.",
}

# Commands that share a file with another.
_FILES = {"show": "apply", "refresh": "apply"}

app = App(
    name="xgate",
    version=__version__,
    help="An X-Road 7 compatible security server.",
    help_epilogue=_EXIT_CODES,
    help_format="markdown",
    default_parameter=Parameter(negative=()),
    result_action="return_value",
)
for _name, _help in _COMMANDS.items():
    app.command(f"xgate.cli.{_FILES.get(_name, _name)}:{_name}", name=_name, help=_help)


_SECRET = re.compile(r"(--[\w-]*pin[\w-]*)=.*", re.DOTALL | re.IGNORECASE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code.

    :param arguments: those after the program's name; by default the process's own.
    """
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = app(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        # There is no option that takes a PIN; who tries one must not read it in a log.
        print_error(_SECRET.sub(r"\1=...", str(error)))
        return 2
    except Unusable as error:
        print_error(str(error))
        return 2
    except Fault as fault:
        print_error(str(fault))
        return 1
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not flush into it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return code if isinstance(code, int) else 0
