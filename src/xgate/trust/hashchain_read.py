"""Hash chains and their results, read from XML that others wrote.

The rule: a document is held to the schema by hand, element by element, and to bounds; names count
by namespace, never by prefix. What the schema leaves open and nobody writes (attributes of other
namespaces, content of a DigestMethod, comments inside a value) is refused, and so are digests
weaker than SHA-256, which no known chain uses. Sources: hashchain 1, 5 and 9.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, NoReturn

import msgspec
from lxml import etree

from xgate._native.hashchain import STEPS, VALUES
from xgate.algorithms import Digest, find_digest
from xgate.errors import Fault
from xgate.wire.xml import parse

__all__ = [
    "LIMIT",
    "ChainFile",
    "ChainResult",
    "ChainValue",
    "Transform",
    "read_chain",
    "read_result",
]

LIMIT: Final = 4 * 1024 * 1024
"""The largest hash chain taken, in octets: room for the most values that one may have."""

_HC: Final = "{http://cyber.ee/hashchain}"
_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_EC: Final = "{http://www.w3.org/2001/10/xml-exc-c14n#}"
_DEPTH: Final = 10
_KEPT: Final = 128
_LARGEST_KEPT: Final = 4096
_WEAKEST: Final = 32  # SHA-256
_NAME: Final = re.compile(r"[^\W\d][\w.\-]*")
_BLANK: Final = " \t\r\n"


class Transform(msgspec.Struct, frozen=True):
    """One ds:Transform: its algorithm, and the prefixes that exclusive c14n treats inclusively."""

    algorithm: str
    prefixes: tuple[str, ...] = ()


class ChainValue(msgspec.Struct, frozen=True):
    """One value of a hash step.

    :param uri: of the step or the data; empty for a HashValue.
    :param digest: its DigestValue; empty for a StepRef.
    :param method: its own digest algorithm or the chain's, None if neither is there.
    """

    kind: Literal["HashValue", "StepRef", "DataRef"]
    uri: str
    digest: bytes
    method: Digest | None
    transforms: tuple[Transform, ...] = ()


class ChainFile(msgspec.Struct, frozen=True):
    """A hc:HashChain: the values of its steps by id."""

    steps: Mapping[str, tuple[ChainValue, ...]]


class ChainResult(msgspec.Struct, frozen=True):
    """A hc:HashChainResult: the step it is the hash of, and by which algorithm, if it says so."""

    uri: str
    method: Digest | None
    digest: bytes


def read_result(data: bytes) -> ChainResult:
    """Read a HashChainResult.

    All messages of a batch bring the same one, octet for octet, so what was read last is kept.

    :raises Fault: ``malformed_hash_chain``.
    """
    return _read_result(data) if len(data) > _LARGEST_KEPT else _read_result_once(data)


def _read_result(data: bytes) -> ChainResult:
    root = _root(data, "HashChainResult")
    uri = _attributes(root, "URI")["URI"]
    rest = _children(root)
    method = _maybe_method(rest, None)
    digest = _digest_value(rest)
    _check_end(rest)
    return ChainResult(uri, method, digest)


# Bounded in number and in size: what a peer sends cannot make it grow.
_read_result_once = lru_cache(maxsize=_KEPT)(_read_result)


def read_chain(data: bytes) -> ChainFile:
    """Read a HashChain.

    :raises Fault: ``malformed_hash_chain``; also for more steps or values than any real chain has,
        and for a digest algorithm weaker than SHA-256.
    """
    root = _root(data, "HashChain")
    _attributes(root)
    rest = _children(root)
    default = None
    if rest and rest[0].tag == _HC + "DefaultDigestMethod":
        default = _method(rest.pop(0))
    if len(rest) > STEPS:
        _refuse(f"more than {STEPS} steps")
    steps: dict[str, tuple[ChainValue, ...]] = {}
    room = VALUES
    for element in rest:
        if element.tag != _HC + "HashStep":
            _refuse(f"{_short(element.tag)} is not expected in a HashChain")
        values = _children(element)
        room -= len(values)
        if room < 0:
            _refuse(f"more than {VALUES} values")
        identity = _attributes(element, optional="id").get("id")
        step = tuple(_value(value, default) for value in values)
        if identity is None:
            continue  # Nothing can refer to it.
        if identity in steps or not _NAME.fullmatch(identity):
            _refuse(f"id {_short(identity)} is repeated or not a name")
        steps[identity] = step
    return ChainFile(steps)


def _value(element: etree._Element, default: Digest | None) -> ChainValue:
    kinds: dict[str, Literal["HashValue", "StepRef", "DataRef"]] = {
        _HC + "HashValue": "HashValue",
        _HC + "StepRef": "StepRef",
        _HC + "DataRef": "DataRef",
    }
    kind = kinds.get(element.tag)
    if kind is None:
        _refuse(f"{_short(element.tag)} is not expected in a HashStep")
    uri = "" if kind == "HashValue" else _attributes(element, "URI")["URI"]
    if kind == "HashValue":
        _attributes(element)
    rest = _children(element)
    method = _maybe_method(rest, default)
    if kind == "StepRef":
        _check_end(rest)
        return ChainValue(kind, uri, b"", method)
    transforms = _transforms(rest)
    digest = _digest_value(rest)
    _check_end(rest)
    return ChainValue(kind, uri, digest, method, transforms)


def _maybe_method(rest: list[etree._Element], default: Digest | None) -> Digest | None:
    if rest and rest[0].tag == _DS + "DigestMethod":
        return _method(rest.pop(0))
    return default


def _method(element: etree._Element) -> Digest:
    _check_end(_children(element))
    uri = _attributes(element, "Algorithm")["Algorithm"]
    digest = find_digest(uri)
    if digest is None or digest.size < _WEAKEST:
        _refuse(f"digest algorithm {_short(uri)} is not accepted")
    return digest


def _transforms(rest: list[etree._Element]) -> tuple[Transform, ...]:
    if not rest or rest[0].tag != _DS + "Transforms":
        return ()
    element = rest.pop(0)
    _attributes(element)
    transforms = tuple(map(_transform, _children(element)))
    if not transforms:
        _refuse("Transforms is empty")
    return transforms


def _transform(element: etree._Element) -> Transform:
    if element.tag != _DS + "Transform":
        _refuse(f"{_short(element.tag)} is not expected in Transforms")
    algorithm = _attributes(element, "Algorithm")["Algorithm"]
    rest = _children(element)
    prefixes: tuple[str, ...] = ()
    if rest and rest[0].tag == _EC + "InclusiveNamespaces":
        inclusive = rest.pop(0)
        _check_end(_children(inclusive))
        prefixes = tuple(_attributes(inclusive, "PrefixList")["PrefixList"].split())
    _check_end(rest)
    return Transform(algorithm, prefixes)


def _digest_value(rest: list[etree._Element]) -> bytes:
    if not rest or rest[0].tag != _DS + "DigestValue":
        _refuse("a DigestValue is missing")
    element = rest.pop(0)
    _attributes(element)
    if len(element):
        _refuse("a DigestValue holds more than text")
    text = "".join((element.text or "").split())
    try:
        return a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        _refuse("a DigestValue is not base64")


def _root(data: bytes, name: str) -> etree._Element:
    try:
        root = parse(data, limit=LIMIT, depth=_DEPTH)
    except Fault as fault:
        raise Fault("malformed_hash_chain", f"Parsing hash chain failed: {fault.text}") from fault
    if root.tag != _HC + name:
        _refuse(f"{_short(root.tag)} is not a {name}")
    return root


def _children(element: etree._Element) -> list[etree._Element]:
    """The elements inside; text between them must be blank, comments count for nothing."""
    texts = [element.text, *(child.tail for child in element)]
    if any(text and text.strip(_BLANK) for text in texts):
        _refuse(f"text is not expected in {_short(element.tag)}")
    return [child for child in element if isinstance(child.tag, str)]


def _attributes(
    element: etree._Element, required: str = "", *, optional: str = ""
) -> dict[str, str]:
    found = {str(name): str(value) for name, value in element.attrib.items()}
    if not found.keys() <= {required, optional} or (required and required not in found):
        _refuse(f"{_short(element.tag)} has not the attributes it must have")
    return found


def _check_end(rest: list[etree._Element]) -> None:
    if rest:
        _refuse(f"{_short(rest[0].tag)} is not expected here")


def _refuse(text: str) -> NoReturn:
    raise Fault("malformed_hash_chain", f"Parsing hash chain failed: {text}")


def _short(text: str) -> str:
    return repr(text[:100])
