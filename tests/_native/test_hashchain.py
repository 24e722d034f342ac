"""C and its twin say the same about hash chains, down to how they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate._native import hashchain as native
from xgate._native import twin_hashchain as twin
from xgate._native.hashchain import DEPTH, STEPS, VALUES, Value
from xgate.errors import Fault

NAMES = st.sampled_from(["SHA-256", "SHA-384", "SHA-512"])
DIGESTS = st.binary(max_size=64)
VALUE = st.builds(Value, NAMES, DIGESTS, st.none())
ANY_NAME = st.one_of(NAMES, st.sampled_from(["SHA-1", "MD5", ""]))
ANY_VALUE = st.builds(
    Value, NAMES, st.binary(max_size=70), st.one_of(st.none(), st.integers(-3, 12))
)


def said(verb: Callable[..., Any], *arguments: object) -> object:
    """What a verb answers, or how it refuses."""
    try:
        return verb(*arguments)
    except Fault as fault:
        return fault.code
    except ValueError:
        return ValueError


def agreed(verb: str, *arguments: object) -> object:
    here, there = said(getattr(native, verb), *arguments), said(getattr(twin, verb), *arguments)
    assert here == there
    return here


@st.composite
def chains(draw: st.DrawFn) -> list[list[Value]]:
    """Steps that refer to earlier ones only."""
    steps: list[list[Value]] = []
    for number in range(draw(st.integers(1, 8))):
        earlier = st.integers(0, number - 1) if number else st.none()
        reference = st.builds(Value, NAMES, st.just(b""), earlier)
        steps.append(draw(st.lists(st.one_of(VALUE, reference), max_size=5)))
    return steps


@settings(max_examples=100, deadline=None)
@given(st.lists(VALUE, max_size=40))
def test_digest_lists(values: list[Value]) -> None:
    assert isinstance(agreed("write_digest_list", values), bytes)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 600, 700, VALUES])
def test_digest_lists_around_the_forms_of_a_length(count: int) -> None:
    der = agreed("write_digest_list", [Value("SHA-512", bytes(64))] * count)
    assert isinstance(der, bytes)


@settings(max_examples=100, deadline=None)
@given(NAMES, chains())
def test_chains_that_hold(algorithm: str, steps: list[list[Value]]) -> None:
    assert isinstance(agreed("evaluate", algorithm, steps), bytes)


@settings(max_examples=100, deadline=None)
@given(ANY_NAME, st.lists(st.lists(ANY_VALUE, max_size=4), max_size=6))
def test_chains_of_any_kind(algorithm: str, steps: list[list[Value]]) -> None:
    agreed("evaluate", algorithm, steps)


@settings(max_examples=60, deadline=None)
@given(NAMES, st.lists(st.lists(DIGESTS, min_size=1, max_size=4), min_size=1, max_size=40))
def test_trees(algorithm: str, inputs: list[list[bytes]]) -> None:
    agreed("merge", algorithm, inputs)


@pytest.mark.parametrize("n", [*range(1, 35), 64, 65, 127, 128, 129, 200])
def test_trees_of_every_shape(n: int) -> None:
    inputs = [[bytes([i])] if i % 5 else [bytes([i]), b"more"] for i in range(n)]
    assert isinstance(agreed("merge", "SHA-256", inputs), twin.Merged)


@pytest.mark.parametrize(
    ("verb", "arguments", "refusal"),
    [
        ("write_digest_list", ([Value("SHA-256", bytes(65))],), "malformed_hash_chain"),
        ("write_digest_list", ([Value("SHA-256")] * (VALUES + 1),), "malformed_hash_chain"),
        ("write_digest_list", ([Value("SHA-1", b"")],), ValueError),
        ("write_digest_list", ([Value("SHA-256", step=0)],), ValueError),
        ("evaluate", ("SHA-256", []), ValueError),
        ("evaluate", ("SHA-1", [[]]), ValueError),
        ("evaluate", ("SHA-256", [[Value("SHA-256", step=0)]]), "malformed_hash_chain"),
        ("evaluate", ("SHA-256", [[Value("SHA-256", step=1)], []]), "malformed_hash_chain"),
        ("evaluate", ("SHA-256", [[], [Value("SHA-256", step=-2)]]), "malformed_hash_chain"),
        ("evaluate", ("SHA-256", [[]] * (STEPS + 1)), "malformed_hash_chain"),
        ("evaluate", ("SHA-256", [[Value("SHA-256")] * (VALUES + 1)]), "malformed_hash_chain"),
        ("merge", ("SHA-256", []), ValueError),
        ("merge", ("SHA-256", [[b"a"], []]), ValueError),
        ("merge", ("SHA-1", [[b"a"], [b"b"]]), ValueError),
        ("merge", ("SHA-256", [[b"a"], [bytes(65)]]), "malformed_hash_chain"),
        ("merge", ("SHA-256", [[b"a"] * (VALUES + 1)]), "malformed_hash_chain"),
    ],
)
def test_refusals(verb: str, arguments: tuple[object, ...], refusal: object) -> None:
    assert agreed(verb, *arguments) == refusal


def test_a_minus_one_is_no_way_to_say_no_step() -> None:
    assert agreed("evaluate", "SHA-256", [[], [Value("SHA-256", step=-1)]]) == (
        "malformed_hash_chain"
    )


def test_how_deep_a_chain_may_be() -> None:
    def line(length: int) -> list[list[Value]]:
        return [[Value("SHA-256", step=i - 1) if i else Value("SHA-256")] for i in range(length)]

    assert isinstance(agreed("evaluate", "SHA-256", line(DEPTH)), bytes)
    assert agreed("evaluate", "SHA-256", line(DEPTH + 1)) == "malformed_hash_chain"


def test_a_step_that_everything_refers_to_is_hashed_once() -> None:
    """Without that, this would hash 2**60 times, or 25 times the work of both steps multiplied."""
    doubling = [[Value("SHA-256", b"x")]]
    doubling += [[Value("SHA-256", step=i), Value("SHA-256", step=i)] for i in range(60)]
    assert isinstance(native.evaluate("SHA-256", doubling), bytes)
    wide = [[Value("SHA-256", bytes(32))] * 5000, [Value("SHA-256", step=0)] * 5000]
    assert isinstance(native.evaluate("SHA-256", wide), bytes)
