"""Keys of the sandbox's servers on hardware tokens: SoftHSM2, a store for each server.

The rule: the keys are made on the token and never leave it; what a server has besides is what any
operator would write: a ``devices.ini``, and a file with the PINs of its tokens.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from xgate.sandbox.places import Hardware, HardwareKey, Place
from xgate.signer.devices import read_devices
from xgate.signer.entries import SOFTWARE, KeyEntry, StoredCertificate, Usage
from xgate.signer.pkcs11 import Pkcs11Module
from xgate.signer.pkcs11_token import Pkcs11Token
from xgate.signer.store import write_store
from xgate.signer.token import KeyKind, KeyParameters
from xgate.testing.pki import Credential, certify
from xgate.testing.softhsm import SoftHsm

__all__ = ["equip"]

_LABEL = "sandbox"


def equip(place: Place, ca: Credential, kind: str, library: Path) -> Place:
    """The place with both of its keys on a token of its own; its folder exists.

    :param kind: ``RSA-2048``, ``P-256``... :param library: as ``find_softhsm`` says.
    :raises SoftHsmError: no token can be made. :raises Fault: it cannot be used.
    """
    pin, so_pin = secrets.token_urlsafe(12), secrets.token_urlsafe(12)
    store = SoftHsm(library, place.folder / "softhsm")
    store.make_token(_LABEL, pin, so_pin)
    devices = place.folder / "devices.ini"
    devices.write_text(f"[softhsm2]\nlibrary = {library}\n")
    with store.in_this_process():
        (settings,) = read_devices(devices).modules
        module = Pkcs11Module(settings, _parameters(kind))
        try:
            token = next(t for t in module.tokens() if t.state().info["Label"] == _LABEL)
            token.login(pin)
            equipped = msgspec.structs.replace(
                place,
                hardware=Hardware(
                    store.environment,
                    token.id,
                    _make(token, kind, "sign", place.sign, ca),
                    _make(token, kind, "auth", place.auth, ca),
                ),
            )
        finally:
            module.close()
    _write_registry(equipped, pin)
    return equipped


def _parameters(kind: str) -> KeyParameters:
    if kind.startswith("RSA-"):
        return KeyParameters(rsa_bits=int(kind.removeprefix("RSA-")))
    return KeyParameters(curve={"P-256": "secp256r1", "P-384": "secp384r1"}[kind])


def _make(
    token: Pkcs11Token, kind: str, label: str, like: Credential, ca: Credential
) -> HardwareKey:
    """A key on the token, with the certificate that its software twin would have."""
    wanted: KeyKind = "rsa" if kind.startswith("RSA-") else "ecdsa"
    key = token.generate(wanted, label)
    return HardwareKey(key, certify(ca, like.certificate, key.public_key))


def _write_registry(place: Place, pin: str) -> None:
    """A key store without keys of its own, and the PINs of both tokens."""
    assert place.hardware is not None
    software_pin = secrets.token_urlsafe(12)
    member = place.client.member.short
    entries = [
        _entry(place.hardware, place.hardware.sign, "SIGNING", member),
        _entry(place.hardware, place.hardware.auth, "AUTHENTICATION", None),
    ]
    write_store(place.folder / "keys.xgate", software_pin, [(entry, None) for entry in entries])
    pin_file = place.folder / "pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text(f"{SOFTWARE}:{software_pin}\n{place.hardware.token}:{pin}\n")


def _entry(hardware: Hardware, made: HardwareKey, usage: Usage, member: str | None) -> KeyEntry:
    certificate = StoredCertificate(made.certificate.der, member)
    return KeyEntry(
        made.key.id,
        made.key.label,
        usage,
        (certificate,),
        token=hardware.token,
        public_key=made.key.public_key,
    )
