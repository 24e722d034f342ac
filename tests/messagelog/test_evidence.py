"""From a logged record to a container that anyone can judge."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import msgspec
import pytest

from xgate.errors import Fault
from xgate.messagelog.evidence import write_evidence, write_evidence_to
from xgate.messagelog.record import LoggedRecord, Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.testing.authority import Authority
from xgate.testing.conf import make_conf
from xgate.testing.logstore_records import Made
from xgate.trust.asic import read_container
from xgate.trust.verify import Evidence, verify_container
from xgate.trust.xades import read_signature, with_timestamp

Make = Callable[..., Record]
Sign = Callable[..., list[Record]]


def stamped(record: Record, authority: Authority, number: int = 33) -> LoggedRecord:
    """The record with a single timestamp in its document."""
    evidence = record.evidence
    token = authority.stamp(read_signature(evidence.signature).value)
    document = with_timestamp(evidence.signature, token)
    replaced = msgspec.structs.replace(evidence, signature=document)
    record = msgspec.structs.replace(record, evidence=replaced)
    return LoggedRecord(number, record, Stamp(token))


def names(container: bytes) -> list[str]:
    return ZipFile(BytesIO(container)).namelist()


def test_a_container_is_named_after_its_query(signed: Sign, authority: Authority) -> None:
    (record,) = signed()
    name, _ = write_evidence(stamped(record, authority))
    assert name == "query+0-request-11.asice"
    answer = msgspec.structs.replace(record, response=True, query_id="a/b")
    name, _ = write_evidence(stamped(answer, authority))
    assert name == "a%2Fb-response-11.asice"


def test_a_record_in_the_log_gives_the_same_container(
    store: SqliteStore, signed: Sign, authority: Authority
) -> None:
    (record,) = signed(bodies=(b"\xff\0body",))
    logged = stamped(record, authority)
    (number,) = store.append([logged.record])
    assert logged.stamp is not None
    store.stamp({number: logged.stamp}, {})
    out = BytesIO()
    (outline,) = store.outlines()
    name = write_evidence_to(store, outline, out)
    (found,) = store.find()
    assert (name, out.getvalue()) == write_evidence(found)
    assert verify_container(make_conf(authority), out.getvalue()).missing == ()


def test_a_large_body_is_in_no_memory_on_its_way(
    store: SqliteStore, signed: Sign, authority: Authority, tmp_path: Path
) -> None:
    size = 16 << 20
    (record,) = signed(bodies=(b"body",))
    record = msgspec.structs.replace(stamped(record, authority).record, attachments=(Made(size),))
    (number,) = store.append([record])
    store.stamp({number: Stamp(b"token")}, {})
    (outline,) = store.outlines()
    gc.collect()  # what others left behind is not to end while we measure
    tracemalloc.start()
    try:
        with (tmp_path / "container").open("w+b") as file:
            write_evidence_to(store, outline, file)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < size // 4
    with ZipFile(tmp_path / "container") as container:
        assert container.getinfo("attachment1").file_size == size


def test_octets_are_those_that_were_logged(signed: Sign, authority: Authority) -> None:
    (record,) = signed(bodies=(b"\xff\0body",))
    _, octets = write_evidence(stamped(record, authority))
    container = read_container(octets)
    assert container.message == record.message
    assert container.attachments == (("attachment1", b"\xff\0body"),)
    assert container.chain == record.evidence.chain
    assert container.timestamp is None


def test_a_batch_stamp_stands_beside_the_signature(signed: Sign, authority: Authority) -> None:
    (record,) = signed()
    stamp = Stamp(authority.stamp(b"result"), b"result", b"chain")
    _, octets = write_evidence(LoggedRecord(1, record, stamp))
    container = read_container(octets)
    assert container.timestamp == stamp.token
    assert container.timestamp_chain_result == b"result"
    assert container.timestamp_chain == b"chain"
    assert container.signature == record.evidence.signature


def test_an_attachment_that_was_not_kept_leaves_the_others_their_numbers(
    signed: Sign, authority: Authority
) -> None:
    (record,) = signed(bodies=(b"body",))
    record = msgspec.structs.replace(record, attachments=(None, b"second"))
    _, octets = write_evidence(stamped(record, authority))
    assert [name for name, _ in read_container(octets).attachments] == ["attachment2"]


def test_a_body_that_was_not_kept_is_told_as_missing(signed: Sign, authority: Authority) -> None:
    (record,) = signed(bodies=(b"body",))
    record = msgspec.structs.replace(record, attachments=(None,))
    _, octets = write_evidence(stamped(record, authority))
    proof = verify_container(make_conf(authority), octets)
    assert proof.missing == ("/attachment1",)


def test_a_record_without_a_timestamp_has_no_container_yet(signed: Sign) -> None:
    (record,) = signed()
    with pytest.raises(Fault) as caught:
        write_evidence(LoggedRecord(1, record, None))
    assert caught.value.code == "malformed_signature"


@pytest.mark.parametrize("half", [(b"result", None), (None, b"chain")])
def test_half_a_chain_beside_a_signature_does_not_spoil_the_container(
    signed: Sign, authority: Authority, half: tuple[bytes | None, bytes | None]
) -> None:
    """A peer may send one; its signature does not refer to it, so the message was accepted."""
    (record,) = signed()
    evidence = Evidence(record.evidence.signature, *half)
    record = msgspec.structs.replace(record, evidence=evidence)
    _, octets = write_evidence(stamped(record, authority))
    assert not [name for name in names(octets) if name.startswith("sig-")]
    assert verify_container(make_conf(authority), octets).kind == "plain"
