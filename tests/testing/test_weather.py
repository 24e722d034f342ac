"""Winds harm octets as they say, by a seed, however the octets come."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.testing.weather import CALM, End, Gust, Wind

WINDS = st.builds(
    Wind,
    flips=st.none() | st.just((0, 5)) | st.just((3, 3)),
    after=st.sampled_from([(0, 0), (7, 7), (2, 40)]),
    end=st.sampled_from([None, "close", "half_close", "reset", "hang", "noise"]),
)


@given(WINDS, st.binary(max_size=60), st.integers(0, 60), st.integers(0, 3))
def test_the_harm_is_the_same_however_the_octets_come(
    wind: Wind, octets: bytes, cut: int, seed: int
) -> None:
    whole = Gust(wind, Random(seed))
    passed, kept = whole.feed(octets)
    pieces = Gust(wind, Random(seed))
    first, held = pieces.feed(octets[:cut])
    second, more = pieces.feed(octets[cut:])

    if wind.end == "noise":  # random octets are drawn piece by piece
        assert len(first + second) == len(octets) == len(passed)
        return
    assert first + second == passed
    assert held + more == kept
    assert len(passed + kept) == len(octets)
    assert pieces.ended == whole.ended


def test_calm_harms_nothing() -> None:
    gust = Gust(CALM, Random(1))
    assert gust.feed(b"as it came") == (b"as it came", b"")
    assert gust.ended is None


@pytest.mark.parametrize("end", ["close", "half_close", "reset", "hang"])
def test_an_end_comes_after_its_octets(end: End) -> None:
    gust = Gust(Wind(after=(4, 4), end=end), Random(1))
    heard = [(*gust.feed(octets), gust.ended) for octets in (b"one", b"two", b"three")]
    assert heard == [(b"one", b"", None), (b"t", b"wo", end), (b"", b"three", end)]


def test_noise_is_as_long_as_what_it_drowns() -> None:
    gust = Gust(Wind(after=(2, 2), end="noise"), Random(1))
    passed, kept = gust.feed(b"four and more")
    assert passed[:2] == b"fo"
    assert len(passed) == len(b"four and more")
    assert passed != b"four and more"
    assert kept == b""


def test_flips_turn_one_bit_in_so_many_octets() -> None:
    passed, _ = Gust(Wind(flips=(9, 9)), Random(1)).feed(bytes(100))
    assert [at for at, octet in enumerate(passed) if octet] == list(range(9, 100, 10))
    assert all(octet.bit_count() <= 1 for octet in passed)
