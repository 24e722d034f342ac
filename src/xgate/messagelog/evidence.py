"""From a logged record to the container that proves it to anyone.

The rule: octets go in as they were logged; a record without a timestamp has no container yet
(asic 7.7). Source: asic 1 and 2.
"""

from __future__ import annotations

from typing import IO

from xgate.messagelog.record import LoggedRecord, Outline, Stamp, whole
from xgate.messagelog.store import LogStore
from xgate.trust.asic import Container, container_name, write_container, write_container_to
from xgate.trust.verify import Evidence

__all__ = ["contained", "name_of", "write_evidence", "write_evidence_to"]


def write_evidence(logged: LoggedRecord) -> tuple[str, bytes]:
    """The file name and the octets of the record's ASiC-E container.

    :raises Fault: ``asic_timestamp_not_found`` or ``malformed_signature`` without a timestamp.
    """
    record = logged.record
    attachments = tuple(
        (f"attachment{number}", whole(part))
        for number, part in enumerate(record.attachments, start=1)
        if part is not None
    )
    container = contained(record.message, record.evidence, logged.stamp, attachments)
    name = container_name(record.query_id, record.response, logged.id)
    return name, write_container(container, record.time)


def name_of(outline: Outline) -> str:
    """The file name of a record's container."""
    return container_name(outline.query_id, outline.response, outline.id)


def write_evidence_to(store: LogStore, outline: Outline, out: IO[bytes]) -> str:
    """Write the same container, of a record whose attachments are not held in memory; its name.

    :param out: empty, seekable. :raises Fault: as ``write_evidence``; as the store's.
    """
    message = b"".join(store.read_part(outline, 0))
    attachments = [
        (f"attachment{place}", store.read_part(outline, place))
        for place, octets in enumerate(outline.attachment_octets, start=1)
        if octets is not None
    ]
    container = contained(message, outline.evidence, outline.stamp)
    write_container_to(out, container, attachments, outline.time)
    return name_of(outline)


def contained(
    message: bytes,
    evidence: Evidence,
    stamp: Stamp | None,
    attachments: tuple[tuple[str, bytes], ...] = (),
) -> Container:
    """What the container of such a record holds.

    :param attachments: as the container has them: names and octets.
    """
    # Half a hash chain proves nothing, and a container that has only half of one is unreadable.
    chained = evidence.chain_result is not None and evidence.chain is not None
    batch = stamp if stamp is not None and stamp.chain is not None else None
    return Container(
        message=message,
        signature=evidence.signature,
        chain_result=evidence.chain_result if chained else None,
        chain=evidence.chain if chained else None,
        timestamp_chain_result=None if batch is None else batch.chain_result,
        timestamp_chain=None if batch is None else batch.chain,
        timestamp=None if batch is None else batch.token,
        attachments=attachments,
    )
