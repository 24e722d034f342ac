"""Many seals, one result; and every way in which a chain can fail to prove what it should."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.algorithms import SHA512, Digest, digest_named
from xgate.errors import Fault
from xgate.trust.hashchain import Chained, build_chain, check_leaf, verify_chain
from xgate.trust.hashchain_read import ChainValue
from xgate.trust.hashchain_walk import Inputs
from xgate.trust.hashchain_write import (
    write_chain,
    write_data_ref,
    write_hash_value,
    write_step_ref,
)
from xgate.trust.seal import Part, Seal, seal_of

_sha256 = digest_named("SHA-256")
assert _sha256 is not None
SHA256: Digest = _sha256
MESSAGE = "/message.xml"
CHAIN = "/hashchain.xml"
SIG_CHAIN = "/sig-hashchain.xml"


def inputs_of(seal: Seal, digest: Digest = SHA512) -> dict[str, tuple[Digest, bytes] | None]:
    return {part.name: (digest, part.digest) for part in seal.parts}


def refusal(
    result: bytes, files: Mapping[str, bytes], inputs: Inputs, *, absent_ok: bool = False
) -> str:
    """The code of the refusal; empty if the chain proves its inputs."""
    try:
        verify_chain(result, files.get, inputs, absent_ok=absent_ok)
    except Fault as fault:
        return fault.code
    return ""


# ---- building and verifying ----


def sha256_seal(*parts: tuple[str, str]) -> Seal:
    return Seal(tuple(Part(name, SHA256.of(octets.encode())) for name, octets in parts))


def test_worked_example_of_three_messages() -> None:
    """hashchain 7, which writes each value on one line."""
    seals = [
        sha256_seal((MESSAGE, "m1")),
        sha256_seal((MESSAGE, "m2"), ("/attachment1", "a")),
        sha256_seal((MESSAGE, "m3")),
    ]
    chained = build_chain(seals, SHA256)
    assert b">Dz/rogN6tWX7Jj34jLqogknIhph3R0cDDnrXbOHSAJw=<" in chained.result
    assert b'URI="/sig-hashchain.xml#STEP0"' in chained.result
    m1, m2, m3, a = (SHA256.of(octets) for octets in (b"m1", b"m2", b"m3", b"a"))
    leaf2 = b64decode("dY79d/gtOW7X6IlxKf+2HsgC0obfJWrbrRlP0o4GwRY=")
    both = b64decode("z3Vc6Q0JXOIql3pBwUHJAw2z4ZxFVg8IRR4Psp+XfcY=")
    assert chained.chains == (
        write_chain(
            SHA256,
            [
                write_step_ref(1) + write_hash_value(m3),
                write_data_ref(MESSAGE, m1) + write_hash_value(leaf2),
            ],
        ),
        write_chain(
            SHA256,
            [
                write_step_ref(1) + write_hash_value(m3),
                write_hash_value(m1) + write_step_ref(2),
                write_data_ref(MESSAGE, m2) + write_data_ref("/attachment1", a),
            ],
        ),
        write_chain(SHA256, [write_hash_value(both) + write_data_ref(MESSAGE, m3)]),
    )
    for seal, chain in zip(seals, chained.chains, strict=True):
        assert refusal(chained.result, {SIG_CHAIN: chain}, inputs_of(seal, SHA256)) == ""


def test_worked_example_of_four_messages() -> None:
    words = ("one", "two", "three", "four")
    chained = build_chain([sha256_seal((MESSAGE, word)) for word in words], SHA256, prefix="ts")
    assert b">D7oIIfhfp4ToT729xyx991PvstI5XvpW+d7oeWvXw8E=<" in chained.result
    assert b'URI="/ts-hashchain.xml#STEP0"' in chained.result


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=8), min_size=1, max_size=4), min_size=2, max_size=30))
def test_every_seal_is_proven_by_its_own_chain(messages: list[list[bytes]]) -> None:
    seals = [seal_of(message, attachments) for message, *attachments in messages]
    chained = build_chain(seals)
    for seal, chain in zip(seals, chained.chains, strict=True):
        assert refusal(chained.result, {SIG_CHAIN: chain}, inputs_of(seal)) == ""


@pytest.mark.parametrize("name", ["SHA-256", "SHA-384", "SHA-512"])
def test_a_lone_message_with_attachments_has_a_chain_of_one_step(name: str) -> None:
    digest = digest_named(name)
    assert digest is not None
    seal = Seal((Part(MESSAGE, digest.of(b"m")), Part("/attachment1", digest.of(b"a"))))
    chained = build_chain([seal], digest)
    assert chained.chains[0].count(b"<ns2:HashStep") == 1
    assert refusal(chained.result, {SIG_CHAIN: chained.chains[0]}, inputs_of(seal, digest)) == ""


def test_what_needs_no_chain_or_cannot_have_one() -> None:
    for seals in ([], [seal_of(b"m")]):
        with pytest.raises(ValueError, match="no hash chain"):
            build_chain(seals)
    with pytest.raises(ValueError, match="not by SHA-256"):
        build_chain([seal_of(b"m"), seal_of(b"n")], SHA256)


# ---- tampering ----


@pytest.fixture(scope="module")
def batch() -> tuple[Chained, list[Seal]]:
    seals = [seal_of(b"m%d" % i, [b"a"] if i == 2 else []) for i in range(5)]
    return build_chain(seals), seals


def test_another_message_is_not_proven(batch: tuple[Chained, list[Seal]]) -> None:
    chained, seals = batch
    files = {SIG_CHAIN: chained.chains[0]}
    assert refusal(chained.result, files, inputs_of(seal_of(b"other"))) == "invalid_hash_chain"
    assert refusal(chained.result, files, inputs_of(seals[1])) == "invalid_hash_chain"
    with_more = inputs_of(seal_of(b"m0", [b"attached later"]))
    assert refusal(chained.result, files, with_more) == "hashchain_unused_inputs"


def test_an_attachment_cannot_be_left_out_or_exchanged(batch: tuple[Chained, list[Seal]]) -> None:
    chained, _ = batch
    files = {SIG_CHAIN: chained.chains[2]}
    assert refusal(chained.result, files, inputs_of(seal_of(b"m2"))) == "invalid_reference"
    exchanged = inputs_of(seal_of(b"m2", [b"b"]))
    assert refusal(chained.result, files, exchanged) == "invalid_hash_chain"


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 4), st.data())
def test_no_changed_value_passes(which: int, data: st.DataObject) -> None:
    """Except a DataRef's own value, which counts for nothing beside the input (hashchain 9.4)."""
    seals = [seal_of(b"m%d" % i, [b"a"] if i == 2 else []) for i in range(5)]
    chained = build_chain(seals)
    chain = chained.chains[which].decode()
    values = [v for v in chain.split("HashValue>") if v.strip().startswith("<DigestValue>")]
    victim = data.draw(st.sampled_from(values))
    old = victim.strip().removeprefix("<DigestValue>").split("<")[0]
    octets = bytearray(b64decode(old))
    octets[data.draw(st.integers(0, 63))] ^= data.draw(st.integers(1, 255))
    spoilt = chain.replace(old, b64encode(octets).decode()).encode()
    assert refusal(chained.result, {SIG_CHAIN: spoilt}, inputs_of(seals[which])) == (
        "invalid_hash_chain"
    )


def test_the_order_of_values_counts(batch: tuple[Chained, list[Seal]]) -> None:
    chained, seals = batch
    m0, m1 = seals[0].parts[0], seals[1].parts[0]
    swapped = chained.chains[0].decode()
    ours, theirs = write_data_ref(MESSAGE, m0.digest), write_hash_value(m1.digest)
    assert ours + theirs in swapped
    swapped = swapped.replace(ours + theirs, theirs + ours)
    assert refusal(chained.result, {SIG_CHAIN: swapped.encode()}, inputs_of(seals[0])) == (
        "invalid_hash_chain"
    )


def test_a_result_of_another_batch_is_refused(batch: tuple[Chained, list[Seal]]) -> None:
    chained, seals = batch
    other = build_chain([seal_of(b"x"), seal_of(b"y")])
    files = {SIG_CHAIN: chained.chains[0]}
    assert refusal(other.result, files, inputs_of(seals[0])) == "invalid_hash_chain"


# ---- the reference's own cases ----


def hashchain(golden: Path, number: int, *files: str, chain: str = "hashchain") -> dict[str, bytes]:
    """Files of one case by the names that its chain calls them by."""
    folder = golden / "hashchain"
    found = {CHAIN: (folder / f"hc-verifier{number}-{chain}.xml").read_bytes()}
    for name in files:
        found[name] = (folder / f"hc-verifier{number}-message.xml").read_bytes()
    return found


def hashchain_result(golden: Path, number: int) -> bytes:
    return (golden / "hashchain" / f"hc-verifier{number}-hashchainresult.xml").read_bytes()


@pytest.mark.reference
def test_case_1_one_message(golden: Path) -> None:
    result, two = hashchain_result(golden, 1), (SHA256, SHA256.of(b"two"))
    chain = hashchain(golden, 1)
    assert refusal(result, hashchain(golden, 1, MESSAGE), {MESSAGE: None}) == ""
    assert refusal(result, chain, {MESSAGE: two}) == ""
    other = (SHA256, SHA256.of(chain[CHAIN]))
    assert refusal(result, chain, {MESSAGE: other}) == "invalid_hash_chain"
    unused: Inputs = {MESSAGE: two, "/unused1": None, "/unused2": None}
    assert refusal(result, chain, unused) == "hashchain_unused_inputs"


@pytest.mark.reference
def test_case_2_attachments(golden: Path) -> None:
    result, chain = hashchain_result(golden, 2), hashchain(golden, 2)
    names = [MESSAGE, "/attachment1", "/attachment2", "/attachment3"]
    inputs: Inputs = {name: (SHA256, bytes([11 + i])) for i, name in enumerate(names)}
    assert refusal(result, chain, inputs) == ""
    alone = {MESSAGE: inputs[MESSAGE]}
    assert refusal(result, chain, alone, absent_ok=True) == ""
    assert refusal(result, chain, alone) == "invalid_reference"


@pytest.mark.reference
def test_case_3_transforms(golden: Path) -> None:
    result = hashchain_result(golden, 3)
    assert refusal(result, hashchain(golden, 3, MESSAGE), {MESSAGE: None}) == ""
    without = hashchain(golden, 3, MESSAGE, chain="hashchain-invalid")
    assert refusal(result, without, {MESSAGE: None}) == "invalid_hash_chain_ref"


@pytest.mark.reference
def test_case_4_two_files(golden: Path) -> None:
    """Case 1 with its second step in a file of its own."""
    files = hashchain(golden, 1, MESSAGE)
    text = files[CHAIN].decode()
    second = "/hashchain2.xml"
    files[CHAIN] = text.replace('"#STEP1"', f'"{second}#STEP0"').encode()
    head, rest = text.split('    <ns2:HashStep id="STEP0">')
    files[second] = (head + rest.split("</ns2:HashStep>\n")[1]).replace("STEP1", "STEP0").encode()
    files[second] += b"    </ns2:HashStep>\n</ns2:HashChain>\n"
    result = hashchain_result(golden, 1)
    assert refusal(result, files, {MESSAGE: None}) == ""
    del files[second]
    assert refusal(result, files, {MESSAGE: None}) == "invalid_reference"


@pytest.mark.reference
def test_case_5_another_schema(golden: Path) -> None:
    files = hashchain(golden, 3, MESSAGE)
    files[CHAIN] = files[CHAIN].replace(b"HashStep", b"HashSteps")
    assert refusal(hashchain_result(golden, 3), files, {MESSAGE: None}) == "malformed_hash_chain"


SIGNATURES = "/META-INF/signatures.xml"


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "kind", "leaf", "code"),
    [
        ("real-7.4-metrics-request", "ts", SIGNATURES, ""),
        ("real-7.4-metrics-response", "ts", SIGNATURES, ""),
        ("real-7.4-opdata-request", "ts", SIGNATURES, ""),
        ("real-7.4-opdata-response-batchsig", "ts", SIGNATURES, ""),
        ("real-7.4-opdata-response-batchsig", "sig", MESSAGE, ""),
        ("valid-batch-ts", "ts", SIGNATURES, ""),
        ("valid-non-batch-soap-attachments", "ts", SIGNATURES, ""),
        ("valid-signed-hashchain", "sig", MESSAGE, ""),
        ("invalid-signed-hashchain", "sig", MESSAGE, "invalid_hash_chain_ref"),
    ],
)
def test_chains_of_containers(golden: Path, name: str, kind: str, leaf: str, code: str) -> None:
    with ZipFile(golden / "asic" / f"{name}.asice") as container:
        files = {f"/{entry}": container.read(entry) for entry in container.namelist()}
    result = files[f"/{kind}-hashchainresult.xml"]
    assert refusal(result, files, {leaf: None}, absent_ok=True) == code


@pytest.mark.reference
def test_a_real_batch_of_two_is_rebuilt_octet_for_octet(golden: Path) -> None:
    with ZipFile(golden / "asic" / "valid-batch-ts.asice") as container:
        stored = {name: container.read(name) for name in container.namelist()}
    ours = SHA512.of(stored["META-INF/signatures.xml"])
    (theirs,) = (
        b64decode(piece.split(b"</DigestValue>")[0])
        for piece in stored["ts-hashchain.xml"].split(b"<DigestValue>")[2:]
    )
    seals = [Seal((Part(SIGNATURES, digest),)) for digest in (ours, theirs)]
    chained = build_chain(seals, prefix="ts")
    assert chained.result == stored["ts-hashchainresult.xml"]
    assert chained.chains[0] == stored["ts-hashchain.xml"]


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "attachment"),
    [("real-7.4-opdata-response-batchsig", "X4iAxOgUObM"), ("valid-signed-hashchain", "YoZ26aBCL")],
)
def test_a_real_message_with_an_attachment_is_rebuilt(
    golden: Path, name: str, attachment: str
) -> None:
    with ZipFile(golden / "asic" / f"{name}.asice") as container:
        stored = {entry: container.read(entry) for entry in container.namelist()}
    value = stored["sig-hashchain.xml"].decode().split(attachment)[1].split("<")[0]
    message = Part(MESSAGE, SHA512.of(stored["message.xml"]))
    seal = Seal((message, Part("/attachment1", b64decode(attachment + value))))
    chained = build_chain([seal])
    assert chained.result == stored["sig-hashchainresult.xml"]
    assert chained.chains == (stored["sig-hashchain.xml"],)


@pytest.mark.reference
def test_a_message_of_2014_with_its_attachment(golden: Path) -> None:
    folder = golden / "signatures"
    seal = seal_of((folder / "message-1.xml").read_bytes(), [b"blaah"])
    chained = build_chain([seal])
    assert chained.result == (folder / "hash-chain-result.xml").read_bytes()
    assert chained.chains == ((folder / "hash-chain-1.xml").read_bytes(),)


# ---- names in a leaf ----


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        (("DataRef",), ("/message.xml",)),
        (("DataRef", "HashValue"), ("/message.xml",)),
        (("HashValue", "DataRef"), ("/message.xml",)),
        (("DataRef", "DataRef"), ("/message.xml", "/attachment1")),
    ],
)
def test_a_leaf_as_merging_makes_it(kinds: tuple[str, ...], names: tuple[str, ...]) -> None:
    check_leaf([leaf_of(kinds, names)], names)


@pytest.mark.parametrize(
    "leaves",
    [
        [],
        [(("DataRef",), ("/other",))],
        [(("DataRef", "StepRef"), ("/message.xml",))],
        [(("DataRef", "HashValue", "HashValue"), ("/message.xml",))],
        [(("DataRef", "DataRef"), ("/message.xml", "/message.xml"))],
        [(("DataRef",), ("/message.xml",)), (("DataRef",), ("/message.xml",))],
    ],
)
def test_leaves_that_no_merging_makes(
    leaves: list[tuple[tuple[str, ...], tuple[str, ...]]],
) -> None:
    with pytest.raises(Fault, match="malformed_hash_chain"):
        check_leaf([leaf_of(kinds, names) for kinds, names in leaves], ["/message.xml"])


def leaf_of(kinds: tuple[str, ...], names: tuple[str, ...]) -> tuple[ChainValue, ...]:
    left = iter(names)
    return tuple(
        ChainValue(
            kind,  # type: ignore[arg-type]  # one of three words
            next(left) if kind == "DataRef" else "",
            b"",
            SHA512,
        )
        for kind in kinds
    )
