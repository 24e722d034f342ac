"""What a hash chain result can reach: its steps across files, and the data they speak of.

The rule: every step is collected once, below before above, so that C can hash them in one pass; a
loop, or a chain that is too deep or too big, ends the walk. A DataRef never stands for data that
the caller asked about without that data having been looked at. Sources: hashchain 5 and 9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from xgate._native import hashchain as native
from xgate._native.c14n import canonicalise
from xgate.algorithms import Digest
from xgate.errors import Fault
from xgate.trust.hashchain_read import ChainFile, ChainValue, Transform, read_chain
from xgate.wire.xml import parse

__all__ = ["Inputs", "Resolve", "Walk"]

Resolve = Callable[[str], bytes | None]
"""The octets of a hash chain file or of data by URI; None: not there."""
Inputs = Mapping[str, tuple[Digest, bytes] | None]
"""What must be in a chain, by URI: its digest, or None if it must be resolved."""

_FILES: Final = 16
_TRANSFORMED: Final = 16
_INCLUSIVE: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"


class Walk:
    """A walk over the steps that a result can reach, across files.

    ``steps`` grows below before above, as ``native.evaluate`` wants it; ``used`` names the inputs
    that were met, ``leaves`` are the steps that hold data.
    """

    def __init__(self, resolve: Resolve, inputs: Inputs, absent_ok: bool) -> None:
        self.steps: list[list[native.Value]] = []
        self.used: set[str] = set()
        self.leaves: list[tuple[ChainValue, ...]] = []
        self._resolve = resolve
        self._inputs = inputs
        self._absent_ok = absent_ok
        self._files: dict[str, ChainFile] = {}
        self._numbers: dict[tuple[str, str], int | None] = {}  # None: on the way down from it
        self._room = native.VALUES
        self._transformed = 0
        self._checked: dict[ChainValue, bytes] = {}

    def step(self, uri: str, base: str, depth: int) -> int:
        """The number of the step at ``uri``, met in the file ``base``; walks it if it is new."""
        place = self._place(uri, base)
        if place in self._numbers:
            known = self._numbers[place]
            if known is None:
                raise Fault("malformed_hash_chain", f"Hash chain has a loop at {_short(uri)}")
            return known
        if depth > native.DEPTH or len(self._numbers) >= native.STEPS:
            raise Fault("malformed_hash_chain", "Hash chain is too deep or has too many steps")
        self._numbers[place] = None
        values = self._values(place, uri)
        if any(value.kind == "DataRef" for value in values):
            self.leaves.append(values)
        self.steps.append([self._value(value, place[0], depth) for value in values])
        self._numbers[place] = number = len(self.steps) - 1
        return number

    def _place(self, uri: str, base: str) -> tuple[str, str]:
        file, _, fragment = uri.partition("#")
        if not fragment:
            raise Fault("malformed_hash_chain", f"Invalid hash step URI: {_short(uri)}")
        if not (file or base):
            raise Fault("internal_error", "Hash chain result does not say which file it is of")
        return file or base, fragment

    def _values(self, place: tuple[str, str], uri: str) -> tuple[ChainValue, ...]:
        file, fragment = place
        values = self._file(file).steps.get(fragment)
        if values is None:
            raise Fault("malformed_hash_chain", f"Invalid hash step URI: {_short(uri)}")
        self._room -= len(values)
        if self._room < 0:
            raise Fault("malformed_hash_chain", "Hash chain has too many values")
        return values

    def _file(self, uri: str) -> ChainFile:
        if uri not in self._files:
            if len(self._files) >= _FILES:
                raise Fault("malformed_hash_chain", "Hash chain has too many files")
            data = self._resolve(uri)
            if data is None:
                raise Fault("invalid_reference", f"Cannot resolve URI: {_short(uri)}")
            self._files[uri] = read_chain(data)
        return self._files[uri]

    def _value(self, value: ChainValue, base: str, depth: int) -> native.Value:
        if value.method is None:
            raise Fault("internal_error", "Hash chain has a value without digest method")
        if value.kind == "StepRef":
            below = self.step(value.uri, base, depth + 1)
            return native.Value(value.method.name, step=below)
        if value.kind == "HashValue":
            return native.Value(value.method.name, value.digest)
        return native.Value(value.method.name, self._data(value, value.method))

    def _data(self, value: ChainValue, method: Digest) -> bytes:
        """The digest that a DataRef stands for: the input's own, or the one of the data."""
        known = self._inputs.get(value.uri)
        if value.uri in self._inputs:
            self.used.add(value.uri)
        if known is not None and known[0] == method:
            return known[1]
        if value not in self._checked:
            self._checked[value] = self._load(value, method, known)
        return self._checked[value]

    def _load(self, value: ChainValue, method: Digest, known: tuple[Digest, bytes] | None) -> bytes:
        data = self._resolve(value.uri)
        if data is None:
            if self._absent_ok and value.uri not in self._inputs:
                return value.digest
            raise Fault("invalid_reference", f"Cannot resolve URI: {_short(value.uri)}")
        # An input that came with a digest is that data and no other, whatever was resolved.
        same = known is None or known[0].of(data) == known[1]
        if value.transforms:
            self._transformed += len(value.transforms)
            if self._transformed > _TRANSFORMED:
                raise Fault("malformed_hash_chain", "Hash chain has too many transforms")
            data = _transform(data, value.transforms)
        if not same or method.of(data) != value.digest:
            raise Fault(
                "invalid_hash_chain_ref",
                f"Invalid digest value in hash chain reference to {_short(value.uri)}",
            )
        return value.digest


def _transform(data: bytes, transforms: Sequence[Transform]) -> bytes:
    """The data after its transforms: canonical XML without comments, inclusive or exclusive."""
    for transform in transforms:
        if transform.algorithm not in (_INCLUSIVE, _EXCLUSIVE):
            raise Fault(
                "invalid_hash_chain_ref",
                f"Transform {_short(transform.algorithm)} is not supported in a hash chain",
            )
        exclusive = transform.algorithm == _EXCLUSIVE
        try:
            _check_nothing_beside_root(data)
            data = canonicalise(data, exclusive=exclusive, prefixes=transform.prefixes)
        except Fault as fault:
            raise Fault("invalid_hash_chain_ref", f"Transform failed: {fault.text}") from fault
    return data


def _check_nothing_beside_root(data: bytes) -> None:
    """Canonical XML of a document keeps instructions beside its root; ours is of the root alone."""
    if parse(data).xpath("/processing-instruction()"):
        raise Fault("invalid_xml", "a processing instruction stands outside the root element")


def _short(text: str) -> str:
    return repr(text[:100])
