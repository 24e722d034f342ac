"""A logged message as ``xgate log`` shows it to people and scripts.

The rule: what the record says of itself is shown as such and proves nothing; ``xgate log verify``
does. The message itself is shown only to who asks for it: it may hold what not everybody may read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from xgate.cli.show import ShownCertificate, show_certificate, time_text
from xgate.errors import Fault
from xgate.messagelog.evidence import name_of
from xgate.messagelog.record import Outline
from xgate.trust.certificate import Certificate
from xgate.trust.xades import read_signature

__all__ = ["Row", "Shown", "row_line", "row_of", "show", "shown_rows"]

Stamped = Literal["no", "alone", "in a batch"]


class Row(msgspec.Struct, frozen=True):
    """One record in a list.

    :param octets: of the message and of the attachments that were kept.
    :param complete: False: by the settings less was kept than was signed.
    """

    number: int
    time: datetime
    direction: Literal["request", "response"]
    owner: str
    client: str | None
    service: str
    id: str
    request_id: str
    octets: int
    stamped: bool
    complete: bool


class Shown(msgspec.Struct, frozen=True):
    """One record by itself.

    :param attachments: octets of each; None for one of which only the digest was kept.
    :param container: the file name of its container.
    :param signature: whether it was made for this message alone or for a batch.
    :param certificate: of the signer as the signature names it, not verified.
    :param problem: why the signature cannot be read.
    :param message: its text, if it was asked for.
    """

    record: Row
    attachments: tuple[int | None, ...]
    message_octets: int
    encrypted_with: str | None
    container: str
    timestamp: Stamped
    signature: Literal["alone", "in a batch"]
    certificate: ShownCertificate | None = None
    problem: str | None = None
    message: str | None = None


def row_of(outline: Outline) -> Row:
    """The record in a list."""
    return Row(
        number=outline.id,
        time=outline.time,
        direction="response" if outline.response else "request",
        owner=outline.owner.short,
        client=None if outline.client is None else outline.client.short,
        service=outline.service,
        id=outline.query_id,
        request_id=outline.request_id,
        octets=outline.octets,
        stamped=outline.stamp is not None,
        complete=outline.complete,
    )


def row_line(row: Row) -> str:
    """One line for a person."""
    notes = "".join(
        f"  [{note}]"
        for note, holds in (("not time-stamped", not row.stamped), ("cut", not row.complete))
        if holds
    )
    parties = f"{row.client or row.owner} > {row.service or '?'}"
    return (
        f"{row.number:>8}  {time_text(row.time)}  {row.direction:<8}  {parties}  "
        f"{row.id}  {row.octets} octets{notes}"
    )


def show(outline: Outline, message: bytes | None = None) -> Shown:
    """The record by itself. :param message: its octets, if its text is to be shown."""
    evidence, stamp = outline.evidence, outline.stamp
    certificate, problem = None, None
    try:
        certificate = _signing_certificate(evidence.signature)
    except Fault as fault:
        problem = fault.text
    stamped: Stamped = "no" if stamp is None else "alone" if stamp.chain is None else "in a batch"
    return Shown(
        record=row_of(outline),
        attachments=outline.attachment_octets,
        message_octets=outline.message_octets,
        encrypted_with=outline.key_id or None,
        container=name_of(outline),
        timestamp=stamped,
        signature="alone" if evidence.chain is None else "in a batch",
        certificate=certificate,
        problem=problem,
        message=None if message is None else message.decode("utf-8", "replace"),
    )


def shown_rows(shown: Shown) -> list[tuple[str, str]]:
    """The lines that show it to a person, below the one of its row."""
    row = shown.record
    rows = [
        ("owner", row.owner),
        ("client", row.client or "(not noted)"),
        ("service", row.service or "(not noted)"),
        ("id", row.id),
        ("request id", row.request_id),
        ("message", f"{shown.message_octets} octets"),
    ]
    for number, octets in enumerate(shown.attachments, 1):
        kept = "only its digest was kept" if octets is None else f"{octets} octets"
        rows.append((f"attachment{number}", kept))
    if not row.complete:
        rows.append(("cut", "by the settings of the log, less was kept than was signed"))
    if shown.encrypted_with:
        rows.append(("encrypted", f"at rest, with the key {shown.encrypted_with}"))
    rows += [("time-stamp", shown.timestamp), ("signature", shown.signature)]
    if shown.certificate is not None:
        rows.append(("by", f"{shown.certificate.subject} (not verified here)"))
    if shown.problem is not None:
        rows.append(("problem", shown.problem))
    rows.append(("container", shown.container))
    return rows


def _signing_certificate(document: bytes) -> ShownCertificate | None:
    certificates = read_signature(document).certificates
    return show_certificate(Certificate.load(certificates[0])) if certificates else None
