"""``xgate keys``: bring keys into the key store, and see what is there.

The rule: a key store is written under the PIN that opened what went into it, never over another one
unless told to, and listing it asks for nothing secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from cyclopts import App

from xgate.cli.output import (
    Unusable,
    path_text,
    print_json,
    print_line,
    print_rows,
    read_pin,
)
from xgate.cli.show import ShownCertificate, show_certificate, time_text
from xgate.errors import Fault
from xgate.signer.keyconf import ImportedKey, read_token_folder
from xgate.signer.store import KeyEntry, StoredCertificate, read_store, write_store
from xgate.trust.certificate import Certificate

__all__ = ["import_keys", "keys", "list_keys"]

_STORE = Path("keys.xgate")

keys = App(name="keys", help="Bring keys into the key store, and list them.")


class _CertificateRow(msgspec.Struct, frozen=True):
    """What is shown of a certificate; ``problem`` says why it cannot be read."""

    member: str | None
    active: bool
    status: str
    certificate: ShownCertificate | None = None
    problem: str | None = None


class _KeyRow(msgspec.Struct, frozen=True):
    id: str
    usage: str | None
    label: str
    certificates: tuple[_CertificateRow, ...]


@keys.command(name="import")
def import_keys(
    folder: Path,
    /,
    *,
    store: Path = _STORE,
    pin_file: Path | None = None,
    pin_env: str | None = None,
    replace: bool = False,
    json: bool = False,
) -> int:
    """Import the software token of an X-Road signer (keyconf.xml and softtoken/).

    The PIN is asked for on the terminal unless it is given by a file or the environment.

    :param folder: The signer's folder, usually /etc/xroad/signer.
    :param store: The key store to write; it is sealed with the same PIN.
    :param pin_file: A file whose first line is the token's PIN.
    :param pin_env: The environment variable that holds the PIN.
    :param replace: Write over a key store that exists.
    :param json: Print one JSON object.
    """
    if not folder.is_dir():
        raise Unusable(f"{path_text(folder)} is not a folder")
    if store.exists() and not replace:
        raise Unusable(f"{path_text(store)} exists; say --replace to write over it")
    pin = read_pin(pin_file, pin_env, prompt="PIN of the token: ")
    imported = _read_token(folder, pin)
    try:
        write_store(store, pin, imported)
    except OSError as error:
        raise Unusable(f"Cannot write {path_text(store)}: {error.strerror}") from None
    _show(store, [entry for entry, _ in imported], json=json)
    return 0


@keys.command(name="list")
def list_keys(*, store: Path = _STORE, json: bool = False) -> int:
    """List the keys of a key store and their certificates; needs no PIN.

    :param store: The key store.
    :param json: Print one JSON object.
    """
    try:
        opened = read_store(store)
    except OSError as error:
        raise Unusable(f"Cannot read {path_text(store)}: {error.strerror}") from None
    except Fault as fault:
        raise Unusable(str(fault)) from None
    _show(store, opened.entries(), json=json)
    return 0


def _read_token(folder: Path, pin: str) -> list[ImportedKey]:
    try:
        imported = read_token_folder(folder, pin)
    except Fault as fault:
        if fault.code == "token_not_found":
            raise Unusable(str(fault)) from None
        raise
    if not imported:
        raise Fault("key_not_found", f"{path_text(folder)} holds no key that has a use")
    return imported


def _show(store: Path, entries: Sequence[KeyEntry], *, json: bool) -> None:
    rows = [
        _KeyRow(entry.id, entry.usage, entry.label, tuple(map(_row, entry.certificates)))
        for entry in entries
    ]
    if json:
        print_json({"store": path_text(store), "keys": rows})
        return
    for row in rows:
        print_line(f"{row.id}  {row.usage or 'unused'}  {row.label or '-'}")
        for certificate in row.certificates:
            print_rows(_lines(certificate))


def _row(stored: StoredCertificate) -> _CertificateRow:
    seen = _CertificateRow(stored.member, stored.active, stored.status)
    try:
        shown = show_certificate(Certificate.load(stored.der))
    except Fault as fault:
        return msgspec.structs.replace(seen, problem=fault.text)
    return msgspec.structs.replace(seen, certificate=shown)


def _lines(row: _CertificateRow) -> list[tuple[str, str]]:
    state = f"{row.status}, {'active' if row.active else 'not active'}"
    lines = [("certificate", f"of {row.member or 'this server'}: {state}")]
    shown = row.certificate
    if shown is None:
        return [*lines, ("problem", row.problem or "")]
    return [
        *lines,
        ("", f"{shown.subject}; serial {shown.serial}"),
        ("", f"valid {time_text(shown.not_before)} to {time_text(shown.not_after)}"),
        ("", f"sha256 {shown.sha256}"),
    ]
