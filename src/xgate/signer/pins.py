"""PINs: where they come from, and which ones are good enough.

The rule: a PIN comes from a file, an environment variable or a command's output, never from a
command line; whatever goes wrong, no PIN is in the refusal. A file or a command may give one PIN,
the software token's, or several lines ``token-id:pin`` (signer 2 and 12).
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from xgate.errors import Fault
from xgate.signer.entries import SOFTWARE

__all__ = ["PinSource", "check_pin_policy", "read_pins", "take_variable"]

_MAX_BYTES = 4096
_COMMAND_SECONDS = 30.0
_LOOK_MILLISECONDS = 50
_POLICY_LENGTH, _POLICY_CLASSES = 10, 3
_TAKEN: dict[str, bytes] = {}  # for tokens that are seen later


class PinSource(msgspec.Struct, frozen=True):
    """Where a PIN is read from: exactly one of the three.

    :param file: its path. :param env: the variable's name.
    :param command: program and arguments; run without a shell, its standard output is read.
    """

    file: Path | None = None
    env: str = ""
    command: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.file is not None:
            return f"the file {self.file}"
        return f"the environment variable {self.env}" if self.env else f"{self.command[0]}"


def read_pins(source: PinSource, token: str = SOFTWARE) -> Mapping[str, str]:
    """PINs by token id; a source of one line gives the one of ``token``.

    :raises Fault: ``login_failed``, naming the source and what is wrong with it.
    """
    lines = [line.rstrip("\r") for line in _read(source).split("\n")]
    filled = [line for line in lines if line]
    if not filled:
        raise Fault("login_failed", f"There is no PIN in {source}")
    if len(filled) == 1:
        return {token: filled[0]}
    pins = dict(line.split(":", 1) for line in filled if ":" in line)
    if len(pins) != len(filled) or not all(pins.values()):
        raise Fault(
            "login_failed",
            f"{source} has several lines, so each must be 'token-id:pin', for one token each",
        )
    return pins


def check_pin_policy(pin: str) -> None:
    """The reference's policy: ten characters of three kinds, ASCII only (signer 2).

    :raises Fault: ``token_pin_policy_failure``.
    """
    kinds = {_kind(char) for char in pin}
    printable = all(" " <= char <= "~" for char in pin)
    if not printable or len(pin) < _POLICY_LENGTH or len(kinds) < _POLICY_CLASSES:
        raise Fault(
            "token_pin_policy_failure",
            f"The PIN must have at least {_POLICY_LENGTH} ASCII characters of at least "
            f"{_POLICY_CLASSES} kinds: digits, capitals, small letters, others",
        )


def _kind(char: str) -> str:
    if char.isdigit():
        return "digit"
    if char.isalpha():
        return "upper" if char.isupper() else "lower"
    return "special"


def _read(source: PinSource) -> str:
    if source.file is not None:
        octets = _read_file(source.file)
    elif source.env:
        octets = _read_variable(source.env)
    else:
        octets = _run(source.command)
    if len(octets) > _MAX_BYTES:
        raise Fault("login_failed", f"{source} gives more than {_MAX_BYTES} octets: no PIN")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Fault("login_failed", f"{source} gives no UTF-8 text") from None


def take_variable(name: str) -> bytes | None:
    """What an environment variable holds, or held when it was taken first.

    It leaves the environment, so that no program that this process runs inherits it: whoever knows
    of several takes them all before a command is run for another.
    """
    if name in os.environ:
        _TAKEN[name] = os.fsencode(os.environ.pop(name))
    return _TAKEN.get(name)


def _read_variable(name: str) -> bytes:
    octets = take_variable(name)
    if octets is None:
        raise Fault("login_failed", f"The environment variable {name} is not set")
    return octets


def _read_file(path: Path) -> bytes:
    """Its permissions are its owner's affair: secrets of containers are commonly open to all."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise Fault("login_failed", f"Cannot read the PIN file {path}: {error.strerror}") from None


def _run(command: tuple[str, ...]) -> bytes:
    """Its output, bounded in size and time; its standard error stays where ours goes."""
    try:
        process = subprocess.Popen(  # noqa: S603  the settings name it, and no shell reads it
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
        )
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise Fault("login_failed", f"Cannot run {command[0]}: {cause}") from None
    with process:
        octets, ended = _collect(process, time.monotonic() + _COMMAND_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with whatever it has started and left behind
    if not ended:
        raise Fault("login_failed", f"{command[0]} gave no PIN within {_COMMAND_SECONDS:.0f} s")
    if process.returncode and len(octets) <= _MAX_BYTES:
        code = process.returncode
        raise Fault("login_failed", f"{command[0]} ended with exit code {code}, so it gave no PIN")
    return octets


def _collect(process: subprocess.Popen[bytes], until: float) -> tuple[bytes, bool]:
    """What it says until it ends, and whether it did so in time.

    What it has started may hold its output open for ever; that is not waited for.
    """
    assert process.stdout is not None  # it is a pipe
    octets, source = b"", process.stdout.fileno()
    poller = select.poll()
    poller.register(source, select.POLLIN)
    while len(octets) <= _MAX_BYTES and time.monotonic() < until:
        if poller.poll(_LOOK_MILLISECONDS):
            said = os.read(source, _MAX_BYTES + 1 - len(octets))
            octets += said
            if said:
                continue
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(until - time.monotonic(), 0))
        if process.poll() is not None:
            return octets, True
    return octets, len(octets) > _MAX_BYTES
