"""The steps of a container's proof as they are shown: what was checked, and with what.

The rule: the first step that does not hold names the element that it is about, as far as it is
known; what comes after it was not looked at and is not told of as if it were.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from xgate.cli.show import name_text, time_text
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse
from xgate.trust.trail import STEPS, Said, Step, StepName, Trail

__all__ = ["Check", "check_rows", "checks_of"]

_SIGNATURES = "META-INF/signatures.xml"
_ELEMENTS: dict[StepName, str] = {
    "container": "the zip file and its entries",
    "signer": f"message.xml or {_SIGNATURES}",
    "time-stamp chain": "ts-hashchain.xml or ts-hashchainresult.xml",
    "time-stamp": f"META-INF/timestamp.tst, or the time-stamp in {_SIGNATURES}",
    "hash chain": "sig-hashchain.xml or sig-hashchainresult.xml",
    "certificate": f"KeyInfo in {_SIGNATURES}",
    "signature value": f"SignatureValue in {_SIGNATURES}",
    "certificate named": f"SigningCertificate in {_SIGNATURES}",
    "certificate path": f"the certificates in {_SIGNATURES}",
    "OCSP": f"the OCSP responses in {_SIGNATURES}",
}
_FOR_BATCHES = ("time-stamp chain", "hash chain")


class Check(msgspec.Struct, frozen=True):
    """One step: whether it holds, what it was checked with, or why it fails and where."""

    what: StepName
    holds: bool
    said: tuple[str, ...]
    why: str | None = None
    element: str | None = None


def checks_of(trail: Trail) -> tuple[Check, ...]:
    """The steps that were taken."""
    return tuple(map(_check, trail.steps))


def check_rows(checks: Sequence[Check]) -> list[tuple[str, str]]:
    """The lines that show them to a person."""
    rows: list[tuple[str, str]] = []
    for check in checks:
        more = f": {'; '.join(check.said)}" if check.said else ""
        rows.append(("holds" if check.holds else "FAILS", f"{check.what}{more}"))
        if not check.holds:
            rows.append(("", f"in {check.element}"))
    if checks and not checks[-1].holds:
        after = STEPS[STEPS.index(checks[-1].what) + 1 :]
        left = [name for name in after if name not in _FOR_BATCHES]
        if left:
            rows.append(("not reached", ", ".join(left)))
    return rows


def _check(step: Step) -> Check:
    said = tuple(map(_text, step.said))
    if step.fault is None:
        return Check(step.name, True, said)
    return Check(step.name, False, said, step.fault.text, _element(step))


def _element(step: Step) -> str:
    if step.name != "signed parts":
        return _ELEMENTS[step.name]
    # The signed properties come before all parts, and have no name of their own.
    return str(step.said[-1]) if step.said else f"SignedProperties in {_SIGNATURES}"


def _text(said: Said) -> str:
    if isinstance(said, Certificate):
        return name_text(said.subject)
    if isinstance(said, OcspResponse):
        return f"{said.status}, produced {time_text(said.produced_at)}"
    return time_text(said) if isinstance(said, datetime) else said
