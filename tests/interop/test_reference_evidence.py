"""Evidence that the reference made, each with the verdict it must get, at its time, by its trust.

Where ours is stricter than the reference, it is said at the case.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf, Instance
from xgate.globalconf.disk import read_disk
from xgate.globalconf.shared import read_shared
from xgate.ids import ClientId
from xgate.trust.anchors import ApprovedCa
from xgate.trust.seal import seal_of
from xgate.trust.verify import Evidence, verify_container, verify_message

pytestmark = pytest.mark.reference


def code_of(act: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(Fault) as caught:
        act(*arguments)
    return caught.value.code


@pytest.fixture(scope="session")
def trusts(golden: Path) -> dict[str, Any]:
    """The configurations that the reference's data is judged by."""
    at = datetime(2014, 10, 30, tzinfo=UTC)
    tree = golden / "globalconf-signed" / "v3-2024-04" / "V3"
    shared = read_shared(next(tree.glob("*/shared-params.xml")).read_bytes())
    return {
        "DEV": read_disk(golden / "globalconf" / "good2_v3", at).conf,
        "CS": GlobalConf("CS", {"CS": Instance("CS", shared=shared, version=3)}),
        "EE": read_disk(golden / "globalconf" / "good_v2", at).conf,
    }


CONTAINERS = {
    "valid-signed-message": ("plain", "plain"),
    "valid-batch-ts": ("plain", "batch"),
    "valid-signed-hashchain": ("batch", "plain"),
    "valid-non-batch-soap-attachments": ("plain", "batch"),
    "invalid-not-signed-hashchain": ("plain", "plain"),
    "core-valid-signed-message-with-attachments": ("plain", "plain"),
    "real-7.4-metrics-request": ("plain", "batch"),
    "real-7.4-metrics-response": ("plain", "batch"),
    "real-7.4-opdata-request": ("plain", "batch"),
    "real-7.4-opdata-response-batchsig": ("batch", "batch"),
}


def test_every_container_of_the_reference_gets_its_verdict(
    golden: Path, trusts: dict[str, Any]
) -> None:
    items = json.loads((golden / "expected.json").read_text())["items"]
    containers = [item for item in items if item["file"].startswith("asic/")]
    assert len(containers) == 16
    for item in containers:
        data = (golden / item["file"]).read_bytes()
        trust = trusts["CS" if "(instance CS)" in item["trust"] else "DEV"]
        if item["expect"].startswith("FAIL "):
            expected = item["expect"].split()[1]
            assert code_of(verify_container, trust, data) == expected, item["file"]
            continue
        proof = verify_container(trust, data)
        assert proof.timestamp.gen_time == datetime.fromisoformat(item["time"]), item["file"]
        assert (proof.kind, proof.timestamp_kind) == CONTAINERS[Path(item["file"]).stem]
        assert all(part.verified for part in proof.parts)
        assert proof.missing == (("/attachment1",) if proof.kind == "batch" else ())


def test_the_containers_of_a_real_archive_are_proven(golden: Path, trusts: dict[str, Any]) -> None:
    archive = golden / "archive" / "message-archive-0.zip"
    with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as files:
        containers = [files.read(name) for name in files.namelist() if name.endswith(".asice")]
    assert [verify_container(trusts["CS"], data).kind for data in containers] == ["batch"]


def test_the_reference_s_other_form_of_a_signature_is_proven(
    golden: Path, trusts: dict[str, Any]
) -> None:
    folder = golden / "signatures" / "non-batch-sig"
    evidence = Evidence((folder / "signatures.xml").read_bytes())
    message, attachment = ((folder / name).read_bytes() for name in ("message.xml", "attachment1"))
    signer = ClientId("DEV", "COM", "4321")
    at = datetime(2024, 7, 9, 7, 39, tzinfo=UTC)
    proven = verify_message(trusts["DEV"], evidence, seal_of(message, [attachment]), signer, at)
    assert proven.signer == signer
    other = seal_of(message, [attachment + b" "])
    assert code_of(verify_message, trusts["DEV"], evidence, other, signer, at) == (
        "invalid_signature_value"
    )


class Renamed:
    """The reference's test configuration, its own test profile read as one that exists."""

    def __init__(self, conf: Any) -> None:
        self._conf = conf

    def find_cas(self, instance: str, issuer: Any) -> Sequence[ApprovedCa]:
        cas = self._conf.find_cas(instance, issuer)
        return [msgspec.structs.replace(ca, profile="Ejbca") for ca in cas]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conf, name)


CONSUMER = ClientId("EE", "Cybernetica", "consumer")


@pytest.mark.parametrize(
    ("file", "at", "signer", "message", "code"),
    [
        ("sign-0.xml", "2017-09-09T09:15:30", CONSUMER, None, None),
        ("sign-0.xml", "2017-09-09T09:15:30", CONSUMER, b"other", "invalid_signature_value"),
        (
            "sign-0.xml",
            "2017-09-09T09:15:30",
            ClientId("EE", "Cybernetica", "foo"),
            None,
            "incorrect_certificate",
        ),
        # The reference judges it by a clock three years before its OCSP response was made.
        (
            "sign-0.xml",
            "2014-10-30T00:00",
            CONSUMER,
            None,
            "invalid_cert_path.incorrect_validation_info",
        ),
        (
            "sign-0-invalid-signature-value.xml",
            "2014-10-30T00:00",
            CONSUMER,
            None,
            "invalid_signature_value",
        ),
        ("sign-0-ocsp-no-responses.xml", "2014-10-30T00:00", CONSUMER, None, "malformed_signature"),
        ("sign-0-no-signature.xml", "2014-10-30T00:00", CONSUMER, None, "malformed_signature"),
        ("sign-0-schema-fail.xml", "2014-10-30T00:00", CONSUMER, None, "malformed_signature"),
        ("extra-certs-missing-id.xml", "2014-10-30T00:00", CONSUMER, None, "malformed_signature"),
        ("empty.xml", "2014-10-30T00:00", CONSUMER, None, "invalid_xml"),
    ],
)
def test_the_reference_s_old_signatures(
    golden: Path,
    trusts: dict[str, Any],
    file: str,
    at: str,
    signer: ClientId,
    message: bytes | None,
    code: str | None,
) -> None:
    folder = golden / "signatures"
    evidence = Evidence((folder / file).read_bytes())
    seal = seal_of(message or (folder / "message-0.xml").read_bytes())
    arguments = (Renamed(trusts["EE"]), evidence, seal, signer)
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    if code is None:
        assert verify_message(*arguments, moment).signer == signer
    else:
        assert code_of(verify_message, *arguments, moment) == code


def test_the_reference_s_old_batch_signature(golden: Path, trusts: dict[str, Any]) -> None:
    read = {path.name: path.read_bytes() for path in (golden / "signatures").glob("*.xml")}
    evidence = Evidence(
        read["batch-sig.xml"], read["hash-chain-result.xml"], read["hash-chain-1.xml"]
    )
    seal = seal_of(read["message-1.xml"], [b"blaah"])
    at = datetime(2015, 6, 4, 10, 23, 50, tzinfo=UTC)
    assert verify_message(Renamed(trusts["EE"]), evidence, seal, CONSUMER, at).signer == CONSUMER
    other = seal_of(read["message-1.xml"], [b"blah"])
    assert code_of(verify_message, Renamed(trusts["EE"]), evidence, other, CONSUMER, at) == (
        "malformed_signature.invalid_hash_chain"
    )


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_octet_of_a_real_container_never_proves_another_thing(
    golden: Path, trusts: dict[str, Any], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(CONTAINERS)))
    trust = trusts["CS" if name.startswith("real") else "DEV"]
    octets = bytearray((golden / "asic" / f"{name}.asice").read_bytes())
    expected = verify_container(trust, bytes(octets))
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(Fault):
        assert verify_container(trust, bytes(octets)) == expected
