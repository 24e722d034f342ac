"""How far a result can reach: codes, files, transforms, and shapes made to hurt."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate._native.hashchain import DEPTH, STEPS, VALUES
from xgate.algorithms import SHA512, Digest, digest_named
from xgate.errors import Fault
from xgate.trust.hashchain import build_chain, verify_chain
from xgate.trust.hashchain_walk import Inputs
from xgate.trust.hashchain_write import (
    write_chain,
    write_data_ref,
    write_hash_value,
    write_result,
    write_step_ref,
)
from xgate.trust.seal import seal_of

_sha256 = digest_named("SHA-256")
assert _sha256 is not None
SHA256: Digest = _sha256
MESSAGE = "/message.xml"
CHAIN = "/hashchain.xml"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"


def refusal(
    result: bytes, files: Mapping[str, bytes], inputs: Inputs, *, absent_ok: bool = False
) -> str:
    """The code of the refusal; empty if the chain proves its inputs."""
    try:
        verify_chain(result, files.get, inputs, absent_ok=absent_ok)
    except Fault as fault:
        return fault.code
    return ""


def chain_of(*steps: str) -> dict[str, bytes]:
    return {CHAIN: write_chain(SHA256, steps)}


def result_of(uri: str = f"{CHAIN}#STEP0", top: bytes = bytes(32)) -> bytes:
    return write_result(uri, SHA256, top)


LEAF = write_hash_value(b"leaf")


@pytest.mark.parametrize(
    ("result", "files", "code"),
    [
        (b"<a/>", {}, "malformed_hash_chain"),
        (result_of(CHAIN), chain_of(LEAF), "malformed_hash_chain"),
        (result_of(f"{CHAIN}#"), chain_of(LEAF), "malformed_hash_chain"),
        (result_of("#"), chain_of(LEAF), "malformed_hash_chain"),
        (result_of("#STEP0"), chain_of(LEAF), "internal_error"),
        (result_of("/other.xml#STEP0"), chain_of(LEAF), "invalid_reference"),
        (result_of(f"{CHAIN}#STEP1"), chain_of(LEAF), "malformed_hash_chain"),
        (result_of(f"{CHAIN}#STEP0#STEP0"), chain_of(LEAF), "malformed_hash_chain"),
        (result_of(), {CHAIN: b"<a/>"}, "malformed_hash_chain"),
        (result_of(), chain_of(write_step_ref(1)), "malformed_hash_chain"),
        (result_of(), chain_of(write_data_ref("/other", b"x")), "invalid_reference"),
        (result_of(), chain_of(write_hash_value(bytes(65))), "malformed_hash_chain"),
        (result_of(), chain_of(LEAF), "invalid_hash_chain"),
    ],
)
def test_codes(result: bytes, files: dict[str, bytes], code: str) -> None:
    assert refusal(result, files, {}) == code


def test_a_chain_or_result_without_algorithm_is_an_internal_error() -> None:
    method = f'<DigestMethod Algorithm="{SHA256.uri}"/>'.encode()
    assert refusal(result_of().replace(method, b""), chain_of(LEAF), {}) == "internal_error"
    default = f'<ns2:DefaultDigestMethod Algorithm="{SHA256.uri}"/>'.encode()
    files = {CHAIN: chain_of(LEAF)[CHAIN].replace(default, b"")}
    assert refusal(result_of(), files, {}) == "internal_error"
    files[CHAIN] = files[CHAIN].replace(b"<DigestValue>", method + b"<DigestValue>")
    assert refusal(result_of(), files, {}) == "invalid_hash_chain"


def test_a_step_nobody_refers_to_proves_nothing() -> None:
    proven = write_data_ref(MESSAGE, SHA256.of(b"m"))
    files = chain_of(LEAF, proven)
    top = SHA256.of(b"\x30\x33\x30\x31\x04\x04leaf\x0c\x27" + SHA256.uri.encode() + b"\x30\x00")
    result = result_of(top=top)
    assert refusal(result, files, {}) == ""
    inputs: Inputs = {MESSAGE: (SHA256, SHA256.of(b"m"))}
    assert refusal(result, files, inputs) == "hashchain_unused_inputs"


@pytest.mark.parametrize("absent_ok", [False, True])
def test_an_input_is_never_taken_on_trust(absent_ok: bool) -> None:
    """With another algorithm on its DataRef, its own digest would not be used (hashchain 9.4)."""
    seal = seal_of(b"m", [b"a"])
    chained = build_chain([seal])
    method = f'<DigestMethod Algorithm="{SHA256.uri}"/>'.encode()
    chain = chained.chains[0].replace(b'"/message.xml">', b'"/message.xml">' + method)
    files = {"/sig-hashchain.xml": chain}
    attachment = (SHA512, seal.parts[1].digest)
    for message in ((SHA512, SHA512.of(b"other")), None):
        inputs: Inputs = {MESSAGE: message, "/attachment1": attachment}
        assert refusal(chained.result, files, inputs, absent_ok=absent_ok) == "invalid_reference"


def test_an_input_with_a_digest_is_that_data_and_no_other() -> None:
    method = f'<DigestMethod Algorithm="{SHA512.uri}"/>'
    reference = write_data_ref(MESSAGE, SHA512.of(b"resolved"))
    step = reference.replace("<DigestValue>", f"{method}<DigestValue>")
    files = chain_of(step) | {MESSAGE: b"resolved"}
    inputs: Inputs = {MESSAGE: (SHA256, SHA256.of(b"received"))}
    assert refusal(result_of(), files, inputs) == "invalid_hash_chain_ref"
    honest: Inputs = {MESSAGE: (SHA256, SHA256.of(b"resolved"))}
    assert refusal(result_of(), files, honest) == "invalid_hash_chain"  # only the top is wrong


# ---- transforms ----


def transformed(document: bytes, expected: bytes, *transforms: str) -> str:
    """The refusal of a DataRef with transforms, whose digest is that of ``expected``."""
    inside = "".join(transforms)
    step = write_data_ref(MESSAGE, SHA256.of(expected)).replace(
        "            <DigestValue>", f"<Transforms>{inside}</Transforms><DigestValue>"
    )
    code = refusal(result_of(), chain_of(step) | {MESSAGE: document}, {MESSAGE: None})
    return "" if code == "invalid_hash_chain" else code  # the top is none of a real chain


def transform(algorithm: str, inside: str = "") -> str:
    return f'<Transform Algorithm="{algorithm}">{inside}</Transform>'


def test_canonical_forms() -> None:
    document = b"<?xml version='1.0'?><!-- a -->\n<a xmlns:x='urn:x'  b='c'><!-- d --><e/></a>"
    inclusive = b'<a xmlns:x="urn:x" b="c"><e></e></a>'
    exclusive = b'<a b="c"><e></e></a>'
    prefixes = f'<e:InclusiveNamespaces xmlns:e="{EXC}" PrefixList="x"/>'
    assert transformed(document, inclusive, transform(C14N)) == ""
    assert transformed(document, exclusive, transform(EXC)) == ""
    assert transformed(document, inclusive, transform(EXC, prefixes)) == ""
    assert transformed(document, exclusive, transform(C14N), transform(EXC)) == ""
    assert transformed(document, document, transform(C14N)) == "invalid_hash_chain_ref"


@pytest.mark.parametrize(
    ("document", "algorithm"),
    [
        (b"<a/>", C14N + "#WithComments"),
        (b"<a/>", EXC + "WithComments"),
        (b"<a/>", "http://www.w3.org/2000/09/xmldsig#base64"),
        (b"<a/>", "http://www.w3.org/TR/1999/REC-xslt-19991116"),
        (b"not XML", C14N),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", C14N),
        (b"<?p i?><a/>", C14N),
        (b"<a/><?p i?>", C14N),
    ],
)
def test_transforms_that_are_refused(document: bytes, algorithm: str) -> None:
    assert transformed(document, document, transform(algorithm)) == "invalid_hash_chain_ref"


def test_how_many_transforms_there_may_be() -> None:
    assert transformed(b"<a></a>", b"<a></a>", *[transform(C14N)] * 16) == ""
    assert transformed(b"<a></a>", b"<a></a>", *[transform(C14N)] * 17) == "malformed_hash_chain"


# ---- hostile shapes ----


def ladder(length: int, *, refs: int = 1, back: int | None = None) -> dict[str, bytes]:
    """Each step refers ``refs`` times to the next; the last holds a value, or refers ``back``."""
    last = LEAF if back is None else write_step_ref(back)
    return chain_of(*[write_step_ref(i + 1) * refs for i in range(length - 1)], last)


def test_loops_are_refused() -> None:
    assert refusal(result_of(), ladder(1, back=0), {}) == "malformed_hash_chain"
    assert refusal(result_of(), ladder(30, back=0), {}) == "malformed_hash_chain"
    assert refusal(result_of(), ladder(30, back=29), {}) == "malformed_hash_chain"


def test_a_loop_across_files_is_refused() -> None:
    other = write_step_ref(0).replace('"#', '"/b.xml#')
    back = write_step_ref(0).replace('"#', f'"{CHAIN}#')
    files = chain_of(other) | {"/b.xml": write_chain(SHA256, [back])}
    assert refusal(result_of(), files, {}) == "malformed_hash_chain"


def test_how_deep_and_how_wide_a_chain_may_be() -> None:
    wrong_top = "invalid_hash_chain"
    assert refusal(result_of(), ladder(DEPTH), {}) == wrong_top
    assert refusal(result_of(), ladder(DEPTH + 1), {}) == "malformed_hash_chain"
    assert refusal(result_of(), ladder(5000), {}) == "malformed_hash_chain"

    def fan(width: int) -> dict[str, bytes]:
        root = "".join(write_step_ref(i + 1) for i in range(width))
        return chain_of(root, *[LEAF] * width)

    assert refusal(result_of(), fan(STEPS - 1), {}) == wrong_top
    assert refusal(result_of(), fan(STEPS), {}) == "malformed_hash_chain"
    assert refusal(result_of(), chain_of(LEAF * VALUES), {}) == wrong_top
    assert refusal(result_of(), chain_of(LEAF * (VALUES + 1)), {}) == "malformed_hash_chain"


def test_bounds_hold_across_files() -> None:
    def linked(number: int) -> bytes:
        link = write_step_ref(0).replace('"#', f'"/{number + 1}#')
        return write_chain(SHA256, [link + LEAF * 999])

    names = {f"/{number}": linked(number) for number in range(40)}
    assert refusal(result_of("/0#STEP0"), names, {}) == "malformed_hash_chain"
    many = {
        f"/{n}": write_chain(SHA256, [write_step_ref(0).replace('"#', f'"/{n + 1}#')])
        for n in range(40)
    }
    assert refusal(result_of("/0#STEP0"), many, {}) == "malformed_hash_chain"


@pytest.mark.parametrize("refs", [2, 150])
def test_bombs_of_references_cost_next_to_nothing(refs: int) -> None:
    """Evaluated naively, these are refs**63 steps."""
    began = time.perf_counter()
    assert refusal(result_of(), ladder(DEPTH, refs=refs), {}) == "invalid_hash_chain"
    assert refusal(result_of(), ladder(DEPTH + 1, refs=refs), {}) == "malformed_hash_chain"
    assert time.perf_counter() - began < 3


def test_data_that_is_named_often_is_looked_at_once() -> None:
    asked: list[str] = []

    def resolve(uri: str) -> bytes | None:
        asked.append(uri)
        return (chain_of(write_data_ref("/big", SHA256.of(b"big")) * 5000) | {"/big": b"big"})[uri]

    with pytest.raises(Fault, match="invalid_hash_chain"):
        verify_chain(result_of(), resolve, {})
    assert asked == [CHAIN, "/big"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_graph_of_steps_ends_in_an_answer(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    value = st.one_of(
        st.builds(write_step_ref, st.integers(0, count)),
        st.builds(write_hash_value, st.binary(max_size=4)),
        st.builds(write_data_ref, st.sampled_from([MESSAGE, "/x", "", "#", "é"]), st.just(b"x")),
    )
    steps = data.draw(st.lists(st.lists(value, max_size=4), min_size=count, max_size=count))
    code = refusal(result_of(), chain_of(*map("".join, steps)), {MESSAGE: (SHA256, b"x")})
    assert code in {"invalid_hash_chain", "malformed_hash_chain", "invalid_reference"}
