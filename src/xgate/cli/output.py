"""How commands speak: plain lines, or one JSON object; and where a PIN comes from.

The rule: what a script reads goes to standard output, everything else to standard error; a PIN is
read from a file, an environment variable or the terminal, never from the command line.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["Unusable", "print_json", "print_line", "read_file", "read_pin"]


class Unusable(Exception):
    """An argument that cannot be used; the text says which and why. Exit code 2."""


def print_line(text: str = "") -> None:
    """One line for a person, at once."""
    print(text, flush=True)  # noqa: T201  the command's own voice


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object for a script."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def read_file(path: Path, most: int) -> bytes:
    """The octets of a file named on the command line.

    :param most: a larger file is refused unread.
    :raises Unusable: it cannot be read or is too large.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(most + 1)
    except OSError as error:
        raise Unusable(f"Cannot read {path}: {error.strerror}") from None
    if len(octets) > most:
        raise Unusable(f"{path} is larger than {most} octets")
    return octets


def read_pin(pin_file: Path | None, pin_env: str | None, *, prompt: str = "PIN: ") -> str:
    """The PIN from a file (first line), an environment variable, or the terminal.

    :raises Unusable: it is not where it was said to be, or nobody is there to ask.
    """
    if pin_file is not None:
        pin = read_file(pin_file, 4096).decode("utf-8", "replace").split("\n", 1)[0].rstrip("\r")
    elif pin_env is not None:
        if pin_env not in os.environ:
            raise Unusable(f"The environment variable {pin_env} is not set")
        pin = os.environ[pin_env]
    elif sys.stdin.isatty():
        pin = getpass.getpass(prompt)
    else:
        raise Unusable("Give the PIN by --pin-file or --pin-env")
    if not pin:
        raise Unusable("The PIN is empty")
    return pin
