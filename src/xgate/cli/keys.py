"""``xgate keys``: tokens, keys and certificates, from the making of a key to its end.

The rule: listing asks for nothing secret. A key store is never written over unless that is said.
What changes here takes effect in a running server within seconds.
"""

from __future__ import annotations

import os
from pathlib import Path

from cyclopts import App

from xgate.cli.keys_certificate import activate, disable, import_certificate
from xgate.cli.keys_delete import delete
from xgate.cli.keys_place import KeyPlace, PinFrom, WhichKeys, ask_pin, open_place
from xgate.cli.keys_request import csr
from xgate.cli.keys_shown import OcspStatus, TokenRow, show_keys, token_row
from xgate.cli.keys_token import generate, login, logout, pin
from xgate.cli.output import Unusable, path_text, print_error, read_file
from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.securityserver.key_holder import signer_socket
from xgate.signer.ask import ask_signer
from xgate.signer.keyconf import ImportedKey, read_token_folder
from xgate.signer.ocsp_cache import fresh_until
from xgate.signer.protocol import ListTokens, TokenStates
from xgate.signer.store import write_store
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse

__all__ = ["import_keys", "keys", "list_keys"]

_MOST_OCSP = 64 * 1024
_ANSWER_SECONDS = 10.0

keys = App(name="keys", help="Tokens, keys and certificates: make, request, import, use, delete.")
for _command in (generate, csr, activate, disable, delete, login, logout, pin):
    keys.command(_command)


@keys.command(name="import")
def import_keys(
    path: Path,
    /,
    *,
    which: WhichKeys | None = None,
    pin: PinFrom | None = None,
    member: str | None = None,
    replace: bool = False,
    on_token: bool = False,
    json: bool = False,
) -> int:
    """Import a certificate for one of the keys, or the whole token of an X-Road signer.

    A file is a certificate (DER or PEM): it must be for a key that is here, from an approved CA,
    for a known member; that needs --config. A folder is an X-Road signer's, with keyconf.xml and
    softtoken/: it becomes a new key store, sealed with the token's PIN. Exit code 1 also when the
    certificate is in, but could not be activated because its responder did not say it is good.

    :param path: A certificate file, or the signer's folder, usually /etc/xroad/signer.
    :param member: The member or subsystem that a signing certificate is for (INST/CLASS/CODE/SUB).
    :param replace: Write over a key store that exists (with a folder).
    :param on_token: PATH is no file but the beginning of the SHA-256 of a certificate that lies
        beside its key on a token (xgate keys list --on-tokens shows them).
    :param json: Print one JSON object.
    """
    which = which or WhichKeys()
    if on_token:
        return import_certificate(str(path), which, member, json=json)
    if path.is_dir():
        if member is not None:
            raise Unusable("--member goes with a certificate, not with a folder")
        return _import_token(path, which, pin or PinFrom(), replace=replace, json=json)
    if not path.is_file():
        raise Unusable(f"{path_text(path)} is not a folder, nor a certificate file")
    if replace:
        raise Unusable("--replace goes with a folder, not with a certificate")
    return import_certificate(path, which, member, json=json)


@keys.command(name="list")
def list_keys(
    *, which: WhichKeys | None = None, on_tokens: bool = False, json: bool = False
) -> int:
    """List tokens, keys, certificates and requests; needs no PIN.

    :param on_tokens: Look on the tokens too, logging in by the settings' PINs: for keys that were
        never used here, and certificates that lie beside keys.
    :param json: Print one JSON object.
    """
    with open_place(which) as place:
        entries = place.read().keys
        rows = _token_rows(place)
        beside: dict[tuple[str, str], list[bytes]] = {}
        if on_tokens:
            place.log_in_everywhere()
            entries = place.tokens.entries()
            for token, found in place.certificates_on_tokens().values():
                beside.setdefault((token, found.key_id), []).append(found.der)
        ocsp = _ocsp_status(place) if which is not None and which.config else None
        show_keys(place.tokens.store, rows, entries, ocsp=ocsp, beside=beside, json=json)
    return 0


def _import_token(
    folder: Path, which: WhichKeys, pin: PinFrom, *, replace: bool, json: bool
) -> int:
    with open_place(which) as place:
        store = place.tokens.store
        if os.path.lexists(store) and not replace:
            raise Unusable(f"{path_text(store)} exists; say --replace to write over it")
        secret = ask_pin("0", pin)
        imported = _read_token(folder, secret)
        try:
            write_store(store, secret, imported, replace=replace)
        except Fault as fault:
            raise Unusable(fault.text) from None
        except OSError as error:
            raise Unusable(f"Cannot write {path_text(store)}: {error.strerror}") from None
        rows = [token_row(token) for token in place.tokens.all()]
        show_keys(store, rows, place.read().keys, json=json)
    return 0


def _read_token(folder: Path, pin: str) -> list[ImportedKey]:
    try:
        imported = read_token_folder(folder, pin)
    except Fault as fault:
        if fault.code == "token_not_found":
            raise Unusable(str(fault)) from None
        raise
    if not imported:
        raise Fault("key_not_found", f"{path_text(folder)} holds no key")
    return imported


def _token_rows(place: KeyPlace) -> list[TokenRow]:
    """As the signer's process has them, when there is one; else as they are for this command."""
    path = signer_socket(place.keys, place.folder)
    if path is not None:
        try:
            answer = ask_signer(path, ListTokens(1), seconds=_ANSWER_SECONDS)
        except Fault as fault:
            print_error(fault.text)
        else:
            listed = answer.tokens if isinstance(answer, TokenStates) else ()
            return [TokenRow(token.id, token.state) for token in listed]
    return [token_row(token) for token in place.tokens.all()]


def _ocsp_status(place: KeyPlace) -> OcspStatus:
    """What responders said last, as far as the server has kept it."""
    folder = place.folder / place.settings.ocsp.cache_directory
    try:
        conf = place.configuration()
    except Unusable:  # what was said counts, only its age cannot be told
        conf = None
    now = SystemClock().now()

    def status(certificate: Certificate) -> str | None:
        path = folder / f"{certificate.sha1}.ocsp"
        try:
            response = OcspResponse.load(read_file(path, _MOST_OCSP))
        except (Unusable, Fault):
            return None
        old = conf is not None and fresh_until(response, conf) < now
        return f"{response.status} (too old)" if old else response.status

    return status
