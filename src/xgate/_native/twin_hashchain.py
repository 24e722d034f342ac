"""Hash chains in plain Python: the oracle of ``hashchain``, and the values both speak in.

The rule: a step's hash is H over the DER of its values (hashchain 2); n leaves are split before the
largest power of two smaller than n (hashchain 3). Written from the definitions, not from the C.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from xgate.errors import Fault

__all__ = [
    "DEPTH",
    "STEPS",
    "VALUES",
    "Merged",
    "Sibling",
    "Value",
    "evaluate",
    "merge",
    "write_digest_list",
]

STEPS: Final = 1024
"""How many steps a chain may have; this and the next two are ours (docs/divergences.md)."""
VALUES: Final = 10_000
"""How many values all steps of a chain may have together."""
DEPTH: Final = 64
"""How many steps may stand one below another."""

_INPUTS: Final = 1_048_576
_DIGEST_MAX: Final = 64
_CODE: Final = "malformed_hash_chain"
_URIS: Final = {
    "SHA-256": b"http://www.w3.org/2001/04/xmlenc#sha256",
    "SHA-384": b"http://www.w3.org/2001/04/xmldsig-more#sha384",
    "SHA-512": b"http://www.w3.org/2001/04/xmlenc#sha512",
}


class Value(NamedTuple):
    """One value of a hash step: ``digest``, or, if ``step`` is not None, the hash of that step.

    :param algorithm: of the digest, or to hash that step by: SHA-256, SHA-384 or SHA-512.
    :param digest: at most 64 octets.
    """

    algorithm: str
    digest: bytes = b""
    step: int | None = None


class Sibling(NamedTuple):
    """What stands beside a path at one place: the number of a node, and on which side."""

    node: int
    left: bool


class Merged(NamedTuple):
    """A tree over many inputs.

    :param top: the digest that stands for all inputs.
    :param nodes: all digests of the tree; node i is the leaf of input i.
    :param paths: for each input its siblings, from the top down.
    """

    top: bytes
    nodes: tuple[bytes, ...]
    paths: tuple[tuple[Sibling, ...], ...]


def write_digest_list(values: Sequence[Value]) -> bytes:
    """DER(DigestList) of values that are all digests, at most ``VALUES`` (hashchain 2).

    :raises Fault: ``malformed_hash_chain``: too many values, or a digest that is too long.
    :raises ValueError: an unknown algorithm, or a value that refers to a step.
    """
    if len(values) > VALUES:
        raise Fault(_CODE, "too many values")
    _check_values(values, refer=False)
    singles = [
        _tlv(0x30, _tlv(0x04, v.digest) + _tlv(0x0C, _URIS[v.algorithm]) + _tlv(0x30, b""))
        for v in values
    ]
    return _tlv(0x30, b"".join(singles))


def evaluate(algorithm: str, steps: Sequence[Sequence[Value]]) -> bytes:
    """The hash, by ``algorithm``, of the last of some steps (hashchain 5).

    A value may refer to an earlier step only, so there are no loops; a step is hashed once however
    often it is referred to.

    :raises Fault: ``malformed_hash_chain``: a reference that is not to an earlier step, or more
        steps, values or depth than allowed.
    :raises ValueError: no steps, an unknown algorithm, a number that is none of a step.
    """
    _check_name(algorithm)
    if len(steps) > STEPS or sum(map(len, steps)) > VALUES:
        raise Fault(_CODE, "too many steps or values")
    if not steps:
        raise ValueError("a chain without steps has no hash")
    hashes: list[bytes] = []
    depths: list[int] = []
    for values in steps:
        _check_values(values, refer=True)
    for number, values in enumerate(steps):
        referred = [value.step for value in values if value.step is not None]
        if any(not 0 <= step < number for step in referred):
            raise Fault(_CODE, "a reference forward")
        depths.append(1 + max((depths[step] for step in referred), default=0))
        if depths[-1] > DEPTH:
            raise Fault(_CODE, "too deep")
        hashes.append(write_digest_list([_known(value, hashes) for value in values]))
    return _hash(algorithm, hashes[-1])


def merge(algorithm: str, inputs: Sequence[Sequence[bytes]]) -> Merged:
    """One tree over ``inputs``, each the digests of its parts by ``algorithm`` (hashchain 3, 4).

    :raises Fault: ``malformed_hash_chain``: too many inputs or parts, or a digest that is too long.
    :raises ValueError: no inputs, one without parts, an unknown algorithm.
    """
    _check_name(algorithm)
    if len(inputs) > _INPUTS or any(len(parts) > VALUES for parts in inputs):
        raise Fault(_CODE, "too many inputs or parts")
    if not inputs or not all(inputs):
        raise ValueError("every input has a part, and there is an input")
    for parts in inputs:
        _check_values([Value(algorithm, part) for part in parts], refer=False)
    leaves = [parts[0] if len(parts) == 1 else _step(algorithm, parts) for parts in inputs]
    nodes = dict(enumerate(leaves))
    paths: list[list[Sibling]] = [[] for _ in leaves]
    top = nodes[_grow(algorithm, nodes, paths, 0, len(leaves))]
    in_order = tuple(nodes[number] for number in sorted(nodes))
    return Merged(top, in_order, tuple(tuple(path) for path in paths))


def _grow(
    algorithm: str, nodes: dict[int, bytes], paths: list[list[Sibling]], low: int, high: int
) -> int:
    """The number of the node over the leaves [low, high); paths grow from the bottom up."""
    if high - low == 1:
        return low
    size = high - low
    split = low + (1 << (size - 1).bit_length() - 1)
    left = _grow(algorithm, nodes, paths, low, split)
    right = _grow(algorithm, nodes, paths, split, high)
    for leaf in range(low, split):
        paths[leaf].insert(0, Sibling(right, False))
    for leaf in range(split, high):
        paths[leaf].insert(0, Sibling(left, True))
    node = len(paths) - 1 + split
    nodes[node] = _step(algorithm, [nodes[left], nodes[right]])
    return node


def _step(algorithm: str, digests: Sequence[bytes]) -> bytes:
    return _hash(algorithm, write_digest_list([Value(algorithm, d) for d in digests]))


def _known(value: Value, hashes: Sequence[bytes]) -> Value:
    if value.step is None:
        return value
    return Value(value.algorithm, _hash(value.algorithm, hashes[value.step]))


def _hash(algorithm: str, der: bytes) -> bytes:
    return hashlib.new(algorithm.replace("-", ""), der).digest()


def _check_values(values: Sequence[Value], *, refer: bool) -> None:
    for value in values:
        _check_name(value.algorithm)
        if len(value.digest) > _DIGEST_MAX:
            raise Fault(_CODE, "a digest is too long")
        if value.step is not None and not refer:
            raise ValueError("a value refers to a step where none can be")


def _check_name(algorithm: str) -> None:
    if algorithm not in _URIS:
        raise ValueError(f"no such digest here: {algorithm}")


def _tlv(tag: int, content: bytes) -> bytes:
    if len(content) < 128:
        return bytes((tag, len(content))) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(content).to_bytes(size, "big") + content
