"""How commands speak: plain lines, or one JSON object; and where a PIN comes from.

The rule: what a script reads goes to standard output, everything else to standard error. Texts may
come out of hostile files, so nothing reaches a terminal but what can be printed. A PIN is read from
a file, an environment variable or the terminal, never from the command line.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO, TypeVar

import msgspec

from xgate.signer.pins import take_variable

__all__ = [
    "Unusable",
    "path_text",
    "print_error",
    "print_json",
    "print_line",
    "print_rows",
    "read_file",
    "read_pin",
    "with_progress",
]

_T = TypeVar("_T")
_COLUMN = 13


class Unusable(Exception):
    """An argument that cannot be used; the text says which and why. Exit code 2."""


def print_line(text: str = "") -> None:
    """One line for a person, at once."""
    _write(sys.stdout, text)


def print_rows(rows: Iterable[tuple[str, str]]) -> None:
    """Lines that say more about the line before them: what, and its value."""
    for what, value in rows:
        told = f"{what} " if what else ""
        print_line(f"  {told:<{_COLUMN}}{value}")


def print_error(text: str) -> None:
    """One line on standard error."""
    _write(sys.stderr, f"xgate: {text}")


def print_json(value: object) -> None:
    """One JSON object for a script.

    :param value: a mapping or a ``msgspec.Struct``.
    """
    sys.stdout.flush()
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def path_text(path: Path) -> str:
    """A path as text; octets of a name that are no UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def read_file(path: Path, most: int) -> bytes:
    """The octets of a file named on the command line.

    :param most: a larger file is refused, its rest unread.
    :raises Unusable: it cannot be read or is too large.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(most + 1)
    except OSError as error:
        raise Unusable(f"Cannot read {path_text(path)}: {error.strerror}") from None
    if len(octets) > most:
        raise Unusable(f"{path_text(path)} is larger than {most} octets")
    return octets


def read_pin(pin_file: Path | None, pin_env: str | None, *, prompt: str = "PIN: ") -> str:
    """The PIN from a file (first line), an environment variable, or the terminal.

    :raises Unusable: it is not where it was said to be, or nobody is there to ask.
    """
    if pin_file is not None and pin_env is not None:
        raise Unusable("Give the PIN by --pin-file or by --pin-env, not by both")
    if pin_file is not None:
        pin = read_file(pin_file, 4096).decode("utf-8", "replace").split("\n", 1)[0].rstrip("\r")
    elif pin_env is not None:
        octets = take_variable(pin_env)
        if octets is None:
            raise Unusable(f"The environment variable {pin_env} is not set")
        pin = octets.decode("utf-8", "replace")
    elif sys.stdin.isatty():
        pin = getpass.getpass(prompt)
    else:
        raise Unusable("Give the PIN by --pin-file or --pin-env")
    if not pin:
        raise Unusable("The PIN is empty")
    return pin


def with_progress(
    items: Iterable[_T], what: str, total: int, *, silent: bool = False
) -> Iterator[_T]:
    """The items one by one, with a bar on standard error while a person waits.

    There is none where standard error is no terminal, for a single item, and where the results
    themselves appear on a terminal meanwhile.

    :param what: is done, for example "Verifying". :param total: how many there are, about.
    :param silent: nothing is printed meanwhile.
    """
    if total < 2 or not sys.stderr.isatty() or (sys.stdout.isatty() and not silent):
        yield from items
        return
    # Only here: it is slow to import.
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, redirect_stdout=False) as progress:
        yield from progress.track(items, total=total, description=what)


def _write(file: TextIO, text: str) -> None:
    shown = "".join(char if char.isprintable() else _escaped(char) for char in text)
    encoding = file.encoding or "utf-8"
    file.write(shown.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    file.flush()


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
