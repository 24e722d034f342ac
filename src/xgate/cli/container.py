"""One container's verdict, as ``xgate verify`` shows it to people and scripts.

The rule: a container is valid when everything in it is proven. An attachment that is in it and is
not the one that was signed makes it invalid, also where the reference only remarks on it; an
attachment that was signed and not kept does not (asic 5, asic 7.4).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from xgate.cli.checks import Check, check_rows, checks_of
from xgate.cli.output import Unusable, path_text, read_file
from xgate.cli.refusal import Refusal, refusal_of, refusal_rows
from xgate.cli.show import ShownCertificate, name_text, show_certificate, time_text
from xgate.errors import Fault
from xgate.trust.anchors import Trust
from xgate.trust.asic import SIZE_LIMIT
from xgate.trust.ocsp import OcspResponse
from xgate.trust.trail import Trail
from xgate.trust.verify import ContainerProof, verify_container

__all__ = ["Verdict", "judge", "judge_file", "not_judged", "verdict_rows"]

Kind = Literal["plain", "batch"]
_KINDS: dict[Kind, str] = {"plain": "of this message alone", "batch": "of a batch of messages"}


class _Signer(msgspec.Struct, frozen=True):
    """``claimed_time`` is what the signer's own clock said; nothing proves it."""

    member: str
    certificate: ShownCertificate
    claimed_time: datetime | None


class _Time(msgspec.Struct, frozen=True):
    at: datetime
    kind: Kind
    serial: str
    authority: ShownCertificate


class _Ocsp(msgspec.Struct, frozen=True):
    """What a responder said of one certificate of the path."""

    subject: str
    status: str
    produced_at: datetime
    this_update: datetime
    next_update: datetime | None
    responder: str


class _Part(msgspec.Struct, frozen=True):
    """``digest`` is SHA-512 in hex; a part that is missing has none here."""

    name: str
    state: Literal["verified", "unverified", "missing"]
    digest: str | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What was found out about one file; without ``reason`` it is valid."""

    file: str
    valid: bool
    reason: Refusal | None = None
    kind: Kind | None = None
    signer: _Signer | None = None
    timestamp: _Time | None = None
    ocsp: tuple[_Ocsp, ...] = ()
    parts: tuple[_Part, ...] = ()
    checks: tuple[Check, ...] = ()


def judge_file(trust: Trust, path: Path) -> Verdict:
    """Prove the container in a file, or say why that fails."""
    file = path_text(path)
    try:
        octets = read_file(path, SIZE_LIMIT)
    except Unusable as error:
        return not_judged(file, Fault("io_error", str(error)))
    return judge(trust, file, octets)


def not_judged(file: str, fault: Fault) -> Verdict:
    """The verdict on what cannot even be read."""
    return Verdict(file, False, refusal_of(fault))


def judge(trust: Trust, file: str, octets: bytes) -> Verdict:
    """Prove a container, or say why that fails.

    :param file: its name, for the verdict.
    """
    trail = Trail()
    try:
        proof = verify_container(trust, octets, trail=trail)
    except Fault as fault:
        return Verdict(file, False, refusal_of(fault), checks=checks_of(trail))
    reason = _why_not_whole(proof)
    return Verdict(
        file,
        reason is None,
        reason,
        proof.kind,
        _signer(proof),
        _time(proof),
        _ocsp(trust, proof),
        _parts(proof),
        checks_of(trail),
    )


def verdict_rows(verdict: Verdict, *, tree: bool = False) -> list[tuple[str, str]]:
    """The lines that show a verdict to a person, below the one that names the file.

    :param tree: with the steps that were taken, also those of a valid container.
    """
    rows = [] if verdict.reason is None else refusal_rows(verdict.reason)
    if tree or not verdict.valid:
        rows += check_rows(verdict.checks)
    if verdict.signer is not None:
        certificate = verdict.signer.certificate
        rows.append(("signed by", verdict.signer.member))
        rows.append(("certificate", f"{certificate.subject}; serial {certificate.serial}"))
        rows.append(("issued by", certificate.issuer))
    if verdict.kind is not None:
        rows.append(("signature", _KINDS[verdict.kind]))
    if verdict.timestamp is not None:
        time = verdict.timestamp
        rows.append(("time-stamp", f"{time_text(time.at)} by {time.authority.subject}"))
        rows.append(("", _KINDS[time.kind]))
    for answer in verdict.ocsp:
        rows.append(("OCSP", f"{answer.status}, produced {time_text(answer.produced_at)}"))
        rows.append(("", f"of {answer.subject}"))
        rows.append(("", f"by {answer.responder}"))
    for part in verdict.parts:
        more = f"sha512 {part.digest}" if part.digest else "(signed, and not in the container)"
        rows.append(("part", f"{part.name}  {part.state}  {more}"))
    return rows


def _why_not_whole(proof: ContainerProof) -> Refusal | None:
    strangers = [part.name for part in proof.parts if not part.verified]
    if not strangers:
        return None
    return Refusal(
        "malformed_signature",
        f"The signature is good, and {', '.join(strangers[:10])} is not what was signed",
        "The message itself is proven; the named parts of the container are not.",
        "Whether the parts were changed, or cut short by the server that logged the message "
        "(it may log long bodies only in part).",
    )


def _signer(proof: ContainerProof) -> _Signer:
    proven = proof.proven
    return _Signer(proven.signer.short, show_certificate(proven.certificate), proven.signing_time)


def _time(proof: ContainerProof) -> _Time:
    stamp = proof.timestamp
    return _Time(
        stamp.gen_time,
        proof.timestamp_kind,
        str(stamp.serial),
        show_certificate(stamp.certificate),
    )


def _ocsp(trust: Trust, proof: ContainerProof) -> tuple[_Ocsp, ...]:
    """The path ends with the approved CA, which nobody answers for."""
    return tuple(
        _Ocsp(
            name_text(certificate.subject),
            answer.status,
            answer.produced_at,
            answer.this_update,
            answer.next_update,
            _responder(trust, answer),
        )
        for certificate, answer in zip(proof.proven.path, proof.proven.ocsp, strict=False)
    )


def _responder(trust: Trust, answer: OcspResponse) -> str:
    """Who answered, by name; a response that carries its own responder may only name its key."""
    if answer.responder_name is not None:
        return name_text(answer.responder_name)
    for certificate in trust.ocsp_certificates():
        if answer.answered_by(certificate):
            return name_text(certificate.subject)
    return f"key {(answer.responder_key or b'').hex()}"


def _parts(proof: ContainerProof) -> tuple[_Part, ...]:
    there = [
        _Part(part.name, "verified" if part.verified else "unverified", part.digest.hex())
        for part in proof.parts
    ]
    return (*there, *(_Part(name, "missing") for name in proof.missing))
