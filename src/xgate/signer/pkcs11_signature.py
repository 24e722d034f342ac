"""One signature on a PKCS#11 token: the mechanism, what goes in, what comes out.

The rule: the digest is made here and signed there, by the one mechanism that the algorithm means.
The token's r‖s becomes ASN.1 DER, as every ``SigningToken`` gives it. Source: signer 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import MGF, Mechanism
from pkcs11.types import Object

from xgate.algorithms import ecdsa_der
from xgate.errors import Fault
from xgate.signer.token import SignJob, TokenKey

__all__ = ["check_job", "sign_digest"]

# DigestInfo up to the digest (RFC 8017, 9.2, note 1).
_PREFIXES: Mapping[str, bytes] = {
    "SHA-1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "SHA-256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "SHA-384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "SHA-512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_PSS: Mapping[str, tuple[Mechanism, MGF, int]] = {
    "SHA-256": (Mechanism.SHA256, MGF.SHA256, 32),
    "SHA-384": (Mechanism.SHA384, MGF.SHA384, 48),
    "SHA-512": (Mechanism.SHA512, MGF.SHA512, 64),
}


def check_job(job: SignJob, key: TokenKey) -> None:
    """Whether this key can do this at all.

    :raises Fault: ``cannot_sign``, ``unsupported_sign_algorithm``.
    """
    if len(job.digest) != job.algorithm.digest.size:
        raise Fault("cannot_sign", "the digest's length does not fit its algorithm")
    kind = job.algorithm.kind
    known = _PSS if kind == "pss" else _PREFIXES
    if (kind == "ecdsa") != (key.kind == "ecdsa") or job.algorithm.digest.name not in known:
        raise Fault(
            "unsupported_sign_algorithm",
            f"The algorithm {job.algorithm.uri} does not fit key '{job.key_id}'",
        )


def sign_digest(private: Object, key: TokenKey, job: SignJob) -> bytes:
    """The signature of a job that ``check_job`` has let pass.

    :raises PKCS11Error: as the module says.
    :raises Fault: ``cannot_sign``: what the token gave is no signature of this key.
    """
    signer: Any = private
    digest = job.algorithm.digest.name
    if job.algorithm.kind == "rsa":
        octets = _PREFIXES[digest] + job.digest
        return bytes(signer.sign(octets, mechanism=Mechanism.RSA_PKCS))
    if job.algorithm.kind == "pss":
        mechanism = Mechanism.RSA_PKCS_PSS
        return bytes(signer.sign(job.digest, mechanism=mechanism, mechanism_param=_PSS[digest]))
    bits = _curve_bits(key.public_key)
    # More of the digest than the curve's order has is not used (FIPS 186-5, 6.4); not every
    # module takes it.
    cut = job.digest[: (bits + 7) // 8]
    raw = bytes(signer.sign(cut, mechanism=Mechanism.ECDSA))
    try:
        return ecdsa_der(raw, bits)
    except ValueError:
        raise Fault("cannot_sign", "the token gave no ECDSA signature of its key") from None


@lru_cache(maxsize=256)
def _curve_bits(public_key: bytes) -> int:
    public = load_der_public_key(public_key)
    assert isinstance(public, ec.EllipticCurvePublicKey)  # its kind says so
    return public.key_size
