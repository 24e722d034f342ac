"""Archives encrypted for those who may read them and signed by this server, by OpenPGP.

The rule: who the recipients are is decided by the member whose archive it is, and a key that cannot
be found is a refusal, never a file for fewer or for nobody. Keys are named as GnuPG users name
them, but never by something that two keys answer to. The octets go through a pipe to a process of
its own (``openpgp_child``): the library would hold the interpreter for as long as it encrypts, and
so no message ever lies on the disk in clear. Needs the extra ``xgate[archive]``. Source: asic 4.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.messagelog.envelope import create_file
from xgate.messagelog.openpgp_child import Task, write_task

if TYPE_CHECKING:
    from pysequoia import Cert

__all__ = ["OpenPgpEnvelope", "find_key"]

_HEX = re.compile("(?:0x)?([0-9A-F]{16}|[0-9A-F]{40}|[0-9A-F]{64})")
_CHILD = (sys.executable, "-m", "xgate.messagelog.openpgp_child")
_END_SECONDS = 60.0  # for the rest of what is in the pipe


class OpenPgpEnvelope:
    """An ``Envelope`` that encrypts and signs."""

    encrypted = True

    def __init__(
        self,
        signing_key: Path,
        keyring: Path | None = None,
        *,
        password: str | None = None,
        default_key: str = "",
        member_keys: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """:param signing_key: this server's key with its secret (``gpg --export-secret-keys``).
        :param keyring: certificates of the recipients (``gpg --export``).
        :param default_key: for archives of nobody in particular, or of members without a key of
            their own; empty: this server's.
        :param member_keys: as ``read_key_map`` gives them.
        :raises Fault: ``archive_key_not_found``, ``archive_key_ambiguous``, or
            ``archive_encryption_failed`` for files that are no keys.
        """
        own = _read_certificates(signing_key)[0]
        certificates = [own, *(_read_certificates(keyring) if keyring else ())]
        self._default = [find_key(default_key, certificates) if default_key else own]
        self._members = {
            member: [find_key(key, certificates) for key in keys]
            for member, keys in (member_keys or {}).items()
        }
        self._signer = signing_key.read_bytes()
        self._password = password

    @contextmanager
    def open(self, path: Path, member: ClientId | None) -> Iterator[IO[bytes]]:
        """See ``Envelope.open``. :raises Fault: ``archive_encryption_failed``."""
        found = self._default if member is None else self._members.get(member.short, self._default)
        task = Task([bytes(key) for key in found], self._signer, self._password)
        create_file(path).close()
        with subprocess.Popen(  # noqa: S603  our own interpreter and our own module
            [*_CHILD, str(path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            pipe, errors = child.stdin, child.stderr
            if pipe is None or errors is None:
                raise AssertionError("pipes were asked for")
            whole = False
            try:
                with suppress(BrokenPipeError):  # it has ended before its time, and says why
                    write_task(pipe, task)
                    yield pipe
                    pipe.close()
                    whole = True
                said = errors.read(4096).decode("utf-8", "replace").strip()
                if child.wait(_END_SECONDS) or not whole:
                    text = said.rpartition("\n")[2] or f"exit code {child.returncode}"
                    raise Fault(
                        "archive_encryption_failed", f"The archive is not encrypted: {text}"
                    )
            finally:
                child.kill()  # what is not whole must not look as if it were
                with suppress(BrokenPipeError):
                    pipe.close()
        with path.open("rb") as file:
            os.fsync(file.fileno())


def find_key(name: str, certificates: Sequence[Cert]) -> Cert:
    """The one certificate that a name means.

    ``name`` is a fingerprint or a key id of 16 digits (of the primary key), ``=`` and a whole user
    id, or a part of one in whatever case.

    :raises Fault: ``archive_key_not_found``, ``archive_key_ambiguous``.
    """
    digits = _HEX.fullmatch(name.replace(" ", "").upper().replace("0X", "0x"))
    unique = {certificate.fingerprint: certificate for certificate in certificates}
    if digits:
        found = [c for c in unique.values() if _has_id(c.fingerprint.upper(), digits[1])]
    elif name.startswith("="):
        found = [c for c in unique.values() if name[1:] in map(str, c.user_ids)]
    else:
        part = name.lower()
        found = [c for c in unique.values() if any(part in str(u).lower() for u in c.user_ids)]
    if not found:
        raise Fault("archive_key_not_found", f"There is no OpenPGP key '{name}'")
    if len(found) > 1:
        raise Fault("archive_key_ambiguous", f"Several OpenPGP keys are called '{name}'")
    return found[0]


def _has_id(fingerprint: str, digits: str) -> bool:
    """Whether ``digits`` are the fingerprint or the key id: its last 64 bits, from v6 on first."""
    short = fingerprint[:16] if len(fingerprint) == 64 else fingerprint[-16:]
    return digits in (fingerprint, short)


def _read_certificates(path: Path) -> list[Cert]:
    try:
        from pysequoia import Cert
    except ImportError:
        text = "Encrypted archives need the extra 'archive': pip install 'xgate[archive]'"
        raise Fault("archive_encryption_failed", text) from None
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise Fault("archive_encryption_failed", f"Cannot read {path}: {error.strerror}") from None
    try:
        found = Cert.split_bytes(octets)
    except Exception as error:  # noqa: BLE001  the library has no class for it
        hint = " (a GnuPG folder's own file: export it with gpg --export)"
        known = hint if octets[8:12] == b"KBXf" else ""
        text = f"{path} holds no OpenPGP keys{known}: {error}"
        raise Fault("archive_encryption_failed", text) from None
    if not found:
        raise Fault("archive_encryption_failed", f"{path} holds no OpenPGP keys")
    return found
