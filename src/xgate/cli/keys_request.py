"""``xgate keys csr``: a certificate request, for a CA that the global configuration approves.

The rule: which fields there are, which are fixed and in which order is the CA's certificate profile
to say; the request is remembered and signed anew whenever it is asked for again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cyclopts import Parameter

from xgate.algorithms import digest_named
from xgate.cli.keys_place import KeyPlace, PinFrom, WhichKeys, open_place, read_member
from xgate.cli.output import Unusable, path_text, print_json, print_rows
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.shared import CertificationService
from xgate.ids import ClientId
from xgate.securityserver.key_holder import signer_socket
from xgate.signer.ask import RemoteToken
from xgate.signer.csr import find_request, make_request, remember_request
from xgate.signer.entries import SOFTWARE, KeyEntry, StoredRequest, Usage
from xgate.signer.registry import check_key, find_request_by_id, put_entry
from xgate.signer.store import KeyStore
from xgate.signer.token import TokenKey
from xgate.trust.certificate_request import request_pem
from xgate.trust.profile import short_profile
from xgate.trust.profile_fields import (
    ALTERNATIVE,
    Applicant,
    SubjectField,
    fill_fields,
    subject_fields,
)

__all__ = ["Wanted", "csr"]

_USES: dict[str, Usage] = {"sign": "SIGNING", "auth": "AUTHENTICATION"}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a request is for.

    :param use: What the certificate is for; a key that has a use needs not be told.
    :param member: The member that signs (INST/CLASS/CODE[/SUB]); the server's owner if not given.
    :param ca: The CA's name in the global configuration, if there are several.
    :param name: The member's name, if the global configuration does not know it yet.
    :param field: A field of the subject: --field CN=ss1.example.com; may be given several times.
    """

    use: Literal["sign", "auth"] | None = None
    member: str | None = None
    ca: str | None = None
    name: str | None = None
    field: Annotated[tuple[str, ...], Parameter(negative=())] = ()


def csr(
    key: str,
    /,
    *,
    wanted: Wanted | None = None,
    fields: bool = False,
    format: Literal["pem", "der"] = "pem",  # noqa: A002  the option's name
    out: Path | None = None,
    which: WhichKeys | None = None,
    pin: PinFrom | None = None,
    json: bool = False,
) -> int:
    """Write a certificate request of a key, or one that was made before once more.

    --fields shows what the CA's profile asks for; what is not fixed is given by --field.

    :param key: The key's id, or that of a request (as xgate keys list shows them, or a beginning);
        TOKEN-ID:ID where several tokens have a key of one id.
    :param fields: Only show the fields that there are.
    :param format: PEM or DER.
    :param out: The file to write; standard output if not given.
    :param json: Print one JSON object (with --out or --fields).
    """
    if json and out is None and not fields:
        raise Unusable("--json needs --out: the request itself goes to standard output")
    wanted = wanted or Wanted()
    with open_place(which) as place:
        found = find_request_by_id(place.read(), key)
        if found is None and fields:
            return _show_fields(_form(place, _entry(place, key), wanted)[1], json=json)
        entry, request = found or _remember(place, key, wanted)
        der = _sign(place, entry, request, pin)
    _write(out, der if format == "der" else request_pem(der))
    if json:
        print_json({"key": entry.id, "request": request, "file": path_text(out or Path())})
    return 0


def _sign(place: KeyPlace, entry: KeyEntry, request: StoredRequest, pin: PinFrom | None) -> bytes:
    """By the signer's process, where the token may be open already; else here, with a PIN."""
    digest = digest_named(place.keys.csr_digest)
    assert digest is not None  # the settings know no other
    socket = signer_socket(place.keys, place.folder)
    if socket is not None and pin is None and entry.public_key:
        public = load_der_public_key(entry.public_key)
        kind = "ecdsa" if isinstance(public, ec.EllipticCurvePublicKey) else "rsa"
        key = TokenKey(entry.id, entry.label, entry.public_key, kind)
        with suppress(Fault):  # it is not there, or the token is not open there
            return make_request(RemoteToken(socket, entry.token, [key]), entry, request, digest)
    token = place.tokens.check(entry.token)
    place.log_in(token, pin or PinFrom())
    return make_request(token, entry, request, digest)


def _remember(place: KeyPlace, key: str, wanted: Wanted) -> tuple[KeyEntry, StoredRequest]:
    entry = _entry(place, key)
    usage, form, profile = _form(place, entry, wanted)
    values = fill_fields(form, dict(map(_pair, wanted.field)))
    request = StoredRequest(
        "",
        _member(place, wanted).short if usage == "SIGNING" else None,
        tuple((n, v) for n, v in values if n != ALTERNATIVE),
        dict(values).get(ALTERNATIVE),
        short_profile(profile),
    )

    def remember(store: KeyStore) -> KeyStore:
        known = next((e for e in store.keys if (e.token, e.id) == (entry.token, entry.id)), entry)
        return put_entry(store, remember_request(known, usage, request))

    entry = check_key(place.change(remember), f"{entry.token}:{entry.id}")
    made = find_request(entry, request)
    assert made is not None  # it was remembered above
    return entry, made


def _entry(place: KeyPlace, key: str) -> KeyEntry:
    """A key of the registry, or one that lies on a token and was never used here."""
    try:
        return check_key(place.read(), key)
    except Fault:
        place.log_in_everywhere()
        return check_key(KeyStore(place.tokens.entries()), key)


def _form(
    place: KeyPlace, entry: KeyEntry, wanted: Wanted
) -> tuple[Usage, Sequence[SubjectField], str]:
    usage = _USES[wanted.use] if wanted.use else entry.usage
    if usage is None:
        raise Unusable("Say what the certificate is for: --use sign or --use auth")
    if usage == "AUTHENTICATION" and wanted.member is not None:
        raise Unusable("--member goes with --use sign: an authentication key is the server's own")
    anywhere = place.keys.auth_on_any_token
    if usage == "AUTHENTICATION" and entry.token != SOFTWARE and not anywhere:
        raise Fault(
            "wrong_cert_usage",
            "Authentication keys belong on the software token unless auth-on-any-token is set",
        )
    conf = place.configuration()
    profile = _authority(conf, wanted.ca, usage).profile
    member = _member(place, wanted)
    known = conf.find_member(member.member)
    name = wanted.name or (known.member_name if known else "")
    who = Applicant(place.settings.server_id, member.member, name)
    return usage, subject_fields(profile, usage, who), profile


def _member(place: KeyPlace, wanted: Wanted) -> ClientId:
    return read_member(wanted.member) or place.settings.server_id.owner


def _authority(conf: GlobalConf, name: str | None, usage: Usage) -> CertificationService:
    shared = conf.instances[conf.own].shared
    known = [
        service
        for service in (shared.certification_services if shared else ())
        if usage == "AUTHENTICATION" or not service.authentication_only
    ]
    found = [service for service in known if name in (None, service.name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"'{service.name}'" for service in known) or "none"
    raise Unusable(f"Say which CA by --ca; the global configuration approves: {names}")


def _show_fields(form: Sequence[SubjectField], *, json: bool) -> int:
    if json:
        print_json({"fields": form})
        return 0
    print_rows(
        (f.name, f"{f.value} (fixed)" if f.fixed else f.value or "(to be given)") for f in form
    )
    return 0


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise Unusable(f"--field {text}: it must be NAME=VALUE")
    return name.strip(), value


def _write(out: Path | None, octets: bytes) -> None:
    if out is None:
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()
        return
    try:
        out.write_bytes(octets)
    except OSError as error:
        raise Unusable(f"Cannot write {path_text(out)}: {error.strerror}") from None
