"""Prove a message: its signature, its signer, its certificates, and in a container its time.

The rule: one straight line of checks in the reference's order, each with its code. What must hold
for a proof and the reference leaves out (every part is covered, the certificate is the one that the
signer named) is checked as soon as what it stands on is proven. Sources: signature 6.1, 6.2 and 7;
asic 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from xgate.algorithms import SHA512, Digest, find_signature, verify_signature
from xgate.errors import Fault, faults_under
from xgate.ids import ClientId
from xgate.trust.anchors import ApprovedCa, Trust
from xgate.trust.asic import Container, read_container
from xgate.trust.certificate import Certificate, check_sign_certificate, member_of
from xgate.trust.hashchain import verify_chain
from xgate.trust.identifiers import is_strong
from xgate.trust.message_signer import signer_of
from xgate.trust.path import build_path, check_revocation
from xgate.trust.proof import ContainerProof, Evidence, Proven, ProvenPart
from xgate.trust.seal import Seal
from xgate.trust.timestamp import Timestamp, verify_timestamp
from xgate.trust.xades_read import (
    CHAIN_RESULT,
    MESSAGE,
    CertificateReference,
    Reference,
    SignatureDocument,
    read_signature,
)

__all__ = [
    "ContainerProof",
    "Evidence",
    "Proven",
    "ProvenPart",
    "verify_container",
    "verify_message",
]

_CHAIN = "/sig-hashchain.xml"
_SIGNATURES = "/META-INF/signatures.xml"


def verify_message(
    trust: Trust,
    evidence: Evidence,
    seal: Seal,
    signer: ClientId,
    at: datetime,
    *,
    message: bytes | None = None,
    weak_digests: bool = False,
) -> Proven:
    """Prove that ``signer``'s member signed the message whose parts ``seal`` holds.

    :param signer: the message's client for a request, the service's client for an answer.
    :param at: the time of judgement, aware.
    :param message: the octets of ``/message.xml``; only needed for peers whose signatures use
        another digest than SHA-512.
    :param weak_digests: take SHA-1 in the signature and its references.
    :raises Fault: by signature 6.1, without the prefix ``signature_verification``.
    """
    document = read_signature(evidence.signature)
    digests = {part.name: part.digest for part in seal.parts}
    chained = document.refers_to(CHAIN_RESULT) and evidence.chain_result is not None
    if chained:
        chains = {_CHAIN: evidence.chain}
        inputs = {name: (SHA512, digest) for name, digest in digests.items()}
        with faults_under("malformed_signature"):
            verify_chain(evidence.chain_result or b"", chains.get, inputs)

    def digest_of(uri: str, digest: Digest) -> bytes | None:
        octets = {CHAIN_RESULT: evidence.chain_result, MESSAGE: message}.get(uri)
        if digest == SHA512 and uri in digests:
            return digests[uri]
        return None if octets is None else digest.of(octets)

    proven = _verify(trust, document, digest_of, signer, at, weak_digests)
    if not chained:
        _check_all_covered(document, digests)
    return proven


def verify_container(trust: Trust, data: bytes, *, weak_digests: bool = True) -> ContainerProof:
    """Prove what a container holds, as of the time of its time-stamp.

    :param weak_digests: as in ``verify_message``; containers may be as old as X-Road.
    :raises Fault: by asic 5.
    """
    container = read_container(data)
    signer = signer_of(container.message)
    document = read_signature(container.signature)
    if not document.refers_to(MESSAGE) and not document.refers_to(CHAIN_RESULT):
        raise Fault("malformed_signature", "The signature refers to no message and no hash chain")
    timestamp = _verify_timestamp(trust, container, document)
    chained = document.refers_to(CHAIN_RESULT) and container.chain_result is not None
    missing = _check_container_chain(container, {MESSAGE: None}) if chained else ()
    digests = {f"/{name}": SHA512.of(octets) for name, octets in container.attachments}

    def digest_of(uri: str, digest: Digest) -> bytes | None:
        if digest == SHA512 and uri in digests:
            return digests[uri]
        octets = container.find(uri)
        return None if octets is None else digest.of(octets)

    proven = _verify(trust, document, digest_of, signer, timestamp.gen_time, weak_digests)
    return ContainerProof(
        proven=proven,
        kind="batch" if chained else "plain",
        timestamp=timestamp,
        timestamp_kind="plain" if container.timestamp_chain_result is None else "batch",
        parts=_judge_parts(container, document, digests, chained),
        missing=tuple(name for name in missing if name not in digests),
    )


_DigestOf = Callable[[str, Digest], bytes | None]
"""The digest, by that algorithm, of the octets a signature calls by this URI; None: unknown."""


def _verify(
    trust: Trust,
    document: SignatureDocument,
    digest_of: _DigestOf,
    signer: ClientId,
    at: datetime,
    weak_digests: bool,
) -> Proven:
    """Steps 3 to 8 of signature 6.1."""
    certificate = _signing_certificate(document)
    approved = _approved_cas(trust, certificate, signer)
    _check_value(document, certificate, weak_digests)
    _check_references(document, digest_of, weak_digests)
    _check_certificate_named(document, certificate)
    _check_no_manifests(document)
    intermediates = _intermediates(document)
    if not document.ocsp:
        raise Fault("malformed_signature", "The signature has no OCSP responses in it")
    path = build_path(certificate, intermediates, [ca.certificate for ca in approved], at)
    responses = check_revocation(path, document.ocsp, trust, signer.instance, at)
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
    if not verify_signature(
        document.algorithm,
        certificate.public_key,
        document.value,
        document.signed_info,
        raw_ecdsa=True,
    ):
        raise Fault("invalid_signature_value", "Signature is not valid")


def _check_references(
    document: SignatureDocument, digest_of: _DigestOf, weak_digests: bool
) -> None:
    own = document.properties_reference
    _check_reference(own, own.digest.of(document.signed_properties), weak_digests)
    for reference in document.references:
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


def _check_all_covered(document: SignatureDocument, digests: Mapping[str, bytes]) -> None:
    for name in digests:
        if not document.refers_to(name):
            raise Fault("malformed_signature", f"The signature does not cover '{name}'")


def _verify_timestamp(trust: Trust, container: Container, document: SignatureDocument) -> Timestamp:
    stamped = container.timestamp_chain_result
    if stamped is None:
        return verify_timestamp(container.token, document.value, trust)
    try:
        verify_chain(stamped, container.find, {_SIGNATURES: None})
    except Fault as fault:
        raise Fault("malformed_signature", f"Time-stamp: {fault.text}") from fault
    return verify_timestamp(container.token, stamped, trust)


def _check_container_chain(
    container: Container, inputs: Mapping[str, tuple[Digest, bytes] | None]
) -> tuple[str, ...]:
    """Check the signature's hash chain; the names it holds that the container has no octets for."""
    declined: list[str] = []

    def resolve(uri: str) -> bytes | None:
        octets = container.find(uri)
        if octets is None:
            declined.append(uri)
        return octets

    with faults_under("malformed_signature"):
        verify_chain(container.chain_result or b"", resolve, inputs, absent_ok=True)
    return tuple(dict.fromkeys(declined))


def _judge_parts(
    container: Container, document: SignatureDocument, digests: Mapping[str, bytes], chained: bool
) -> tuple[ProvenPart, ...]:
    """Every part of the container against what was signed.

    The message stands proven; an attachment in a hash chain does not, because the container may be
    without it. So the chain is asked again with the digest of the attachment that is there.
    """
    parts = [ProvenPart(MESSAGE, SHA512.of(container.message), True)]
    for name, digest in digests.items():
        verified = _in_chain(container, name, digest) if chained else document.refers_to(name)
        parts.append(ProvenPart(name, digest, verified))
    return tuple(parts)


def _in_chain(container: Container, name: str, digest: bytes) -> bool:
    try:
        _check_container_chain(container, {MESSAGE: None, name: (SHA512, digest)})
    except Fault:
        return False
    return True
