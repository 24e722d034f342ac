"""Hash chains by ``csrc/hashchain.c``: one tree over many inputs, and what a chain comes to.

The rule: one crossing for a whole batch and one for a whole chain. Input that breaks a bound is
``malformed_hash_chain``. ``twin_hashchain`` says the same in plain Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from xgate._native._xg import ffi, lib
from xgate._native.check import check
from xgate._native.digest import ALGORITHMS
from xgate._native.twin_hashchain import DEPTH, STEPS, VALUES, Merged, Sibling, Value

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

_CODE = "malformed_hash_chain"
_SUBJECT = "hash chain"
_TOO_LONG = lib.XG_DIGEST_MAX + 1


def write_digest_list(values: Sequence[Value]) -> bytes:
    """DER(DigestList) of values that are all digests, at most ``VALUES`` (hashchain 2).

    :raises Fault: ``malformed_hash_chain``: too many values, or a digest that is too long.
    :raises ValueError: an unknown algorithm, or a value that refers to a step.
    """
    made = ffi.new("xg_buf *")
    try:
        err = lib.xg_digestlist_write(made, _columns(values), len(values))
        check(err, _CODE, _SUBJECT)
        return bytes(ffi.buffer(made.p, made.n))
    finally:
        lib.xg_buf_free(made)


def evaluate(algorithm: str, steps: Sequence[Sequence[Value]]) -> bytes:
    """The hash, by ``algorithm``, of the last of some steps (hashchain 5).

    A value may refer to an earlier step only, so there are no loops; a step is hashed once however
    often it is referred to.

    :raises Fault: ``malformed_hash_chain``: a reference that is not to an earlier step, or more
        steps, values or depth than allowed.
    :raises ValueError: no steps, an unknown algorithm, a number that is none of a step.
    """
    values = [value for step in steps for value in step]
    counts = ffi.new("uint32_t[]", [len(step) for step in steps])
    made = ffi.new("xg_digest *")
    err = lib.xg_hashchain_evaluate(
        made, ALGORITHMS.get(algorithm, 0), _columns(values), len(values), counts, len(steps)
    )
    check(err, _CODE, _SUBJECT)
    return _octets(made)


def merge(algorithm: str, inputs: Sequence[Sequence[bytes]]) -> Merged:
    """One tree over ``inputs``, each the digests of its parts by ``algorithm`` (hashchain 3, 4).

    :raises Fault: ``malformed_hash_chain``: too many inputs or parts, or a digest that is too long.
    :raises ValueError: no inputs, one without parts, an unknown algorithm.
    """
    if not inputs:
        raise ValueError("there is no input")
    parts = [Value(algorithm, part) for parts in inputs for part in parts]
    counts = ffi.new("uint32_t[]", [len(parts) for parts in inputs])
    top = ffi.new("xg_digest *")
    nodes = ffi.new("xg_digest[]", 2 * len(inputs) - 1)
    paths = ffi.new("uint32_t[]", lib.XG_CHAIN_PATH * len(inputs))
    lengths = ffi.new("uint32_t[]", len(inputs))
    code = ALGORITHMS.get(algorithm, 0)
    err = lib.xg_hashchain_merge(
        top, nodes, paths, lengths, code, _columns(parts), len(parts), counts, len(inputs)
    )
    check(err, _CODE, _SUBJECT)
    return Merged(_octets(top), tuple(map(_octets, nodes)), tuple(_paths(paths, lengths)))


def _columns(values: Sequence[Value]) -> Any:
    """The values as ``xg_hash_value[]``; what C must refuse is passed on so that it can."""
    no_step, no_such_step = lib.XG_NO_STEP, lib.XG_CHAIN_STEPS
    return ffi.new(
        "xg_hash_value[]",
        [
            (
                (digest[: lib.XG_DIGEST_MAX], min(len(digest), _TOO_LONG)),
                ALGORITHMS.get(algorithm, 0),
                no_step if step is None else step if 0 <= step < STEPS else no_such_step,
            )
            for algorithm, digest, step in values
        ],
    )


def _octets(digest: Any) -> bytes:
    return bytes(ffi.buffer(digest.octets, digest.n))


def _paths(paths: Any, lengths: Any) -> Iterable[tuple[Sibling, ...]]:
    numbers = ffi.unpack(paths, len(paths))
    siblings = {number: Sibling(number >> 1, bool(number & 1)) for number in set(numbers)}
    for index, length in enumerate(ffi.unpack(lengths, len(lengths))):
        start = index * lib.XG_CHAIN_PATH
        yield tuple([siblings[number] for number in numbers[start : start + length]])
