"""``xgate keys import FILE``, ``activate``, ``disable``: the life of a certificate.

The rule: a certificate comes in only for a key that is here, from an approved CA, for a known
member; it is used only after its responder has said, just now, that it is good. What the responder
said against it is kept and shown (signer 7).
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import trio

from xgate.cli.keys_place import KeyPlace, WhichKeys, open_place, read_member
from xgate.cli.output import print_json, print_line, read_file
from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId
from xgate.securityserver.certificate_check import check_good_now
from xgate.signer.admission import Admission, admit_certificate
from xgate.signer.entries import StoredCertificate
from xgate.signer.registry import (
    SHORTEST_BEGINNING,
    change_certificate,
    check_certificate,
    listed_for,
    put_entry,
    settle_auth_states,
)
from xgate.signer.store import KeyStore
from xgate.trust.certificate import Certificate

__all__ = ["activate", "disable", "import_certificate"]

_MOST = 64 * 1024


def import_certificate(
    source: Path | str, which: WhichKeys, member: str | None, *, json: bool
) -> int:
    """``xgate keys import`` with a file, or with what names a certificate on a token."""
    wanted = read_member(member)
    octets = read_file(source, _MOST) if isinstance(source, Path) else b""
    with open_place(which) as place:
        conf = place.configuration()
        if isinstance(source, str):
            octets = _on_a_token(place, source)
        admission = _admit(place, conf, octets, wanted)
        stored = admission.stored
        fault = _why_not_good(place, conf, stored) if stored.active else None
        if fault is not None:
            stored = msgspec.structs.replace(stored, active=False, problem=fault.text)

        def add(store: KeyStore) -> KeyStore:
            again = _admit(place, conf, octets, wanted)
            certificates = (*again.entry.certificates[:-1], stored)
            return put_entry(store, msgspec.structs.replace(again.entry, certificates=certificates))

        place.change(add)
    _tell(stored, admission.entry.id, json=json)
    return 0 if fault is None else 1


def activate(certificate: str, /, *, which: WhichKeys | None = None, json: bool = False) -> int:
    """Use a certificate from now on, if its responder says that it is good; needs --config.

    :param certificate: Its id, or the beginning (as xgate keys list shows it).
    :param json: Print one JSON object.
    """
    with open_place(which) as place:
        conf = place.configuration()
        server = place.settings.server_id
        entry, stored = check_certificate(place.read(), certificate)
        fault = _why_not_good(place, conf, stored)

        def tried(stored: StoredCertificate) -> StoredCertificate:
            if fault is not None:
                return msgspec.structs.replace(stored, problem=fault.text)
            return msgspec.structs.replace(stored, active=True, problem=None)

        store = place.change(
            lambda store: settle_auth_states(
                change_certificate(store, stored.id, tried), listed_for(conf, server)
            )
        )
    if fault is not None:
        raise fault
    _tell(check_certificate(store, stored.id)[1], entry.id, json=json)
    return 0


def disable(certificate: str, /, *, which: WhichKeys | None = None, json: bool = False) -> int:
    """Use a certificate no more, until it is activated again.

    :param certificate: Its id, or the beginning (as xgate keys list shows it).
    :param json: Print one JSON object.
    """
    with open_place(which) as place:
        store = place.change(
            lambda store: change_certificate(
                store, certificate, lambda c: msgspec.structs.replace(c, active=False)
            )
        )
        entry, stored = check_certificate(store, certificate)
    _tell(stored, entry.id, json=json)
    return 0


def _on_a_token(place: KeyPlace, name: str) -> bytes:
    place.log_in_everywhere()
    known = place.certificates_on_tokens()
    found = [sha256 for sha256 in known if sha256.startswith(name.lower())]
    if len(name) < SHORTEST_BEGINNING or len(found) != 1:
        raise Fault(
            "cert_not_found",
            f"{len(found)} certificates on tokens have a SHA-256 that begins with '{name}'; say at "
            "least six characters of one that xgate keys list --on-tokens shows",
        )
    return known[found[0]][1].der


def _admit(place: KeyPlace, conf: GlobalConf, octets: bytes, member: ClientId | None) -> Admission:
    try:
        return admit_certificate(octets, place.read().keys, place.terms(conf), member)
    except Fault as fault:
        if fault.code != "key_not_found":
            raise
        place.log_in_everywhere()
        return admit_certificate(octets, place.tokens.entries(), place.terms(conf), member)


def _why_not_good(place: KeyPlace, conf: GlobalConf, stored: StoredCertificate) -> Fault | None:
    async def check() -> None:
        certificate = Certificate.load(stored.der)
        await check_good_now(certificate, conf, place.settings, SystemClock())

    try:
        trio.run(check)
    except Fault as fault:
        return fault
    return None


def _tell(stored: StoredCertificate, key: str, *, json: bool) -> None:
    if json:
        print_json(
            {
                "id": stored.id,
                "key": key,
                "member": stored.member,
                "status": stored.status,
                "active": stored.active,
                "problem": stored.problem,
            }
        )
        return
    state = f"{stored.status}, {'active' if stored.active else 'not active'}"
    print_line(f"{stored.id}  of {stored.member or 'this server'}: {state}")
    if stored.problem:
        print_line(f"  problem      {stored.problem}")
