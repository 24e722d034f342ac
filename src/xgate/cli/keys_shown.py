"""Keys, tokens, certificates and requests as commands show them.

The rule: a row for each thing, the same for a person and for a script; nothing secret is known
here. A certificate that cannot be read hides no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from xgate.cli.output import path_text, print_json, print_line, print_rows
from xgate.cli.show import ShownCertificate, show_certificate, time_text
from xgate.errors import Fault
from xgate.signer.entries import KeyEntry, StoredCertificate, StoredRequest
from xgate.signer.token import ManagedToken, TokenState
from xgate.trust.certificate import Certificate

__all__ = ["OcspStatus", "TokenRow", "show_keys", "token_row"]

OcspStatus = Callable[[Certificate], str | None]


class TokenRow(msgspec.Struct, frozen=True):
    """What is shown of a token."""

    id: str
    state: TokenState


class _CertificateRow(msgspec.Struct, frozen=True):
    """What is shown of a certificate; ``problem`` says why it cannot be read or was not activated.

    :param ocsp: what its responder said last, as far as the server has kept it.
    """

    id: str
    member: str | None
    active: bool
    status: str
    certificate: ShownCertificate | None = None
    ocsp: str | None = None
    problem: str | None = None


class _KeyRow(msgspec.Struct, frozen=True):
    """What is shown of a key; ``on_token`` are certificates that only its token has."""

    id: str
    usage: str | None
    label: str
    token: str
    certificates: tuple[_CertificateRow, ...]
    requests: tuple[StoredRequest, ...]
    on_token: tuple[ShownCertificate, ...] = ()


def token_row(token: ManagedToken) -> TokenRow:
    """What is shown of this token."""
    return TokenRow(token.id, token.state())


def show_keys(
    store: Path,
    tokens: Sequence[TokenRow],
    entries: Iterable[KeyEntry],
    *,
    ocsp: OcspStatus | None = None,
    beside: Mapping[tuple[str, str], Sequence[bytes]] | None = None,
    json: bool,
) -> None:
    """Print all of it.

    :param ocsp: what is known of a certificate's status.
    :param beside: certificates (DER) that only a token has, by its id and the key's.
    """
    rows = [
        _KeyRow(
            e.id,
            e.usage,
            e.label,
            e.token,
            tuple(_row(stored, ocsp) for stored in e.certificates),
            e.requests,
            tuple(_readable((beside or {}).get((e.token, e.id), ()))),
        )
        for e in entries
    ]
    if json:
        print_json({"store": path_text(store), "tokens": tokens, "keys": rows})
        return
    for token in tokens:
        print_line(f"token {token.id}  {_state_text(token.state)}")
    for row in rows:
        place = "" if row.token == "0" else f"  on token {row.token}"  # noqa: S105  an id
        print_line(f"{row.id}  {row.usage or 'not used yet'}  {row.label or '-'}{place}")
        for certificate in row.certificates:
            print_rows(_lines(certificate))
        for request in row.requests:
            subject = ", ".join(f"{name}={value}" for name, value in request.subject)
            print_rows([("request", f"{request.id} of {request.member or 'this server'}")])
            print_rows([("", subject or "(no subject)")])
        for shown in row.on_token:
            print_rows([("on its token", "a certificate that is not imported"), *_named(shown)])


def _state_text(state: TokenState) -> str:
    parts = [state.name, "" if state.available else "not there", state.status.replace("-", " ")]
    parts += ["logged in" if state.active else "not logged in"]
    return ", ".join(part for part in parts if part and part != "ok")


def _row(stored: StoredCertificate, ocsp: OcspStatus | None) -> _CertificateRow:
    seen = _CertificateRow(stored.id, stored.member, stored.active, stored.status)
    try:
        certificate = Certificate.load(stored.der)
    except Fault as fault:
        return msgspec.structs.replace(seen, problem=fault.text)
    return msgspec.structs.replace(
        seen,
        certificate=show_certificate(certificate),
        ocsp=ocsp and ocsp(certificate),
        problem=stored.problem,
    )


def _lines(row: _CertificateRow) -> list[tuple[str, str]]:
    state = f"{row.status}, {'active' if row.active else 'not active'}"
    lines = [("certificate", f"of {row.member or 'this server'}: {state}"), ("", f"id {row.id}")]
    shown = row.certificate
    if shown is not None:
        lines += _named(shown)
    if row.ocsp:
        lines.append(("OCSP", row.ocsp))
    if row.problem:
        lines.append(("problem", row.problem))
    return lines


def _named(shown: ShownCertificate) -> list[tuple[str, str]]:
    return [
        ("", f"{shown.subject}; serial {shown.serial}"),
        ("", f"valid {time_text(shown.not_before)} to {time_text(shown.not_after)}"),
        ("", f"sha256 {shown.sha256}"),
    ]


def _readable(certificates: Iterable[bytes]) -> Iterator[ShownCertificate]:
    for der in certificates:
        with suppress(Fault):  # what nobody can read, nobody can import
            yield show_certificate(Certificate.load(der))
