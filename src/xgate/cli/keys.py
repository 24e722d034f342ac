"""``xgate keys``: bring keys into the key store, and see what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from xgate.cli.output import Unusable, print_json, print_line, read_pin
from xgate.signer.keyconf import read_token_folder
from xgate.signer.store import KeyEntry, read_store, write_store
from xgate.trust.certificate import Certificate

__all__ = ["keys"]

keys = App(name="keys", help="Bring keys into the key store, and list them.")


@keys.command(name="import")
def import_keys(
    folder: Path,
    *,
    store: Path = Path("keys.xgate"),
    pin_file: Path | None = None,
    pin_env: str | None = None,
    replace: bool = False,
    json: bool = False,
) -> int:
    """Import the software token of an X-Road signer (keyconf.xml and softtoken/).

    Parameters
    ----------
    folder
        The signer's folder, usually /etc/xroad/signer.
    store
        The key store to write; it is sealed with the same PIN.
    pin_file
        A file whose first line is the token's PIN.
    pin_env
        The environment variable that holds the PIN.
    replace
        Write over a key store that exists.
    json
        Print one JSON object.
    """
    if store.exists() and not replace:
        raise Unusable(f"{store} exists; say --replace to write over it")
    pin = read_pin(pin_file, pin_env, prompt="PIN of the token: ")
    imported = read_token_folder(folder, pin)
    try:
        write_store(store, pin, imported)
    except OSError as error:
        raise Unusable(f"Cannot write {store}: {error.strerror}") from None
    _show([entry for entry, _ in imported], json=json)
    return 0


@keys.command(name="list")
def list_keys(
    *,
    store: Path = Path("keys.xgate"),
    json: Annotated[bool, Parameter(help="Print one JSON object.")] = False,
) -> int:
    """List the keys of a key store and their certificates; needs no PIN.

    Parameters
    ----------
    store
        The key store.
    """
    _show(read_store(store).entries(), json=json)
    return 0


def _show(entries: list[KeyEntry] | tuple[KeyEntry, ...], *, json: bool) -> None:
    rows = [_row(entry) for entry in entries]
    if json:
        print_json({"keys": rows})
        return
    for row in rows:
        print_line(f"{row['id']}  {row['usage']}  {row['label'] or '-'}")
        for certificate in row["certificates"]:
            state = "active" if certificate["active"] else "inactive"
            print_line(
                f"    {certificate['member'] or 'this server'}  {certificate['status']}, {state}  "
                f"until {certificate['not_after']}  sha256 {certificate['sha256']}"
            )


def _row(entry: KeyEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "usage": entry.usage,
        "label": entry.label,
        "certificates": [
            {
                "member": stored.member,
                "active": stored.active,
                "status": stored.status,
                "sha256": Certificate.load(stored.der).sha256.hex(),
                "not_after": Certificate.load(stored.der).not_after.isoformat(),
            }
            for stored in entry.certificates
        ],
    }
