"""Containers: what must be there, what a written one looks like, and how it is called."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.trust.asic import (
    MIME_TYPE,
    Container,
    container_name,
    read_container,
    write_container,
    write_container_to,
)
from xgate.trust.strict_zip import read_zip, write_zip

AT = datetime(2024, 12, 5, 13, 16, 34, tzinfo=UTC)
COMPLETE = {
    "mimetype": MIME_TYPE.encode(),
    "message.xml": b"<message/>",
    "META-INF/signatures.xml": b"<signature/>",
    "META-INF/timestamp.tst": b"token",
}


def container(**changed: bytes | None) -> bytes:
    """A container that is complete but for what is ``changed``; ``__`` stands for a dot."""
    named = {name.replace("__", ".").replace("_in_", "/"): v for name, v in changed.items()}
    files = {**COMPLETE, **named}
    return write_zip(
        [(name, content) for name, content in files.items() if content is not None],
        at=AT,
        comment="",
    )


def refused(data: bytes) -> str:
    with pytest.raises(Fault) as caught:
        read_container(data)
    return caught.value.code


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("core-no-mimetype.asice", "asic_mime_type_not_found"),
        ("core-no-signature.asice", "asic_signature_not_found"),
        ("core-not-asic.asice", "asic_mime_type_not_found"),
    ],
)
@pytest.mark.reference
def test_the_reference_s_incomplete_containers(golden: Path, file: str, code: str) -> None:
    assert refused((golden / "asic" / file).read_bytes()) == code


def test_what_is_missing_is_named_in_the_reference_s_order() -> None:
    assert refused(container(mimetype=None, message__xml=None)) == "asic_mime_type_not_found"
    assert refused(container(mimetype=b"text/plain")) == "asic_invalid_mime_type"
    assert refused(container(mimetype=MIME_TYPE.upper().encode(), message__xml=b" \n")) == (
        "asic_message_not_found"
    )
    broken = {"META-INF/signatures.xml": b" ", "sig-hashchain.xml": b"x"}
    assert refused(container(**broken)) == "asic_signature_not_found"


def test_a_hash_chain_and_its_result_come_together() -> None:
    for kind in ("sig", "ts"):
        result, chain = f"{kind}-hashchainresult.xml", f"{kind}-hashchain.xml"
        assert refused(container(**{result: b"x"})) == "asic_hash_chain_not_found"
        assert refused(container(**{chain: b"x", result: b""})) == (
            "asic_hash_chain_result_not_found"
        )
        read_container(container(**{chain: b"x", result: b"x"}))


def test_without_a_time_stamp_there_is_no_proof() -> None:
    token = "META-INF/timestamp.tst"
    assert refused(container(**{token: b""})) == "asic_timestamp_not_found"
    assert refused(container(**{token: None})) == "malformed_signature"
    assert refused(container(**{token: None, "META-INF/signatures.xml": b"<"})) == "invalid_xml"


def test_an_empty_manifest_is_refused() -> None:
    assert refused(container(**{"META-INF/manifest.xml": b""})) == "asic_manifest_not_found"
    assert refused(container(**{"META-INF/ASiCManifest.xml": b" "})) == "asic_manifest_not_found"


def test_other_entries_are_passed_over() -> None:
    others: dict[str, bytes | None] = {"hashchain.xml": b"x", "attachment-1": b"x", "a/b": b"x"}
    assert read_container(container(**others)) == Container(
        b"<message/>", b"<signature/>", timestamp=b"token"
    )


def test_attachments_come_in_the_order_of_their_numbers() -> None:
    read = read_container(container(attachment10=b"j", attachment2=b"b"))
    assert read.attachments == (("attachment2", b"b"), ("attachment10", b"j"))


@pytest.mark.parametrize(
    "file",
    [
        "real-7.4-opdata-response-batchsig.asice",
        "valid-non-batch-soap-attachments.asice",
        "core-valid-signed-message-with-attachments.asice",
    ],
)
@pytest.mark.reference
def test_a_container_written_anew_holds_the_reference_s_files(golden: Path, file: str) -> None:
    data = (golden / "asic" / file).read_bytes()
    theirs = read_zip(data, limit=10**6)
    read = read_container(data)

    ours = read_zip(write_container(read, AT), limit=10**6)

    # The reference lists a manifest's entries in the order of a hash table.
    manifest = "META-INF/manifest.xml"
    assert sorted(ours.pop(manifest).splitlines()) == sorted(theirs.pop(manifest).splitlines())
    assert ours == theirs
    assert read_container(write_container(read, AT)) == read


def test_attachments_that_come_in_pieces_give_the_same_octets() -> None:
    octets = {"attachment1": b"one", "attachment2": b"", "attachment3": b"3" * 999}
    read = msgspec.structs.replace(read_container(container()), attachments=tuple(octets.items()))
    out = io.BytesIO()
    pieces = [(name, (bytes([octet]) for octet in content)) for name, content in octets.items()]
    write_container_to(out, read, pieces, AT)
    assert out.getvalue() == write_container(read, AT)
    assert read_container(out.getvalue()) == read


def test_a_written_container_begins_with_its_stored_mimetype() -> None:
    data = write_container(read_container(container()), AT)
    assert data[30:69] == b"mimetype" + MIME_TYPE.encode()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.comment == b"mimetype=" + MIME_TYPE.encode()
        assert archive.namelist() == [
            "mimetype",
            "message.xml",
            "META-INF/signatures.xml",
            "META-INF/manifest.xml",
            "META-INF/ASiCManifest.xml",
            "META-INF/timestamp.tst",
        ]


@pytest.mark.parametrize(
    ("query_id", "response", "record_id", "name"),
    [
        ("x", True, 22, "x-response-m.asice"),
        ("ID1234", False, 3, "ID1234-request-3.asice"),
        ("a b/ä~*_.-", False, 0, "a+b%2F%C3%A4%7E*_.--request-0.asice"),
        ("../../x", True, 32, "..%2F..%2Fx-response-10.asice"),
        ("q" * 300, False, -1, "q" * 226 + "-request-fvvvvvvvvvvvv.asice"),
    ],
)
def test_a_container_s_name(query_id: str, response: bool, record_id: int, name: str) -> None:
    assert container_name(query_id, response, record_id) == name


@given(at=st.integers(0, 700), octets=st.binary(max_size=8), cut=st.integers(0, 8))
def test_a_changed_container_is_the_same_or_refused(at: int, octets: bytes, cut: int) -> None:
    whole = container()
    changed = whole[:at] + octets + whole[at + cut :]
    code = ""
    try:
        read = read_container(changed)
    except Fault as fault:
        code = fault.code
    assert code.startswith("asic_") or (read.message, read.timestamp) == (b"<message/>", b"token")
