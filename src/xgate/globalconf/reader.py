"""The process that reads large shared parameters: ``python -m xgate.globalconf.reader IN OUT``.

The rule: it gets two open files and gives back one snapshot, or a refusal as ``[code, text]`` on
standard output. Its memory and its time are bounded, it yields to whoever carries messages, and
what it reads may be hostile: nothing of it is kept when it ends.
"""

from __future__ import annotations

import gc
import os
import resource
import sys

import msgspec

from xgate.errors import Fault
from xgate.globalconf.shared import read_in_rows
from xgate.globalconf.snapshot_writer import write_rows

__all__ = ["main"]

_MEMORY = 4 * 1024**3
_SECONDS = 100
_POLITE = 10  # on a busy machine a tenth of a core, which is enough by far


def main(given: int, out: int) -> int:
    """Read from one descriptor and write to the other; the exit code."""
    _limit(resource.RLIMIT_AS, _MEMORY)
    _limit(resource.RLIMIT_CPU, _SECONDS)
    os.nice(_POLITE)
    gc.disable()  # nothing here has cycles, and all of it ends with the process
    os.lseek(given, 0, os.SEEK_SET)
    with os.fdopen(given, "rb") as file:
        octets = file.read()
    try:
        block = write_rows(*read_in_rows(octets), octets)
    except Fault as fault:
        sys.stdout.buffer.write(msgspec.json.encode((fault.code, fault.text)))
        return 1
    with os.fdopen(out, "wb") as file:
        file.write(block)
    return 0


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (bound, bound))


if __name__ == "__main__":
    code = main(int(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.flush()
    os._exit(code)  # freeing a country object by object takes as long as reading it
