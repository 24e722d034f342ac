"""The oracle itself, held against the worked examples and an independent definition of the tree."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from xgate._native.twin_hashchain import Merged, Sibling, Value, evaluate, merge, write_digest_list
from xgate.errors import Fault

URI_256 = b"http://www.w3.org/2001/04/xmlenc#sha256"


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def pair(left: bytes, right: bytes) -> bytes:
    """A step of two SHA-256 values, its DER put together by hand (hashchain 2)."""
    single = [b"\x30\x4d\x04\x20" + d + b"\x0c\x27" + URI_256 + b"\x30\x00" for d in (left, right)]
    return hashlib.sha256(b"\x30\x81\x9e" + b"".join(single)).digest()


def top(leaves: list[bytes]) -> bytes:
    """The tree by its recursive definition (hashchain 3)."""
    if len(leaves) == 1:
        return leaves[0]
    k = max(2**e for e in range(20) if 2**e < len(leaves))
    return pair(top(leaves[:k]), top(leaves[k:]))


def climbed(leaf: bytes, path: tuple[Sibling, ...], nodes: tuple[bytes, ...]) -> bytes:
    for sibling in reversed(path):
        beside = nodes[sibling.node]
        leaf = pair(beside, leaf) if sibling.left else pair(leaf, beside)
    return leaf


def shape(merged: Merged, n: int) -> str:
    """The tree in brackets, as hashchain 3 writes it, drawn from the paths alone."""

    def draw(paths: dict[int, tuple[Sibling, ...]]) -> str:
        if len(paths) == 1:
            return str(next(iter(paths)) + 1)
        left = {leaf: path[1:] for leaf, path in paths.items() if not path[0].left}
        right = {leaf: path[1:] for leaf, path in paths.items() if path[0].left}
        return f"({draw(left)} {draw(right)})"

    return draw(dict(enumerate(merged.paths)))


@pytest.mark.parametrize("n", [*range(2, 40), *range(61, 200, 23), 200])
def test_the_tree_is_the_one_of_its_definition(n: int) -> None:
    leaves = [sha256(str(i)) for i in range(n)]
    merged = merge("SHA-256", [[leaf] for leaf in leaves])
    assert merged.top == top(leaves)
    assert merged.nodes[:n] == tuple(leaves)
    assert len(merged.nodes) == 2 * n - 1
    for leaf, path in zip(leaves, merged.paths, strict=True):
        assert climbed(leaf, path, merged.nodes) == merged.top


@pytest.mark.parametrize(
    ("n", "drawn"),
    [
        (1, "1"),
        (2, "(1 2)"),
        (3, "((1 2) 3)"),
        (5, "(((1 2) (3 4)) 5)"),
        (6, "(((1 2) (3 4)) (5 6))"),
        (7, "(((1 2) (3 4)) ((5 6) 7))"),
    ],
)
def test_shapes(n: int, drawn: str) -> None:
    assert shape(merge("SHA-256", [[bytes([i])] for i in range(n)]), n) == drawn


def test_worked_example_of_four() -> None:
    one, two, three, four = (sha256(word) for word in ("one", "two", "three", "four"))
    der = write_digest_list([Value("SHA-256", one), Value("SHA-256", two)])
    assert len(der) == 161
    assert der.hex() == (
        f"30819e304d0420{one.hex()}0c27{URI_256.hex()}3000304d0420{two.hex()}0c27{URI_256.hex()}3000"
    )
    assert pair(one, two).hex() == (
        "3004523f337d65e140f9af7fc81c4f93222fff3dfa00ff06a90cc46c55bf97ce"
    )
    merged = merge("SHA-256", [[one], [two], [three], [four]])
    assert merged.top.hex() == "0fba0821f85fa784e84fbdbdc72c7df753efb2d2395efa56f9dee8796bd7c3c1"


def test_two_values_of_sha_512() -> None:
    der = write_digest_list([Value("SHA-512", bytes(64)), Value("SHA-512", bytes(64))])
    assert len(der) == 225
    assert der.startswith(bytes.fromhex("3081de306d0440"))


def test_worked_example_of_a_mixed_tree() -> None:
    """Values of different kinds at every place, with digests of one octet (hashchain 8)."""
    beside = base64.b64decode("dynMNVGMaMzd8A/w/XwUOVpPUfnAcH3s/8ccAJlbvyo=")
    own = "SHA-256"
    steps = [
        [Value(own, bytes([octet])) for octet in (11, 12, 13, 14)],
        [Value(own, b"\0"), Value(own, step=0)],
        [Value(own, step=1), Value(own, beside)],
    ]
    assert base64.b64encode(evaluate(own, steps)) == b"+OUG+0ewGfNJ47GuKe6OJOMCpQo8jOXozQ0/VajHJ7U="


@pytest.mark.reference
def test_trees_of_the_reference(golden: Path) -> None:
    def digests(entry: Any) -> list[bytes]:
        if isinstance(entry, list):
            return [bytes.fromhex(octets) for octets in entry]
        return [sha256(entry.removeprefix('sha256("').removesuffix('")'))]

    vectors = json.loads((golden / "vectors.json").read_text())["hash_tree"]
    assert len(vectors) == 2
    for vector in vectors:
        merged = merge(vector["algorithm"], [digests(entry) for entry in vector["inputs"]])
        assert base64.b64encode(merged.top).decode() == vector["top_base64"]


def test_a_step_may_be_hashed_by_more_than_one_algorithm() -> None:
    below = [Value("SHA-256", b"x")]
    der = write_digest_list(below)
    steps = [below, [Value("SHA-512", step=0), Value("SHA-256", step=0)]]
    expected = write_digest_list(
        [
            Value("SHA-512", hashlib.sha512(der).digest()),
            Value("SHA-256", hashlib.sha256(der).digest()),
        ]
    )
    assert evaluate("SHA-384", steps) == hashlib.sha384(expected).digest()


def test_a_step_without_values_is_an_empty_list() -> None:
    assert evaluate("SHA-256", [[]]) == hashlib.sha256(b"\x30\x00").digest()


def test_a_reference_forward_is_refused() -> None:
    with pytest.raises(Fault, match="malformed_hash_chain"):
        evaluate("SHA-256", [[Value("SHA-256", step=0)]])
