"""A hardware module in software, for tests and the sandbox: SoftHSM2 with a store of one's own.

The rule: it is the real one (Debian's package ``softhsm2``), and its tokens lie in a folder that
only its own user may enter. SoftHSM2 learns of the folder by an environment variable whenever it is
started in a process (C_Initialize), so one process uses one store at a time. PINs reach its program
by a terminal, as a person types them, and are on no command line.
"""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import which

__all__ = ["SoftHsm", "SoftHsmError", "find_softhsm"]

_CONF = "SOFTHSM2_CONF"
_FOLDERS = ("/usr/lib/softhsm", "/usr/lib64", "/usr/local/lib/softhsm", "/usr/lib64/pkcs11")


class SoftHsmError(Exception):
    """SoftHSM2's program refused; the text is what it said."""


def find_softhsm() -> Path | None:
    """The module's shared object; None when SoftHSM2 is not installed."""
    if which("softhsm2-util") is None:
        return None
    places = [Path(folder, "libsofthsm2.so") for folder in _FOLDERS]
    return next((place for place in places if place.exists()), None)


class SoftHsm:
    """A store of tokens."""

    def __init__(self, library: Path, folder: Path) -> None:
        """Make it in ``folder``, which must not exist. :param library: as ``find_softhsm`` says."""
        self.library = library
        folder.mkdir(mode=0o700)
        tokens = folder / "tokens"
        tokens.mkdir(mode=0o700)
        self.conf = folder / "softhsm2.conf"
        self.conf.write_text(
            f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process that uses this store has in its environment."""
        return {_CONF: str(self.conf)}

    @contextmanager
    def in_this_process(self) -> Iterator[None]:
        """Modules that are opened in the block use this store; close them in it, too."""
        before = os.environ.get(_CONF)
        os.environ[_CONF] = str(self.conf)
        try:
            yield
        finally:
            if before is None:
                del os.environ[_CONF]
            else:
                os.environ[_CONF] = before

    def make_token(self, label: str, pin: str, so_pin: str) -> None:
        """Make a token; a module that runs sees it when it is started again.

        :raises SoftHsmError: it cannot be made.
        """
        said = self._run(("--init-token", "--free", "--label", label), [so_pin, so_pin, pin, pin])
        if "has been initialized" not in said:
            raise SoftHsmError(said)

    def delete_token(self, label: str) -> None:
        """Delete a token. :raises SoftHsmError: there is none."""
        self._run(("--delete-token", "--token", label), [])

    def _run(self, arguments: tuple[str, ...], answers: list[str]) -> str:
        """Run the program at a terminal and answer its questions in their order."""
        ours, its = pty.openpty()
        try:
            with subprocess.Popen(  # noqa: S603  a program of the system, with arguments of ours
                ["softhsm2-util", *arguments],  # noqa: S607
                stdin=its,
                stdout=its,
                stderr=its,
                start_new_session=True,
                env={**os.environ, **self.environment},
            ) as process:
                os.close(its)
                said = _converse(ours, answers)
                process.kill()  # it asks more than there are answers, or has ended
        finally:
            os.close(ours)
        if process.returncode:
            raise SoftHsmError(said)
        return said


def _converse(terminal: int, answers: list[str]) -> str:
    left = iter(answers)
    said = b""
    while True:
        try:
            octets = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            octets = b""
        if not octets:
            return said.decode(errors="replace").strip()
        said += octets
        if said.rstrip().endswith(b"PIN:"):
            answer = next(left, None)
            if answer is None:
                return said.decode(errors="replace").strip()
            os.write(terminal, answer.encode() + b"\n")
