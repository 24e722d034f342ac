"""The ``xgate`` command: its commands, and how all of them refuse.

The rule: exit code 0 means that all went well, 1 that the answer is no (something does not verify,
the server ended in an error), 2 that the command line or a file named in it cannot be used. Errors
are one line on standard error; ``--json`` puts one object on standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from xgate import __version__
from xgate.cli.output import Unusable
from xgate.errors import Fault
from xgate.securityserver.settings import SettingsError

__all__ = ["app", "main"]

app = App(
    name="xgate",
    version=__version__,
    help="An X-Road 7 compatible security server.",
    result_action="return_value",
)
app.command("xgate.cli.serve:serve", name="serve")
app.command("xgate.cli.demo:demo", name="demo")
app.command("xgate.cli.verify:verify", name="verify")
app.command("xgate.cli.keys:keys", name="keys")
app.command("xgate.cli.globalconf:globalconf", name="globalconf")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    try:
        code = app(arguments, exit_on_error=False, print_error=False)
    except (CycloptsError, Unusable, SettingsError) as error:
        print(f"xgate: {error}", file=sys.stderr)  # noqa: T201  the command's own voice
        sys.exit(2)
    except Fault as fault:
        print(f"xgate: {fault}", file=sys.stderr)  # noqa: T201  the command's own voice
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
