"""The process that encrypts one archive: ``python -m xgate.messagelog.openpgp_child OUTPUT``.

The rule: standard input brings the task (eight octets of length, JSON) and then the archive to its
end; keys and passwords come by no other way. Exit code 0 means that OUTPUT is whole. Source: asic
4: encrypted and signed, not compressed, AES-256.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import IO

import msgspec

__all__ = ["Task", "main", "write_task"]

_LENGTH = struct.Struct(">Q")
_MOST_OCTETS = 64 << 20


class Task(msgspec.Struct, frozen=True):
    """``recipients`` are certificates, ``signer`` a key with its secret, ``password`` opens it."""

    recipients: list[bytes]
    signer: bytes
    password: str | None


def write_task(pipe: IO[bytes], task: Task) -> None:
    """What goes before the archive."""
    octets = msgspec.json.encode(task)
    pipe.write(_LENGTH.pack(len(octets)) + octets)
    pipe.flush()


def main(output: str) -> None:
    """Encrypt and sign what follows the task on standard input."""
    import pysequoia

    (length,) = _LENGTH.unpack(_read(_LENGTH.size))
    if length > _MOST_OCTETS:
        raise ValueError("the task is too long")
    task = msgspec.json.decode(_read(length), type=Task)
    signer = pysequoia.Tsk.from_bytes(task.signer).signer(task.password)
    recipients = [pysequoia.Cert.from_bytes(octets) for octets in task.recipients]
    pysequoia.encrypt_file("/dev/stdin", output, recipients=recipients, signer=signer, armor=False)


def _read(length: int) -> bytes:
    """Exactly so much: what follows must stay in the pipe for the library."""
    octets = b""
    while len(octets) < length:
        more = os.read(sys.stdin.fileno(), length - len(octets))
        if not more:
            raise ValueError("the task is cut off")
        octets += more
    return octets


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as error:  # noqa: BLE001  one line for whoever started this
        sys.exit(str(error))
