"""Hash chains: one signature or time-stamp for many messages, and what each message keeps of it.

The rule: building is one crossing into C for a whole batch, verifying is one for a whole chain; in
between is XML. A chain's hash covers digests in their order and no names, so where a name stands
in a leaf is looked at as well. Sources: hashchain 3, 4 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from xgate._native import hashchain as native
from xgate.algorithms import SHA512, Digest
from xgate.errors import Fault
from xgate.trust.hashchain_read import ChainValue, read_result
from xgate.trust.hashchain_walk import Inputs, Resolve, Walk
from xgate.trust.hashchain_write import (
    write_chain,
    write_data_ref,
    write_hash_value,
    write_result,
    write_step_ref,
)
from xgate.trust.seal import Seal

__all__ = ["Chained", "Leaf", "build_chain", "check_leaf", "verify_chain"]

Leaf = tuple[ChainValue, ...]
"""The values of a step that holds data."""


class Chained(msgspec.Struct, frozen=True):
    """What many seals became: the result's XML, which is signed, and each seal's own chain."""

    result: bytes
    chains: tuple[bytes, ...]


def build_chain(
    seals: Sequence[Seal], digest: Digest = SHA512, *, prefix: Literal["sig", "ts"] = "sig"
) -> Chained:
    """Merge seals in their order into one result (hashchain 3, 4).

    :param digest: of the parts and of the tree.
    :param prefix: names the files: ``/sig-hashchain.xml`` or ``/ts-hashchain.xml``.
    :raises ValueError: no seals, a lone one with one part only (it needs no chain), or a part whose
        digest is not by ``digest``.
    """
    if sum(len(seal.parts) for seal in seals) < 2:
        raise ValueError("one part alone needs no hash chain")
    if any(len(part.digest) != digest.size for seal in seals for part in seal.parts):
        raise ValueError(f"a part's digest is not by {digest.name}")
    merged = native.merge(digest.name, [[part.digest for part in seal.parts] for seal in seals])
    beside = [write_hash_value(node) for node in merged.nodes]
    chains = tuple(
        write_chain(digest, _steps(seal, path, beside))
        for seal, path in zip(seals, merged.paths, strict=True)
    )
    return Chained(write_result(f"/{prefix}-hashchain.xml#STEP0", digest, merged.top), chains)


def _steps(seal: Seal, path: Sequence[native.Sibling], beside: Sequence[str]) -> list[str]:
    """One step per place of the path; the leaf is in the last one, or is a step of its own."""
    leaf = "".join(write_data_ref(part.name, part.digest) for part in seal.parts)
    ways = [write_step_ref(number) for number in range(1, len(path) + 1)]
    alone = len(seal.parts) == 1
    if alone:
        ways[-1] = leaf
    steps = [
        beside[sibling.node] + way if sibling.left else way + beside[sibling.node]
        for sibling, way in zip(path, ways, strict=True)
    ]
    return steps if alone else [*steps, leaf]


def verify_chain(
    result: bytes, resolve: Resolve, inputs: Inputs, *, absent_ok: bool = False
) -> tuple[Leaf, ...]:
    """Prove that every input is part of what ``result`` stands for (hashchain 5).

    Gives the steps that hold data; see ``check_leaf`` for what is known of their names.

    :param resolve: the octets of a hash chain file or of data by URI; None: not there.
    :param inputs: what must be in the chain, by URI: its digest, or None if ``resolve`` has it.
    :param absent_ok: data that is no input and not there counts as the chain says. Only for
        containers, which keep attachments as digests; for messages it is ``invalid_reference``.
    :raises Fault: ``malformed_hash_chain``, ``invalid_reference``, ``invalid_hash_chain_ref``,
        ``invalid_hash_chain``, ``hashchain_unused_inputs``, ``internal_error`` (no algorithm).
    """
    claimed = read_result(result)
    if claimed.method is None:
        raise Fault("internal_error", "Hash chain result has no digest method")
    walk = Walk(resolve, inputs, absent_ok)
    walk.step(claimed.uri, "", 1)
    if native.evaluate(claimed.method.name, walk.steps) != claimed.digest:
        raise Fault("invalid_hash_chain", "Hash chain result does not match hash chain calculation")
    unused = sorted(inputs.keys() - walk.used)
    if unused:
        names = ", ".join(unused)[:200]
        raise Fault(
            "hashchain_unused_inputs", f"Some inputs were not referenced by hash chain: {names}"
        )
    return tuple(walk.leaves)


def check_leaf(leaves: Sequence[Leaf], names: Sequence[str]) -> None:
    """Refuse a proven chain in which these names do not stand as merging puts them there.

    A step's hash covers neither names nor transforms, so whoever holds a chain can exchange names,
    leave one out, or add a transform that hides a change. One step holds all the data, in this
    order and as it is, and nothing else; a lone part may have one neighbour (hashchain 3 and 4).

    :raises Fault: ``malformed_hash_chain``.
    """
    leaf = leaves[0] if len(leaves) == 1 else ()
    data = [value for value in leaf if value.kind == "DataRef"]
    beside = [value.kind for value in leaf if value.kind != "DataRef"]
    alone = len(data) == 1 and beside in (["HashValue"], [])
    ordered = [value.uri for value in data] == list(names)
    if not ordered or not (alone or not beside) or any(value.transforms for value in data):
        raise Fault("malformed_hash_chain", "Hash chain does not hold its data as it was merged")
