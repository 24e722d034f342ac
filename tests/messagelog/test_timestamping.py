"""From waiting records to stamps that prove, and from bad answers to refusals by name."""

from __future__ import annotations

import subprocess
from base64 import b64decode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.record import LoggedRecord, Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.timestamping import Order, finished, fulfil, prove_token, write_order
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import make_conf
from xgate.testing.pki import Credential, issue_tsa
from xgate.testing.responders import answer_timestamp
from xgate.trust.verify import Evidence, verify_container
from xgate.trust.xades import read_signature, with_timestamp

Make = Callable[..., Record]
Sign = Callable[..., list[Record]]
Step = list[tuple[str, bytes | int]]


@pytest.fixture(scope="module")
def conf(authority: Authority) -> GlobalConf:
    return make_conf(authority)


def reply(order: Order, tsa: Credential, serial: int = 1) -> bytes:
    return answer_timestamp(order.request, tsa, NOW, serial)


def stamp_all(store: SqliteStore, authority: Authority, conf: GlobalConf) -> None:
    order = write_order(store.unstamped(100), store)
    fulfil(order, reply(order, authority.tsa), conf, store)


def kinds(conf: GlobalConf, logged: LoggedRecord) -> tuple[str, str]:
    _, container = write_evidence(logged)
    proof = verify_container(conf, container)
    assert proof.proven.signer == logged.record.owner.member
    return proof.kind, proof.timestamp_kind


# what is ordered


def test_a_lone_record_is_stamped_inside_its_own_document(
    store: SqliteStore, signed: Sign, authority: Authority, conf: GlobalConf
) -> None:
    (record,) = signed()
    (number,) = store.append([record])
    order = write_order(store.unstamped(10), store)
    assert order.stamped == read_signature(record.evidence.signature).value
    fulfil(order, reply(order, authority.tsa), conf, store)
    (logged,) = store.find(number=number)
    assert logged.stamp is not None
    assert (logged.stamp.chain_result, logged.stamp.chain) == (None, None)
    document = logged.record.evidence.signature
    assert document == with_timestamp(record.evidence.signature, logged.stamp.token)
    assert kinds(conf, logged) == ("plain", "plain")


def test_an_order_reads_no_message(
    store: SqliteStore, signed: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large its body is: what is stamped is the signature."""
    store.append(signed())
    monkeypatch.delattr(SqliteStore, "_records")
    assert write_order(store.unstamped(1), store).documents


def test_several_records_share_one_token_through_a_chain(
    store: SqliteStore, signed: Sign, authority: Authority, conf: GlobalConf
) -> None:
    records = [record for _ in range(3) for record in signed()]
    store.append(records)
    stamp_all(store, authority, conf)
    stamps = [logged.stamp for logged in store.find()]
    assert all(stamp is not None and stamp.chain is not None for stamp in stamps)
    assert len({stamp.token for stamp in stamps if stamp is not None}) == 1
    assert [logged.record for logged in store.find()] == records  # documents stay as they were
    assert [kinds(conf, logged) for logged in store.find()] == [("plain", "batch")] * 3


def test_the_leaves_are_the_documents_in_the_order_of_their_numbers(
    store: SqliteStore, unsigned: Make
) -> None:
    store.append([unsigned(n) for n in range(4)])
    waiting = store.unstamped(10)
    order = write_order(waiting, store)
    assert list(order.stamps) == [number for number, _ in waiting]
    assert order.documents == {}
    again = write_order(waiting, store)
    assert order == again
    assert write_order(waiting[::-1], store).stamped != order.stamped


@pytest.mark.parametrize("signatures", [1, 3])
@pytest.mark.parametrize("stamped_together", [False, True])
@pytest.mark.parametrize("body", [None, b"", b"the body"])
def test_every_kind_of_evidence_proves_its_message(
    store: SqliteStore,
    signed: Sign,
    authority: Authority,
    conf: GlobalConf,
    signatures: int,
    stamped_together: bool,
    body: bytes | None,
) -> None:
    """Plain or batch signature, plain or batch timestamp, with a body or without."""
    numbers = store.append(signed(signatures, bodies=(body,)))
    if stamped_together:
        store.append(signed(1))
    limit = 100 if stamped_together else 1
    while waiting := store.unstamped(limit):
        order = write_order(waiting, store)
        fulfil(order, reply(order, authority.tsa), conf, store)
    expected = (
        "plain" if signatures == 1 and body is None else "batch",
        "batch" if stamped_together else "plain",
    )
    for number in numbers:
        (logged,) = store.find(number=number)
        assert kinds(conf, logged) == expected
        _, container = write_evidence(logged)
        parts = verify_container(conf, container).parts
        assert all(part.verified for part in parts)
        assert len(parts) == (1 if body is None else 2)


# the form of a chain, built a second time


def step(*digests: bytes) -> bytes:
    """The hash of a step: SHA-512 of its values in DER (hashchain 2)."""
    uri = b"http://www.w3.org/2001/04/xmlenc#sha512"
    tail = b"\x0c" + bytes((len(uri),)) + uri + b"\x30\x00"
    values = [b"\x04\x40" + digest + tail for digest in digests]
    inner = b"".join(b"\x30" + bytes((len(value),)) + value for value in values)
    return SHA512.of(b"\x30\x81" + bytes((len(inner),)) + inner)


def top(leaves: list[bytes]) -> bytes:
    """The tree's shape is told by one sentence (hashchain 3)."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return step(top(leaves[:half]), top(leaves[half:]))


def path(leaves: list[bytes], wanted: int) -> list[Step]:
    """The steps of one leaf's chain: the neighbour's hash, and what comes next (hashchain 4)."""
    steps: list[Step] = []
    while len(leaves) > 1:
        half = 1 << (len(leaves) - 1).bit_length() - 1
        right = wanted >= half
        mine, other = (leaves[half:], leaves[:half]) if right else (leaves[:half], leaves[half:])
        wanted -= half if right else 0
        down = ("StepRef", len(steps) + 1) if len(mine) > 1 else ("DataRef", mine[0])
        pair: Step = [down, ("HashValue", top(other))]
        steps.append(pair[::-1] if right else pair)
        leaves = mine
    return steps


def written(chain: bytes) -> list[Step]:
    """The steps of a chain, as another parser reads them."""
    steps: list[Step] = []
    root = ElementTree.fromstring(chain)
    for number, element in enumerate(root.iter("{http://cyber.ee/hashchain}HashStep")):
        assert element.get("id") == f"STEP{number}"
        values: Step = []
        for value in element:
            kind, uri = value.tag.rpartition("}")[2], value.get("URI", "")
            if kind == "StepRef":
                values.append((kind, int(uri.removeprefix("#STEP"))))
                continue
            assert uri == ("/META-INF/signatures.xml" if kind == "DataRef" else "")
            text = value.findtext("{http://www.w3.org/2000/09/xmldsig#}DigestValue")
            values.append((kind, b64decode(text or "")))
        steps.append(values)
    return steps


def test_twenty_records_are_chained_in_the_form_of_the_reference(
    store: SqliteStore, signed: Sign, authority: Authority, conf: GlobalConf
) -> None:
    store.append([signed()[0] for _ in range(20)])
    stamp_all(store, authority, conf)
    found = list(store.find())
    leaves = [SHA512.of(logged.record.evidence.signature) for logged in found]
    (result,) = {logged.stamp.chain_result for logged in found if logged.stamp}
    assert result is not None
    root = ElementTree.fromstring(result)
    assert root.get("URI") == "/ts-hashchain.xml#STEP0"
    text = root.findtext("{http://www.w3.org/2000/09/xmldsig#}DigestValue")
    assert b64decode(text or "") == top(leaves)
    for place, logged in enumerate(found):
        assert logged.stamp is not None
        assert logged.stamp.chain is not None
        assert written(logged.stamp.chain) == path(leaves, place)
        assert kinds(conf, logged) == ("plain", "batch")


# many stamps, kept in slices


def test_slices_share_the_token_and_stand_each_for_itself(
    store: SqliteStore, signed: Sign, authority: Authority, conf: GlobalConf
) -> None:
    store.append([signed()[0] for _ in range(5)])
    order = write_order(store.unstamped(10), store)
    token = prove_token(order, reply(order, authority.tsa), conf)
    slices = list(finished(order, token, 2))
    assert [len(stamps) for stamps, _ in slices] == [2, 2, 1]
    for stamps, documents in slices[:2]:
        store.stamp(stamps, documents)
    assert [number for number, _ in store.unstamped(10)] == [5]
    stamp_all(store, authority, conf)
    found = [kinds(conf, logged)[1] for logged in store.find()]
    assert found == ["batch"] * 4 + ["plain"]


# documents of others


def other_prefix(document: bytes) -> bytes:
    name = b"UnsignedSignatureProperties"
    opened = b"<u:" + name + b' xmlns:u="http://uri.etsi.org/01903/v1.3.2#">'
    return document.replace(b"<xades:" + name + b">", opened).replace(
        b"</xades:" + name + b">", b"</u:" + name + b">"
    )


def stamped_already(document: bytes) -> bytes:
    return with_timestamp(document, b"no token at all")


@pytest.mark.parametrize("change", [other_prefix, stamped_already])
def test_a_document_without_a_place_for_a_token_cannot_stop_the_stamping(
    store: SqliteStore,
    signed: Sign,
    authority: Authority,
    conf: GlobalConf,
    change: Callable[[bytes], bytes],
) -> None:
    """A member may sign so that the signature holds and yet no token fits in: it is chained."""
    (record,) = signed()
    document = change(record.evidence.signature)
    assert document != record.evidence.signature
    hostile = msgspec.structs.replace(record, evidence=Evidence(document))
    (number,) = store.append([hostile])
    stamp_all(store, authority, conf)
    (logged,) = store.find(number=number)
    assert logged.record == hostile
    assert kinds(conf, logged) == ("plain", "batch")


@pytest.mark.parametrize("document", [b"", b"no XML", b"<a/>", b"\xff" * 100])
def test_a_document_that_is_none_cannot_stop_it_either(
    store: SqliteStore, unsigned: Make, authority: Authority, conf: GlobalConf, document: bytes
) -> None:
    store.append([unsigned(1, evidence=Evidence(document))])
    stamp_all(store, authority, conf)
    assert list(store.unstamped(10)) == []


@pytest.mark.reference
def test_a_document_of_another_producer_is_stamped(
    golden: Path, store: SqliteStore, unsigned: Make, authority: Authority, conf: GlobalConf
) -> None:
    document = (golden / "signatures/non-batch-sig/signatures.xml").read_bytes()
    (number,) = store.append([unsigned(1, evidence=Evidence(document))])
    order = write_order(store.unstamped(1), store)
    fulfil(order, reply(order, authority.tsa), conf, store)
    (logged,) = store.find(number=number)
    assert logged.stamp is not None
    after = read_signature(logged.record.evidence.signature)
    assert after.value == read_signature(document).value


# two at once


def test_a_single_stamp_that_comes_late_does_not_undo_a_batch(
    store: SqliteStore, signed: Sign, authority: Authority, conf: GlobalConf
) -> None:
    store.append([signed()[0], signed()[0]])
    single = write_order(store.unstamped(1), store)
    batch = write_order(store.unstamped(2), store)
    fulfil(batch, reply(batch, authority.tsa), conf, store)
    before = list(store.find())
    fulfil(single, reply(single, authority.tsa, 2), conf, store)
    assert list(store.find()) == before
    assert [kinds(conf, logged) for logged in before] == [("plain", "batch")] * 2


def test_a_batch_that_comes_late_stamps_only_who_still_waits(
    store: SqliteStore, signed: Sign, authority: Authority, conf: GlobalConf
) -> None:
    store.append([signed()[0], signed()[0]])
    single = write_order(store.unstamped(1), store)
    batch = write_order(store.unstamped(2), store)
    fulfil(single, reply(single, authority.tsa), conf, store)
    fulfil(batch, reply(batch, authority.tsa, 2), conf, store)
    found = [kinds(conf, logged) for logged in store.find()]
    assert found == [("plain", "plain"), ("plain", "batch")]


def test_an_order_for_a_record_that_has_gone_is_harmless(
    store: SqliteStore, authority: Authority, conf: GlobalConf
) -> None:
    order = write_order([(7, SHA512.of(b"gone"))], store)
    fulfil(order, reply(order, authority.tsa), conf, store)
    assert list(store.find()) == []


# answers that are no good


@pytest.mark.parametrize("count", [1, 2])
def test_an_answer_that_is_no_good_is_refused_by_name_and_nothing_is_kept(
    store: SqliteStore, signed: Sign, authority: Authority, conf: GlobalConf, count: int
) -> None:
    records = [signed()[0] for _ in range(count)]
    store.append(records)
    order = write_order(store.unstamped(10), store)
    good = reply(order, authority.tsa)
    other = write_order([(1, SHA512.of(b"1")), (2, SHA512.of(b"2"))], store)
    stranger = issue_tsa(authority.ca, "Stranger")
    impostor = issue_tsa(authority.ca, "XG TSA", key=stranger.key)
    named = Credential(authority.tsa.certificate, stranger.key)
    answers = {
        "mlog.timestamp_non_granted_response": answer_timestamp(b"0\0", authority.tsa, NOW, 1),
        "mlog.timestamp_response_validation_failed": reply(other, authority.tsa),
        "mlog.tsp_certificate_not_found": reply(order, stranger),
        "mlog.timestamp_signer_verification_failed": reply(order, named),
    }
    cases = [
        *answers.items(),
        ("mlog.tsp_certificate_not_found", reply(order, impostor)),
        ("mlog.timestamp_response_validation_failed", b""),
        ("mlog.timestamp_response_validation_failed", b"<html>busy</html>"),
        ("mlog.timestamp_response_validation_failed", good + b"\0"),
        ("mlog.timestamp_response_validation_failed", good[:-1]),
    ]
    for code, answer in cases:
        with pytest.raises(Fault) as caught:
            fulfil(order, answer, conf, store)
        assert caught.value.code == code
        assert [logged.stamp for logged in store.find()] == [None] * count
        assert [logged.record for logged in store.find()] == records
    fulfil(order, good, conf, store)
    assert list(store.unstamped(10)) == []


def test_a_service_that_was_not_valid_when_it_signed_proves_nothing(
    store: SqliteStore, signed: Sign, authority: Authority, conf: GlobalConf
) -> None:
    store.append(signed())
    order = write_order(store.unstamped(1), store)
    late = authority.tsa.certificate.not_after + timedelta(days=1)
    with pytest.raises(Fault) as caught:
        fulfil(order, answer_timestamp(order.request, authority.tsa, late, 1), conf, store)
    assert caught.value.code == "mlog.timestamp_signer_verification_failed"


# in OpenSSL's eyes


@pytest.mark.parametrize("count", [1, 3, 20])
def test_openssl_accepts_the_stored_token(
    store: SqliteStore,
    signed: Sign,
    authority: Authority,
    conf: GlobalConf,
    tmp_path: Path,
    count: int,
) -> None:
    store.append([signed()[0] for _ in range(count)])
    stamp_all(store, authority, conf)
    for number, logged in enumerate(store.find()):
        stamp = logged.stamp
        assert isinstance(stamp, Stamp)
        stamped = stamp.chain_result or read_signature(logged.record.evidence.signature).value
        files = {
            "token": stamp.token,
            "data": stamped,
            "ca": x509.load_der_x509_certificate(authority.ca.certificate.der).public_bytes(
                Encoding.PEM
            ),
        }
        for name, octets in files.items():
            (tmp_path / f"{name}{number}").write_bytes(octets)
        place = {name: str(tmp_path / f"{name}{number}") for name in files}
        said = subprocess.run(
            [
                *("openssl", "ts", "-verify", "-in", place["token"], "-token_in"),
                *("-data", place["data"], "-CAfile", place["ca"]),
            ],
            capture_output=True,
            text=True,
        )
        assert "Verification: OK" in said.stdout, said.stderr
