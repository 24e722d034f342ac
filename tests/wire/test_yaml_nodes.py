"""YAML is read to nodes: nothing in it is computed, and its size is what it costs."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.wire.yaml_nodes import merging_nodes, read_yaml, text_of, texts_of, write_yaml

ODD = [
    '!!int ""',
    "!!bool foo",
    "!!timestamp foo",
    "!!float 1" + ":60" * 300,
    "2001-99-99",
    "1" + ":1" * 500_000,
    "9" * 500_000,
]


@pytest.mark.parametrize("odd", ODD, ids=lambda text: text[:12])
def test_values_are_not_made_but_written_again_as_they_were(odd: str) -> None:
    root = read_yaml(f"a: {odd}\nb: c\n".encode())
    assert texts_of(root) == {"a": None, "b": "c"}
    again = read_yaml(write_yaml(root))
    assert [node.value for node, _ in again.value] == ["a", "b"]
    assert again.value[0][1].value == root.value[0][1].value


@pytest.mark.parametrize(
    "document",
    [b"", b"a: [", b"\xff\xfe\xfd", b"a: 1\n---\nb: 2\n", b"a: !!python/name:os.system x", b"!a b"],
)
def test_what_is_no_plain_document_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_yaml(document)


def test_depth_and_number_of_nodes_are_bounded() -> None:
    assert read_yaml(b"[" * 100 + b"]" * 100)
    with pytest.raises(ValueError, match="too deep"):
        read_yaml(b"[" * 101 + b"]" * 101)
    with pytest.raises(ValueError, match="too many"):
        read_yaml(b"[" + b"a," * 500_000 + b"]")


@pytest.mark.parametrize("document", [b"{a: 1, a: 2}", b"{b: {<<: 1, <<: 2}}", b"? [a]\n: 1\n"])
def test_keys_are_texts_and_there_once(document: bytes) -> None:
    with pytest.raises(ValueError, match="a key is"):
        texts_of(read_yaml(document))


def test_what_refers_to_itself_is_one_object() -> None:
    texts = texts_of(read_yaml(b"&a [*a, {b: *a}]"))
    assert texts[0] is texts
    assert texts[1]["b"] is texts


def test_merged_mappings_are_found_once_however_often_they_are_named() -> None:
    lines = ["a0: &a0 {x: y}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 40)]
    root = read_yaml("\n".join(lines).encode())
    last = root.value[-1][1]
    assert len(list(merging_nodes(last, set()))) == 40
    assert not list(merging_nodes(root.value[0][0], set()))


def test_only_texts_are_texts() -> None:
    root = read_yaml(b"[a, '1', 1, null, {}]")
    assert [text_of(node) for node in root.value] == ["a", "1", None, None, None]


@given(st.text(max_size=100))
def test_what_is_read_says_the_same_when_it_was_written(text: str) -> None:
    with suppress(ValueError):
        root = read_yaml(text.encode())
        assert texts_of(read_yaml(write_yaml(root))) == texts_of(root)
