"""Objects on a PKCS#11 token: how keys are made, found, read and removed, in an open session.

The rule: a key is its CKA_ID, the same on both halves and on the certificates beside it; objects
without one are not ours. Nothing of a new key is left to a library's defaults: the template holds
what the reference's does and what the module's section says. A key that cannot be read as RSA or
as one of the three curves is passed over. Source: signer 3 and 4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.attributes import AttributeMapper
from pkcs11.exceptions import PKCS11Error
from pkcs11.types import Object, Session

from xgate.algorithms import key_octets
from xgate.errors import Fault
from xgate.signer.devices import ModuleSettings
from xgate.signer.token import CURVES, KeyKind, KeyParameters, TokenCertificate, TokenKey
from xgate.trust.certificate import Certificate
from xgate.trust.der import OCTET_STRING, DerError, read

__all__ = [
    "ExactMapper",
    "find_certificates",
    "find_keys",
    "find_private",
    "make_pair",
    "remove_objects",
]

_MAX_OBJECTS = 10_000
_BATCH = 64
_PARAMETERS = {
    "secp256r1": bytes.fromhex("06082a8648ce3d030107"),
    "secp384r1": bytes.fromhex("06052b81040022"),
    "secp521r1": bytes.fromhex("06052b81040023"),
}
_CURVE_BY_PARAMETERS = {_PARAMETERS[name]: curve for name, curve in CURVES.items()}
_PUBLIC = "pub_key_attribute_"
_PRIVATE = "priv_key_attribute_"


class ExactMapper(AttributeMapper):
    """Adds nothing to a template, and knows lists of mechanisms."""

    def __init__(self) -> None:
        super().__init__()
        self.register_handler(Attribute.ALLOWED_MECHANISMS, _pack_mechanisms, _unpack_mechanisms)

    def public_key_template(self, **_: Any) -> dict[Attribute, Any]:
        """Nothing of its own."""
        return {}

    def private_key_template(self, **_: Any) -> dict[Attribute, Any]:
        """Nothing of its own."""
        return {}


def _pack_mechanisms(mechanisms: Sequence[int]) -> bytes:
    return struct.pack(f"{len(mechanisms)}L", *mechanisms)


def _unpack_mechanisms(octets: bytes) -> tuple[int, ...]:
    """As numbers: a vendor's own mechanism has no name here."""
    count, size = len(octets) // struct.calcsize("L"), struct.calcsize("L")
    return struct.unpack(f"{count}L", octets[: count * size])


def make_pair(
    session: Session,
    key_id: bytes,
    kind: KeyKind,
    label: str,
    settings: ModuleSettings,
    parameters: KeyParameters,
) -> None:
    """Make a key pair on the token. :raises PKCS11Error: as the module says."""
    both = {Attribute.TOKEN: True, Attribute.ID: key_id, Attribute.LABEL: label}
    public = {**both, Attribute.PRIVATE: False, **_configured(settings, _PUBLIC)}
    private = {**both, Attribute.PRIVATE: True, **_configured(settings, _PRIVATE)}
    if kind == "ecdsa":
        public[Attribute.EC_PARAMS] = _PARAMETERS[parameters.curve]
        session.generate_keypair(
            KeyType.EC, store=True, public_template=public, private_template=private
        )
    else:
        bits = max(2048, parameters.rsa_bits)
        session.generate_keypair(
            KeyType.RSA, bits, store=True, public_template=public, private_template=private
        )


def _configured(settings: ModuleSettings, prefix: str) -> dict[Attribute, Any]:
    """The attributes that the module's section says, by its keys' names."""
    said: dict[Attribute, Any] = {}
    for field in settings.__struct_fields__:
        value = getattr(settings, field)
        if not field.startswith(prefix) or value is None or value == ():
            continue
        attribute = Attribute[field.removeprefix(prefix).upper()]
        said[attribute] = _mechanisms(value) if isinstance(value, tuple) else value
    return said


def _mechanisms(names: Sequence[str]) -> tuple[Mechanism, ...]:
    return tuple(Mechanism[name.removeprefix("CKM_")] for name in names)


def find_keys(session: Session, settings: ModuleSettings) -> Iterator[tuple[TokenKey, Object]]:
    """Every key that can sign, with the object of its private half.

    :raises PKCS11Error: as the module says.
    """
    wanted: dict[Attribute, Any] = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.SIGN: True}
    allowed = set(_mechanisms(settings.priv_key_attribute_allowed_mechanisms))
    seen: set[bytes] = set()
    for private in _find(session, wanted):
        key_id = _value(private, Attribute.ID)
        if not key_id or key_id in seen:
            continue
        # Compared here: not every module finds an object by a list, whatever its order.
        if allowed and allowed != set(_value(private, Attribute.ALLOWED_MECHANISMS) or ()):
            continue
        public = _find_public(session, key_id)
        if public is not None:
            seen.add(key_id)
            yield _token_key(private, key_id, public, settings), private


def _token_key(
    private: Object, key_id: bytes, public: PublicKeyTypes, settings: ModuleSettings
) -> TokenKey:
    return TokenKey(
        key_id.hex().upper(),
        _value(private, Attribute.LABEL) or "",
        key_octets(public),
        settings.rsa_kind if isinstance(public, rsa.RSAPublicKey) else "ecdsa",
    )


def find_private(session: Session, key_id: str) -> Object | None:
    """The private half of a key, found by CKA_ID alone; None when it is not there."""
    wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: bytes.fromhex(key_id)}
    return next(_find(session, wanted), None)


def find_certificates(session: Session) -> Iterator[TokenCertificate]:
    """The certificates beside the keys. :raises PKCS11Error: as the module says."""
    for certificate in _find(session, {Attribute.CLASS: ObjectClass.CERTIFICATE}):
        key_id, der = _value(certificate, Attribute.ID), _value(certificate, Attribute.VALUE)
        if key_id and der:
            yield TokenCertificate(key_id.hex().upper(), der)


def remove_objects(session: Session, key_id: bytes) -> bool:
    """Remove both halves of a key, and the certificates beside it; False when there were none."""
    removed = False
    for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY, ObjectClass.CERTIFICATE):
        wanted = {Attribute.CLASS: kind, Attribute.ID: key_id}
        for found in list(_find(session, wanted)):
            found.destroy()
            removed = True
    return removed


def _find_public(session: Session, key_id: bytes) -> PublicKeyTypes | None:
    """The public object's key, or that of a certificate beside it."""
    for public in _find(session, {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: key_id}):
        read_key = _read_rsa(public) or _read_ec(public)
        if read_key is not None:
            return read_key
    wanted = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.ID: key_id}
    for certificate in _find(session, wanted):
        try:
            key = Certificate.load(_value(certificate, Attribute.VALUE) or b"").public_key
        except Fault:
            continue
        if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            return key
    return None


def _read_rsa(public: Object) -> PublicKeyTypes | None:
    modulus = _value(public, Attribute.MODULUS)
    exponent = _value(public, Attribute.PUBLIC_EXPONENT)
    if not modulus or not exponent:
        return None
    numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
    try:
        return numbers.public_key()
    except ValueError:
        return None


def _read_ec(public: Object) -> PublicKeyTypes | None:
    """A key on a named curve, its point wrapped into an OCTET STRING."""
    curve = _CURVE_BY_PARAMETERS.get(_value(public, Attribute.EC_PARAMS) or b"")
    wrapped = _value(public, Attribute.EC_POINT)
    if curve is None or not wrapped:
        return None
    try:
        point = read(wrapped, OCTET_STRING).content
        return ec.EllipticCurvePublicKey.from_encoded_point(curve(), point)
    except (DerError, ValueError):
        return None


def _find(session: Session, wanted: Mapping[Attribute, Any]) -> Iterator[Object]:
    """The objects that have these attributes; of a token that is full of them the first ones."""
    anyhow: Any = session  # the types do not tell of batch_size
    yield from list(islice(anyhow.get_objects(dict(wanted), batch_size=_BATCH), _MAX_OBJECTS))


def _value(found: Object, attribute: Attribute) -> Any:
    """An attribute, or None when the module does not give it."""
    try:
        return found[attribute]
    except (PKCS11Error, UnicodeDecodeError) as error:
        if isinstance(error, PKCS11Error) and not _absent(error):
            raise
        return None


def _absent(error: PKCS11Error) -> bool:
    return type(error).__name__ in ("AttributeTypeInvalid", "AttributeSensitive", "FunctionFailed")
