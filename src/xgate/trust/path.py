"""Certificate paths: from a certificate up to an approved CA, with proof that none was revoked.

The rule: an anchor is trusted because the global configuration lists it, be it a top CA or an
intermediate, so paths are mostly one step long. RFC 5280 without names, policies and CRLs; what we
do not process and must (critical extensions) refuses the path. The search widens from the leaf and
looks at every certificate once, so hostile chains cost little. Codes: ocsp-tls-certs 5.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import msgspec

from xgate.algorithms import key_is_strong
from xgate.errors import Fault, faults_under
from xgate.trust.anchors import ApprovedCa, Trust
from xgate.trust.certificate import Certificate, is_auth_certificate
from xgate.trust.identifiers import signature_holds
from xgate.trust.ocsp import OcspResponse, cert_id, verify_ocsp

__all__ = [
    "ProvenChain",
    "build_auth_path",
    "build_path",
    "check_revocation",
    "verify_auth_chain",
]

_LONGEST = 10
_MOST_INTERMEDIATES = 16
_MOST_ANCHORS = 16
_MOST_RESPONSES = 32
# Read by us, or without weight while no policy is asked for. Name constraints (30) and policy
# constraints (36) do have weight and are not processed: critical ones refuse the path.
_UNDERSTOOD = {f"2.5.29.{arc}" for arc in (14, 15, 17, 18, 19, 31, 32, 33, 35, 37, 54)}
_NOT_APPROVED = "Certificate is not issued by approved certification service provider."


class ProvenChain(msgspec.Struct, frozen=True):
    """A chain that holds: the path, leaf first and anchor last, and an OCSP response for each
    certificate below the anchor.
    """

    path: tuple[Certificate, ...]
    responses: tuple[OcspResponse, ...]


def build_path(
    leaf: Certificate,
    intermediates: Sequence[Certificate],
    anchors: Sequence[Certificate],
    at: datetime,
) -> tuple[Certificate, ...]:
    """The shortest valid path from ``leaf`` to one of ``anchors``: leaf first, anchor last.

    :param intermediates: what the other party sent along; at most 16.
    :param anchors: trusted; their own dates and extensions are not looked at. Several may have one
        name.
    :param at: every certificate below the anchor must be valid then; aware.
    :raises Fault: ``cannot_create_cert_path.internal_error``, with the cause nearest to an anchor.
    """
    if len(intermediates) > _MOST_INTERMEDIATES or len(anchors) > _MOST_ANCHORS:
        raise _no_path("too many certificates to choose from")
    _check_usable(leaf, at)
    cause = ""
    waiting: deque[tuple[Certificate, ...]] = deque([(leaf,)])
    seen = {leaf}
    while waiting:
        path = waiting.popleft()
        for anchor in anchors:
            if _issued(anchor, path[-1]):
                return (*path, anchor)
        for issuer in intermediates:
            if issuer in seen or issuer.subject != path[-1].issuer:
                continue
            refusal = _why_not_issuer(issuer, path, at)
            if refusal is None:
                seen.add(issuer)
                waiting.append((*path, issuer))
            else:
                cause = refusal
        if any(anchor.subject == path[-1].issuer for anchor in anchors):
            cause = f"the signature on '{path[-1].subject}' is not its issuer's"
    raise _no_path(cause or f"no issuer of '{leaf.subject}' is known")


def check_revocation(
    path: Sequence[Certificate],
    responses: Sequence[bytes],
    trust: Trust,
    instance: str,
    at: datetime,
) -> tuple[OcspResponse, ...]:
    """Prove that no certificate of a path was revoked; gives the response used for each.

    :param path: as ``build_path`` gives it; its last certificate is the anchor.
    :param responses: DER, in any order.
    :param instance: whose CAs count; issuers are never taken from the message.
    :raises Fault: ``internal_error`` for no response at all;
        ``invalid_cert_path.{internal_error,cert_validation,incorrect_validation_info}``.
    """
    if not responses:
        raise Fault("internal_error", "No OCSP responses given")
    with faults_under("invalid_cert_path"):
        if len(responses) > _MOST_RESPONSES:
            raise Fault("incorrect_validation_info", "Too many OCSP responses given")
        answers = [OcspResponse.load(der) for der in responses]
        return tuple(
            _check_one(subject, issuer, answers, trust, instance, at)
            for subject, issuer in pairwise(path)
        )


def build_auth_path(
    trust: Trust,
    instance: str,
    presented: Sequence[Certificate],
    at: datetime,
    *,
    issuer_of: Literal["first", "last"],
) -> tuple[Certificate, ...]:
    """The path of a server's authentication certificate; it says nothing of revocation.

    A client looks for it before it asks for OCSP responses (pipeline 7).

    :param presented: as for ``verify_auth_chain``, like the others.
    :raises Fault: ``ssl_authentication_failed``, and ``cannot_create_cert_path...`` under it.
    """
    if not presented:
        raise Fault("ssl_authentication_failed", "Peer has not presented a certificate")
    top = presented[0 if issuer_of == "first" else -1]
    with faults_under("ssl_authentication_failed"), faults_under("cannot_create_cert_path"):
        cas = trust.find_cas(instance, top.issuer)
        if not cas:
            raise Fault("internal_error", _NOT_APPROVED)
        return build_path(presented[0], presented[1:], [ca.certificate for ca in cas], at)


def verify_auth_chain(
    trust: Trust,
    instance: str,
    presented: Sequence[Certificate],
    responses: Sequence[bytes],
    at: datetime,
    *,
    issuer_of: Literal["first", "last"],
) -> ProvenChain:
    """Prove a server's authentication certificate; whose it is, ``globalconf`` says afterwards.

    :param presented: what TLS showed: the server's certificate, then its intermediates.
    :param issuer_of: whose issuer is the anchor: the ``first`` certificate's (as client) or the
        ``last`` one's (as server), ocsp-tls-certs 5.1.
    :raises Fault: ``ssl_authentication_failed`` and what lies under it; ``incorrect_certificate``
        for a certificate that says nothing about its use.
    """
    if not presented:
        raise Fault("ssl_authentication_failed", "Peer has not presented a certificate")
    if not is_auth_certificate(presented[0]):
        raise Fault(
            "ssl_authentication_failed", "Peer certificate is not an authentication certificate"
        )
    path = build_auth_path(trust, instance, presented, at, issuer_of=issuer_of)
    with faults_under("ssl_authentication_failed"):
        return ProvenChain(path, check_revocation(path, responses, trust, instance, at))


def _check_one(
    subject: Certificate,
    issuer: Certificate,
    answers: Sequence[OcspResponse],
    trust: Trust,
    instance: str,
    at: datetime,
) -> OcspResponse:
    approved = _approved(issuer, trust.find_cas(instance, subject.issuer))
    wanted = cert_id(subject, approved.certificate)
    answer = next((a for a in answers if a.cert_id == wanted), None)
    if answer is None:
        raise Fault(
            "cert_validation", f"Unable to find OCSP response for certificate {subject.subject}"
        )
    verify_ocsp(answer, subject, approved, trust, at)
    return answer


def _approved(issuer: Certificate, cas: Sequence[ApprovedCa]) -> ApprovedCa:
    """The approved CA whose key has signed; a certificate of the message cannot stand in for it."""
    for ca in cas:
        if ca.certificate.spki == issuer.spki:
            return ca
    raise Fault("internal_error", _NOT_APPROVED)


def _check_usable(certificate: Certificate, at: datetime) -> None:
    refusal = _why_not_usable(certificate, at)
    if refusal is not None:
        raise _no_path(refusal)


def _why_not_usable(certificate: Certificate, at: datetime) -> str | None:
    if at < certificate.not_before:
        return f"'{certificate.subject}' is not yet valid"
    if at > certificate.not_after:
        return f"'{certificate.subject}' has expired"
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            return f"'{certificate.subject}' has a critical extension {extension.oid}"
    if not _has_strong_key(certificate):
        return f"'{certificate.subject}' has a key that is too weak or not known"
    return None


def _has_strong_key(certificate: Certificate) -> bool:
    """Keys of the leaf as well: by them messages are signed and servers speak."""
    try:
        return key_is_strong(certificate.public_key)
    except Fault:
        return False


def _why_not_issuer(issuer: Certificate, path: tuple[Certificate, ...], at: datetime) -> str | None:
    """Why ``issuer`` may not continue ``path``, or None if it may."""
    below = sum(not certificate.self_issued for certificate in path[1:])
    if not issuer.is_ca:
        return f"'{issuer.subject}' is not a CA"
    if issuer.key_usage is not None and "keyCertSign" not in issuer.key_usage:
        return f"'{issuer.subject}' may not sign certificates"
    if len(path) >= _LONGEST or (issuer.path_length is not None and below > issuer.path_length):
        return f"the path below '{issuer.subject}' is too long"
    refusal = _why_not_usable(issuer, at)
    if refusal is None and not _issued(issuer, path[-1]):
        return f"the signature on '{path[-1].subject}' is not its issuer's"
    return refusal


@lru_cache(maxsize=1024)
def _issued(issuer: Certificate, subject: Certificate) -> bool:
    if issuer.subject != subject.issuer:
        return False
    try:
        key = issuer.public_key
    except Fault:
        return False
    return signature_holds(subject.algorithm, key, subject.signature, subject.tbs)


def _no_path(cause: str) -> Fault:
    return Fault(
        "cannot_create_cert_path.internal_error", f"Cannot build a certificate path: {cause}"
    )
