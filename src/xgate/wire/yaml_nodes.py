"""YAML as a tree of nodes: what is written in a document, before anything is made of it.

The rule: no value is computed: a number, a date and a merge key stay the text that they are, so a
document costs what its size costs, whatever it holds. Its size, depth and number of nodes are
bounded, and a node of another than the plain kinds is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

__all__ = ["merging_nodes", "read_yaml", "text_of", "texts_of", "write_yaml"]

_DEPTH = 100
_MOST_NODES = 500_000  # each takes some hundred octets
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_SCALARS = ("str", "int", "float", "bool", "null", "timestamp", "binary", "merge", "value")
_COLLECTIONS = ("map", "seq", "set", "omap", "pairs")
_PLAIN = {f"{_TAG}{kind}" for kind in (*_SCALARS, *_COLLECTIONS)}
# The parser in C where the wheel has it: it is ten times faster.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read_yaml(octets: bytes) -> yaml.Node:
    """The one document that these octets are.

    :raises ValueError: they are none, or it is too deep, too large or of kinds that are not plain.
    """
    try:
        _check_bounds(octets)
        root = yaml.compose(octets, Loader=_LOADER)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    if root is None:
        raise ValueError("it is empty")
    return root


def write_yaml(root: yaml.Node) -> bytes:
    """The document in UTF-8; comments and the layout of its lines are lost.

    :raises ValueError: it cannot be written.
    """
    try:
        return str(yaml.serialize(root, Dumper=_DUMPER, allow_unicode=True)).encode()
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error).partition("\n")[0]) from None


def text_of(node: yaml.Node) -> str | None:
    """What a node says if it is a text, and nothing else."""
    text = isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}str"
    return str(node.value) if text else None


def merging_nodes(node: yaml.Node, seen: set[int]) -> Iterator[yaml.MappingNode]:
    """A mapping and all that are merged into it, each once.

    :param seen: ids of nodes that are passed over, and those given, added.
    """
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, yaml.MappingNode) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        for key, value in one.value:
            if key.tag == _MERGE:
                waiting += value.value if isinstance(value, yaml.SequenceNode) else [value]


def texts_of(root: yaml.Node) -> Any:
    """The document as mappings, lists and texts; what is neither is None.

    A merge key stays a key of its own. What is referred to from many places is one object.

    :raises ValueError: a key is there twice, or is no scalar.
    """
    return _texts(root, {})


def _texts(node: yaml.Node, known: dict[int, Any]) -> Any:
    if id(node) in known:
        return known[id(node)]
    if isinstance(node, yaml.SequenceNode):
        items: list[Any] = []
        known[id(node)] = items  # before its items, one of which may be itself
        items += [_texts(item, known) for item in node.value]
        return items
    if not isinstance(node, yaml.MappingNode):
        return text_of(node)
    fields: dict[str, Any] = {}
    known[id(node)] = fields
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError("a key is no text")  # noqa: TRY004  the document is at fault
        if key.value in fields:
            raise ValueError("a key is there twice")
        fields[key.value] = None
        fields[key.value] = _texts(value, known)
    return fields


def _check_bounds(octets: bytes) -> None:
    depth = nodes = 0
    for event in yaml.parse(octets, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        if depth > _DEPTH or nodes > _MOST_NODES:
            raise ValueError("it is too deep or has too many parts")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!") and tag not in _PLAIN:
            raise ValueError(f"it has a value of the kind {tag}")
