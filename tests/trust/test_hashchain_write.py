"""What we write is octet for octet what the reference wrote."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from xgate.algorithms import SHA512
from xgate.trust.hashchain_read import ChainValue, read_chain, read_result
from xgate.trust.hashchain_write import (
    write_chain,
    write_data_ref,
    write_hash_value,
    write_result,
    write_step_ref,
)

CONTAINERS = [
    "real-7.4-metrics-request",
    "real-7.4-metrics-response",
    "real-7.4-opdata-request",
    "real-7.4-opdata-response-batchsig",
    "valid-batch-ts",
    "valid-non-batch-soap-attachments",
    "valid-signed-hashchain",
]


def written(value: ChainValue) -> str:
    if value.kind == "HashValue":
        return write_hash_value(value.digest)
    if value.kind == "StepRef":
        return write_step_ref(int(value.uri.removeprefix("#STEP")))
    return write_data_ref(value.uri, value.digest)


@pytest.mark.reference
@pytest.mark.parametrize("name", CONTAINERS)
def test_real_chains_come_out_as_they_went_in(golden: Path, name: str) -> None:
    seen = 0
    with ZipFile(golden / "asic" / f"{name}.asice") as container:
        for entry in container.namelist():
            octets = container.read(entry)
            if entry.endswith("hashchain.xml"):
                steps = read_chain(octets).steps.values()
                again = write_chain(SHA512, ["".join(map(written, step)) for step in steps])
            elif entry.endswith("hashchainresult.xml"):
                result = read_result(octets)
                again = write_result(result.uri, SHA512, result.digest)
            else:
                continue
            assert again == octets
            seen += 1
    assert seen >= 2


def test_names_cannot_break_out_of_their_attribute() -> None:
    chain = write_chain(SHA512, [write_data_ref("/a\"<&>'", b"x")])
    (step,) = read_chain(chain).steps.values()
    assert step[0].uri == "/a\"<&>'"
