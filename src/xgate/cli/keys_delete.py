"""``xgate keys delete``: a key, a certificate or a request goes.

The rule: what others rely on goes only by force: a certificate that is registered, or signs now. A
key goes with all that belongs to it, from its token too.
"""

from __future__ import annotations

from collections.abc import Iterable

from xgate.cli.keys_place import KeyPlace, PinFrom, WhichKeys, open_place
from xgate.cli.output import print_json, print_line
from xgate.errors import Fault
from xgate.signer.entries import SOFTWARE, KeyEntry, StoredCertificate
from xgate.signer.registry import (
    check_certificate,
    check_key,
    check_name,
    is_in_use,
    remove_certificate,
    remove_entry,
    remove_request,
)
from xgate.signer.store import KeyStore

__all__ = ["delete"]


def delete(
    name: str,
    /,
    *,
    force: bool = False,
    which: WhichKeys | None = None,
    pin: PinFrom | None = None,
    json: bool = False,
) -> int:
    """Delete a key with all its certificates, or one certificate, or one request.

    A certificate that is registered or in use, and its key, are deleted only with --force: the
    server's peers rely on it. A key on another token than the software token needs its PIN.

    :param name: The id, or its beginning (as xgate keys list shows it); TOKEN-ID:ID where several
        tokens have a key of one id.
    :param force: Also what is in use.
    :param json: Print one JSON object.
    """
    with open_place(which) as place:
        what, found = check_name(place.read(), name)
        if what == "request":
            place.change(lambda store: remove_request(store, found))
        elif what == "certificate":
            place.change(lambda store: _without_certificate(store, found, force=force))
        else:
            entry = check_key(place.read(), name)
            _check_free(entry, entry.certificates, force=force)
            _delete_key(place, entry, pin or PinFrom())
    if json:
        print_json({"deleted": what, "id": found})
    else:
        print_line(f"The {what} {found} is deleted")
    return 0


def _without_certificate(store: KeyStore, name: str, *, force: bool) -> KeyStore:
    entry, stored = check_certificate(store, name)
    _check_free(entry, [stored], force=force)
    return remove_certificate(store, name)


def _check_free(entry: KeyEntry, certificates: Iterable[StoredCertificate], *, force: bool) -> None:
    used = [stored for stored in certificates if is_in_use(entry, stored)]
    if used and not force:
        raise Fault(
            "internal_error",
            f"Certificate {used[0].id} is {used[0].status} and others rely on it; "
            "disable or unregister it first, or say --force",
        )


def _delete_key(place: KeyPlace, entry: KeyEntry, pin: PinFrom) -> None:
    """From the token first: a key without an entry is found again, one without octets is not."""
    token = place.tokens.check(entry.token)
    if entry.token != SOFTWARE:
        place.log_in(token, pin)
    token.delete(entry.id)
    place.change(lambda store: remove_entry(store, entry))
