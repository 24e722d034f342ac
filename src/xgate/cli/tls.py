"""``xgate tls``: the server's certificate towards information systems, from its making on.

The rule: the files are those that the settings name; the key is written with mode 0600 and never
shown. A certificate gets there only if it is of the key. A running server takes up what changed
within seconds.
"""

from __future__ import annotations

import socket
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cyclopts import App, Parameter
from cyclopts.validators import Number

from xgate.cli.in_place import in_place
from xgate.cli.logstore import read_settings
from xgate.cli.output import Unusable, path_text, print_json, print_line, print_rows, read_file
from xgate.cli.show import ShownCertificate, show_certificate, time_text
from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.net.context import PrivateKey
from xgate.securityserver.internal_certificate import (
    KeyKind,
    certificate_request,
    choose_chain,
    key_pem,
    new_key,
    read_key,
    read_name,
    self_signed,
)
from xgate.trust.certificate import Certificate

__all__ = ["csr", "generate", "import_certificate", "show", "tls"]

_MOST = 1 << 20
_DAYS = 7300
_Names = Annotated[tuple[str, ...], Parameter(negative=())]

tls = App(name="tls", help="The server's certificate towards information systems.")


class _Files(msgspec.Struct, frozen=True):
    certificate: Path
    key: Path


class _Shown(msgspec.Struct, frozen=True):
    """What ``--json`` tells."""

    file: str
    certificate: ShownCertificate
    key: str
    chain: list[ShownCertificate]


@tls.command
def generate(
    *,
    config: Path,
    name: _Names = (),
    key: KeyKind = "rsa",
    days: Annotated[int, Parameter(validator=Number(gte=1, lte=36_500))] = _DAYS,
    replace: bool = False,
    json: bool = False,
) -> int:
    """Make a new key, and a certificate that vouches for itself, in the files of [tls].

    Information systems that trusted the certificate before must be given the new one.

    :param config: The settings file of the server.
    :param name: A host name or IP address that information systems call; may be given several
        times, the first is the subject's. This machine's name if not given.
    :param key: RSA with 3072 bits, or EC on P-256.
    :param days: How long the certificate is valid.
    :param replace: Write over files that exist.
    :param json: Print one JSON object.
    """
    files = _files_of(config)
    made = new_key(key)
    names = name or (socket.gethostname(),)
    certificate = self_signed(made, names, SystemClock().now(), timedelta(days=days))
    for path in (files.key, files.certificate):
        if path.exists() and not replace:
            raise Unusable(f"{path_text(path)} exists; say --replace to write over it")
    _put(files.key, key_pem(made), replace=replace)
    _put(files.certificate, _pem([certificate]), mode=0o644, replace=replace)
    return _tell(files, [certificate], json=json)


@tls.command
def csr(
    *,
    config: Path,
    subject: str,
    name: _Names = (),
    format: Literal["pem", "der"] = "pem",  # noqa: A002  the option's name
    out: Path | None = None,
) -> int:
    """Write a certificate request of the key, for a CA that information systems trust.

    :param config: The settings file of the server.
    :param subject: The subject, for example CN=ss1.example.com,O=Example,C=FI
    :param name: A host name or IP address for the certificate; may be given several times.
    :param format: PEM or DER.
    :param out: The file to write; standard output if not given.
    """
    request = certificate_request(_read_key(_files_of(config)), read_name(subject), name)
    octets = request.public_bytes(Encoding.DER if format == "der" else Encoding.PEM)
    if out is None:
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()
    else:
        _put(out, octets, mode=0o644, replace=True)
    return 0


@tls.command(name="import")
def import_certificate(path: Path, /, *, config: Path, json: bool = False) -> int:
    """Put a certificate that a CA has issued into the file of [tls].

    It must be of the server's key, and still valid.

    :param path: The certificate: PEM, those above it may be in the file too; or DER.
    :param config: The settings file of the server.
    :param json: Print one JSON object.
    """
    files = _files_of(config)
    octets, key = read_file(path, _MOST), _read_key(files)
    try:
        chain = choose_chain(octets, key)
    except Fault as fault:
        raise Fault(fault.code, f"{path_text(path)}: {fault.text}") from None
    until = chain[0].not_valid_after_utc
    if until < SystemClock().now():
        raise Fault("incorrect_certificate", f"The certificate expired on {time_text(until)}")
    _put(files.certificate, _pem(chain), mode=0o644, replace=True)
    return _tell(files, chain, json=json)


@tls.command
def show(*, config: Path, json: bool = False) -> int:
    """Show the certificate that information systems are shown.

    :param config: The settings file of the server.
    :param json: Print one JSON object.
    """
    files = _files_of(config)
    octets, key = read_file(files.certificate, _MOST), _read_key(files)
    try:
        chain = choose_chain(octets, key)
    except Fault as fault:
        raise Fault(fault.code, f"{path_text(files.certificate)}: {fault.text}") from None
    return _tell(files, chain, json=json)


def _files_of(config: Path) -> _Files:
    settings = read_settings(config).tls
    if not settings.certificate or not settings.key:
        raise Unusable(
            f"[tls] in {path_text(config)} names no files: without them the server makes a "
            'certificate at every start. Add certificate = "tls.crt" and key = "tls.key"'
        )
    folder = config.resolve().parent
    return _Files(folder / settings.certificate, folder / settings.key)


def _read_key(files: _Files) -> PrivateKey:
    try:
        return read_key(read_file(files.key, _MOST))
    except Fault as fault:
        raise Fault(fault.code, f"{path_text(files.key)}: {fault.text}") from None


def _put(path: Path, octets: bytes, *, replace: bool, mode: int = 0o600) -> None:
    try:
        with in_place(path, replace=replace, mode=mode, for_server=True) as file:
            file.write(octets)
    except OSError as error:
        raise Unusable(f"Cannot write {path_text(path)}: {error.strerror}") from None


def _pem(chain: list[x509.Certificate]) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in chain)


def _tell(files: _Files, chain: list[x509.Certificate], *, json: bool) -> int:
    shown = [show_certificate(Certificate.load(one.public_bytes(Encoding.DER))) for one in chain]
    public = chain[0].public_key()
    kind = "RSA" if isinstance(public, rsa.RSAPublicKey) else "EC"
    told = _Shown(
        path_text(files.certificate),
        shown[0],
        f"{kind} {getattr(public, 'key_size', '')}".strip(),
        shown[1:],
    )
    if json:
        print_json(told)
        return 0
    print_line(told.file)
    one = told.certificate
    print_rows(
        (
            ("subject", one.subject),
            ("issuer", one.issuer),
            ("names", ", ".join(one.names) or "(none)"),
            ("key", told.key),
            ("valid", f"{time_text(one.not_before)} to {time_text(one.not_after)}"),
            ("sha-256", one.sha256),
            *(("above it", above.subject) for above in told.chain),
        )
    )
    return 0
