"""Prove one signature: whose certificate, which value, what it covers, and that it was good.

The rule: steps 3 to 8 of signature 6.1, one after the other; what a reference's octets hash to is
the caller's knowledge. What must hold and the reference leaves out (the certificate is the one that
the signer named) is checked as soon as what it stands on is proven. ``trust.verify`` is the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from xgate.algorithms import Digest, find_signature, verify_signature
from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.trust.anchors import ApprovedCa, Trust
from xgate.trust.certificate import Certificate, check_sign_certificate, member_of
from xgate.trust.identifiers import is_strong
from xgate.trust.path import build_path, check_revocation
from xgate.trust.proof import Proven
from xgate.trust.trail import Trail
from xgate.trust.xades_read import CertificateReference, Reference, SignatureDocument

__all__ = ["DigestOf", "prove_signature"]

_LARGEST_KEPT = 8 * 1024

DigestOf = Callable[[str, Digest], bytes | None]
"""The digest, by that algorithm, of the octets a signature calls by this URI; None: unknown."""


def prove_signature(
    trust: Trust,
    document: SignatureDocument,
    digest_of: DigestOf,
    signer: ClientId,
    at: datetime,
    weak_digests: bool,
    trail: Trail | None = None,
) -> Proven:
    """Prove that ``signer``'s member made this signature, and over what ``digest_of`` says.

    :param at: the time of judgement, aware.
    :param weak_digests: take SHA-1 in the signature and its references.
    :param trail: is told of each step.
    :raises Fault: by signature 6.1, steps 3 to 8.
    """
    trail = trail or Trail()
    with trail.step("certificate") as say:
        certificate = _signing_certificate(document)
        say(certificate)
        approved = _approved_cas(trust, certificate, signer)
    with trail.step("signature value") as say:
        say(document.algorithm)
        _check_value(document, certificate, weak_digests)
    with trail.step("signed parts") as say:
        _check_references(document, digest_of, weak_digests, say)
    with trail.step("certificate named"):
        _check_certificate_named(document, certificate)
        _check_no_manifests(document)
    with trail.step("certificate path") as say:
        intermediates = _intermediates(document)
        if not document.ocsp:
            raise Fault("malformed_signature", "The signature has no OCSP responses in it")
        path = build_path(certificate, intermediates, [ca.certificate for ca in approved], at)
        for one in path[1:]:
            say(one)
    with trail.step("OCSP") as say:
        responses = check_revocation(path, document.ocsp, trust, signer.instance, at)
        for response in responses:
            say(response)
    return Proven(signer.member, certificate, path, responses, document.signing_time, at)


def _signing_certificate(document: SignatureDocument) -> Certificate:
    if document.certificates is None:
        raise Fault("internal_error", "The signature has no KeyInfo")
    if not document.certificates:
        raise Fault("malformed_signature", "The signature has no signing certificate in it")
    certificate = Certificate.load(document.certificates[0])
    check_sign_certificate(certificate)
    return certificate


def _approved_cas(trust: Trust, certificate: Certificate, signer: ClientId) -> list[ApprovedCa]:
    """The CAs that may have issued the certificate, and by whose profile it is the signer's."""
    cas = trust.find_cas(signer.instance, certificate.issuer)
    if not cas:
        raise Fault(
            "internal_error",
            "Certificate is not issued by approved certification service provider.",
        )
    refusals: list[Fault] = []
    approved: list[ApprovedCa] = []
    for ca in cas:
        try:
            _check_member(certificate, ca, signer)
            approved.append(ca)
        except Fault as fault:
            refusals.append(fault)
    if not approved:
        raise refusals[-1]
    return approved


def _check_member(certificate: Certificate, ca: ApprovedCa, signer: ClientId) -> None:
    if ca.authentication_only:
        raise Fault("internal_error", "The certificate's CA may not issue signing certificates")
    named = member_of(certificate, ca.profile, signer)
    if named.member != signer.member:
        raise Fault(
            "incorrect_certificate",
            f"Name in certificate ({named}) does not match name in message ({signer.member})",
        )


def _check_value(document: SignatureDocument, certificate: Certificate, weak_digests: bool) -> None:
    algorithm = find_signature(document.algorithm)
    if algorithm is None:
        raise Fault("invalid_signature_value", "The signature's algorithm is not known")
    _check_strength(algorithm.digest, weak_digests)
    signed = document.signed_info
    holds = _holds if len(signed) > _LARGEST_KEPT else _holds_once
    if not holds(document.algorithm, certificate, document.value, signed):
        raise Fault("invalid_signature_value", "Signature is not valid")


def _holds(algorithm: str, certificate: Certificate, value: bytes, signed_info: bytes) -> bool:
    return verify_signature(algorithm, certificate.public_key, value, signed_info, raw_ecdsa=True)


# All messages of a batch bear the same signature. Only the arithmetic is kept, which is the same at
# any time; and bounded in number and in size: what a peer sends cannot make it grow.
_holds_once = lru_cache(maxsize=128)(_holds)


def _check_references(
    document: SignatureDocument, digest_of: DigestOf, weak_digests: bool, say: Callable[[str], None]
) -> None:
    own = document.properties_reference
    _check_reference(own, own.digest.of(document.signed_properties), weak_digests)
    for reference in document.references:
        say(reference.uri)
        actual = digest_of(reference.uri, reference.digest)
        if actual is None:
            raise Fault(
                "internal_error",
                f"The signature refers to '{reference.uri[:100]}', which is not there"
                f" (digest {reference.digest.name})",
            )
        _check_reference(reference, actual, weak_digests)


def _check_reference(reference: Reference, actual: bytes, weak_digests: bool) -> None:
    _check_strength(reference.digest, weak_digests)
    if actual != reference.value:
        raise Fault("invalid_signature_value", f"'{reference.uri[:100]}' is not what was signed")


def _check_strength(digest: Digest, weak_digests: bool) -> None:
    if not is_strong(digest) and not weak_digests:
        raise Fault("invalid_signature_value", f"{digest.name} is too weak for a signature")


def _check_certificate_named(document: SignatureDocument, certificate: Certificate) -> None:
    """The signed properties name the certificate that was used, so it cannot be exchanged."""
    if not any(_names(reference, certificate) for reference in document.signing_certificates):
        raise Fault("malformed_signature", "The signature was not made for this certificate")


def _names(reference: CertificateReference, certificate: Certificate) -> bool:
    return reference.digest.of(certificate.der) == reference.value and reference.serial in (
        None,
        certificate.serial,
    )


def _check_no_manifests(document: SignatureDocument) -> None:
    # Time-stamps of 2012 to 2014 used manifests; such a time-stamp would prove nothing here.
    if "ts-root-manifest" in document.ids:
        raise Fault("invalid_reference", "Time-stamp manifests are not supported")


def _intermediates(document: SignatureDocument) -> list[Certificate]:
    """The certificates that CompleteCertificateRefs names; others count for nothing."""
    found = []
    for reference in document.certificate_references:
        identity = (reference.uri or "").removeprefix("#")
        der = document.certificate_values.get(identity)
        if der is None or reference.uri == identity:
            raise Fault("malformed_signature", "A certificate the signature names is not in it")
        if reference.digest.of(der) != reference.value:
            raise Fault(
                "malformed_signature", "A certificate in the signature is not the named one"
            )
        found.append(Certificate.load(der))
    return found
