"""Changes of the registry: one function for each, from a store to a store.

The rule: nothing is opened or written here; ``change_store`` runs these under its lock, on the
registry as it is at that moment. What is not there is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ServerId
from xgate.signer.entries import KeyEntry, StoredCertificate, StoredRequest
from xgate.signer.store import KeyStore
from xgate.trust.certificate import Certificate

__all__ = [
    "SHORTEST_BEGINNING",
    "Listed",
    "change_certificate",
    "check_certificate",
    "check_key",
    "check_name",
    "find_request_by_id",
    "is_in_use",
    "listed_for",
    "put_entry",
    "remove_certificate",
    "remove_entry",
    "remove_request",
    "settle_auth_states",
]

SHORTEST_BEGINNING = 6
"""Characters of an id that name a thing, so that a slip of the hand deletes nothing."""

T = TypeVar("T")
Found = tuple[KeyEntry, StoredCertificate]
Kind = Literal["key", "certificate", "request"]
Listed = Callable[[Certificate], bool]
"""Whether an authentication certificate is listed for this server."""


def check_key(store: KeyStore, name: str) -> KeyEntry:
    """The key with this id.

    :param name: the whole id, or six or more characters of its beginning where no other begins so;
        with the token's id and a colon before it where several tokens have one of this id.
    :raises Fault: ``key_not_found``.
    """
    token, _, key_id = name.rpartition(":")
    known = [(e.id, e) for e in store.keys if token in ("", e.token)]
    return _one(known, key_id, "key_not_found", "key")


def check_certificate(store: KeyStore, name: str) -> Found:
    """The certificate with this id, and its key; ``name`` as in ``check_key``.

    :raises Fault: ``cert_not_found``.
    """
    known = [(stored.id, (entry, stored)) for entry in store.keys for stored in entry.certificates]
    return _one(known, name, "cert_not_found", "certificate")


def find_request_by_id(store: KeyStore, name: str) -> tuple[KeyEntry, StoredRequest] | None:
    """The request with this id, and its key; ``name`` as in ``check_key``."""
    known = [(request.id, (entry, request)) for entry in store.keys for request in entry.requests]
    found = [value for key, value in known if _is_named(key, name)]
    return found[0] if len(found) == 1 else None


def check_name(store: KeyStore, name: str) -> tuple[Kind, str]:
    """What has this id, and the whole of it; ``name`` as in ``check_key``.

    :raises Fault: ``key_not_found``; also when several things of whatever kind begin so.
    """
    if ":" in name:
        return "key", check_key(store, name).id
    known: list[tuple[str, tuple[Kind, str]]] = []
    for entry in store.keys:
        known.append((entry.id, ("key", entry.id)))
        known += [(c.id, ("certificate", c.id)) for c in entry.certificates]
        known += [(r.id, ("request", r.id)) for r in entry.requests]
    return _one(known, name, "key_not_found", "key, certificate or request")


def put_entry(store: KeyStore, entry: KeyEntry) -> KeyStore:
    """With this entry, in the place of the one of the same key."""
    keys = tuple(entry if _same(e, entry) else e for e in store.keys)
    return msgspec.structs.replace(store, keys=keys if entry in keys else (*keys, entry))


def remove_entry(store: KeyStore, entry: KeyEntry) -> KeyStore:
    """Without this key's entry."""
    return msgspec.structs.replace(store, keys=tuple(e for e in store.keys if not _same(e, entry)))


def change_certificate(
    store: KeyStore, name: str, change: Callable[[StoredCertificate], StoredCertificate]
) -> KeyStore:
    """With one certificate changed. :raises Fault: ``cert_not_found``."""
    entry, stored = check_certificate(store, name)
    changed = tuple(change(c) if c is stored else c for c in entry.certificates)
    return put_entry(store, msgspec.structs.replace(entry, certificates=changed))


def remove_certificate(store: KeyStore, name: str) -> KeyStore:
    """Without one certificate. :raises Fault: ``cert_not_found``."""
    entry, stored = check_certificate(store, name)
    left = tuple(c for c in entry.certificates if c is not stored)
    return put_entry(store, msgspec.structs.replace(entry, certificates=left))


def remove_request(store: KeyStore, name: str) -> KeyStore:
    """Without one request. :raises Fault: ``csr_not_found``."""
    found = find_request_by_id(store, name)
    if found is None:
        raise Fault("csr_not_found", f"There is no certificate request '{name}'")
    entry, request = found
    left = tuple(r for r in entry.requests if r is not request)
    return put_entry(store, msgspec.structs.replace(entry, requests=left))


def is_in_use(entry: KeyEntry, stored: StoredCertificate) -> bool:
    """Whether others rely on this certificate: deleting it would break something."""
    if entry.usage == "AUTHENTICATION":
        return stored.status not in ("saved", "global error")
    return stored.active


def listed_for(conf: GlobalConf, server: ServerId) -> Listed:
    """Whether the global configuration lists a certificate for this server."""
    return lambda certificate: conf.server_by_auth_hash(certificate) == server


def settle_auth_states(store: KeyStore, listed: Listed) -> KeyStore:
    """Authentication certificates that the global configuration lists for this server are
    registered. What it lists no more stays: that is asked anew at each use.
    """
    keys = (
        msgspec.structs.replace(
            entry,
            certificates=tuple(_settled(stored, listed) for stored in entry.certificates),
        )
        if entry.usage == "AUTHENTICATION"
        else entry
        for entry in store.keys
    )
    return msgspec.structs.replace(store, keys=tuple(keys))


_REGISTERED_BY_LISTING = ("saved", "registration in progress", "global error")


def _settled(stored: StoredCertificate, listed: Listed) -> StoredCertificate:
    try:
        is_listed = listed(Certificate.load(stored.der))
    except Fault:  # it cannot be read, so nobody can list it
        is_listed = False
    if is_listed and stored.status in _REGISTERED_BY_LISTING:
        return msgspec.structs.replace(stored, status="registered")
    return stored


def _same(one: KeyEntry, other: KeyEntry) -> bool:
    return (one.token, one.id) == (other.token, other.id)


def _is_named(key: str, name: str) -> bool:
    begins = len(name) >= SHORTEST_BEGINNING and key.lower().startswith(name.lower())
    return begins or key.lower() == name.lower()


def _one(known: list[tuple[str, T]], name: str, code: str, what: str) -> T:
    found = [value for key, value in known if _is_named(key, name)]
    exact = [value for key, value in known if key.lower() == name.lower()]
    if len(exact) == 1 or len(found) == 1:
        return (exact or found)[0]
    if len(exact) > 1:
        raise Fault(code, f"Several tokens have a {what} '{name}'; say which: TOKEN-ID:{name}")
    if found:
        raise Fault(code, f"Several begin with '{name}'; say more of the {what}'s id")
    raise Fault(code, f"There is no {what} '{name}'; xgate keys list shows what there is")
