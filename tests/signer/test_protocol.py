"""The signer's protocol: what is said is what is heard, however the octets are cut."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.signer.protocol import (
    VERSION,
    Answer,
    Counted,
    Done,
    FrameReader,
    Hello,
    ListedToken,
    ListTokens,
    Login,
    Logout,
    Noted,
    NoteRegistered,
    Octets,
    PublicAuthKey,
    PublicRing,
    PublicSignKey,
    Refused,
    Request,
    Signatures,
    SignDigests,
    Signed,
    SignSeal,
    SignTls,
    Statistics,
    TokenStates,
    Watch,
    Welcome,
    read_answer,
    read_request,
    write_frame,
)
from xgate.signer.token import TokenState

numbers = st.integers(0, 2**53)
texts = st.text(max_size=40)
some = st.binary(max_size=300)
states = st.builds(
    TokenState,
    texts,
    texts,
    st.sampled_from(["ok", "pin-locked", "not-initialized"]),
    st.booleans(),
    st.booleans(),
    info=st.dictionaries(texts, texts, max_size=3),
)
requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(Hello, numbers),
    st.builds(Watch),
    st.builds(SignSeal, numbers, some, some, st.lists(st.tuples(texts, some)).map(tuple)),
    st.builds(SignDigests, numbers, texts, st.lists(st.tuples(texts, texts, some)).map(tuple)),
    st.builds(SignTls, numbers, texts, texts, texts, some),
    st.builds(ListTokens, numbers),
    st.builds(Login, numbers, texts, texts),
    st.builds(Logout, numbers, texts),
    st.builds(NoteRegistered, numbers, st.lists(some).map(tuple)),
    st.builds(Statistics, numbers),
)
sign_keys = st.builds(PublicSignKey, texts, some, texts, texts, texts, texts)
answers: st.SearchStrategy[Answer] = st.one_of(
    st.builds(Welcome, numbers),
    st.builds(
        PublicRing,
        st.lists(sign_keys, max_size=3).map(tuple),
        st.lists(st.builds(PublicAuthKey, some), max_size=3).map(tuple),
    ),
    st.builds(Signed, numbers, some, st.none() | some, st.none() | some),
    st.builds(Octets, numbers, some),
    st.builds(Signatures, numbers, st.lists(some | st.tuples(texts, texts)).map(tuple)),
    st.builds(TokenStates, numbers, st.lists(st.builds(ListedToken, texts, states)).map(tuple)),
    st.builds(Counted, numbers, st.dictionaries(numbers, numbers, max_size=4)),
    st.builds(Noted, numbers, st.booleans()),
    st.builds(Done, numbers),
    st.builds(Refused, numbers, texts, texts),
)


def frames(octets: bytes, cuts: Sequence[int] = ()) -> list[bytes]:
    found: list[bytes] = []
    reader, at = FrameReader(), 0
    for cut in (*sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)):
        found += reader.feed(octets[at:cut])
        at = cut
    return found


@given(st.lists(requests, max_size=5), st.lists(st.integers(0, 1 << 20), max_size=20))
def test_requests_come_back_however_they_are_cut(said: list[Request], cuts: list[int]) -> None:
    octets = b"".join(map(write_frame, said))
    assert [read_request(frame) for frame in frames(octets, cuts)] == said


@given(st.lists(answers, max_size=5), st.lists(st.integers(0, 1 << 20), max_size=20))
def test_answers_come_back_however_they_are_cut(said: list[Answer], cuts: list[int]) -> None:
    octets = b"".join(map(write_frame, said))
    assert [read_answer(frame) for frame in frames(octets, cuts)] == said


@given(st.binary(max_size=200))
def test_noise_is_a_message_or_a_refusal(noise: bytes) -> None:
    for read in (read_request, read_answer):
        with suppress(Fault):
            read(noise)


@pytest.mark.parametrize(
    "message",
    [
        ["hello"],
        ["hello", VERSION],
        ["hello", "one"],
        ["hello", 1, 2],
        ["login", 1, "0"],
        ["sign-seal", 1, b"", b"", [["name"]]],
        ["Hello", 1],
        {"hello": 1},
        [[["hello"] * 5] * 5],
        ["ring", [], []],
    ],
)
def test_only_requests_are_requests(message: object) -> None:
    octets = msgspec.msgpack.encode(message)
    if message in (["hello"], ["hello", VERSION]):
        assert read_request(octets) == Hello()
        return
    with pytest.raises(Fault, match="no message of this protocol"):
        read_request(octets)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(Fault, match="no message of this protocol"):
        read_request(b"\x91" * 100_000)


def test_a_frame_that_would_be_too_large_is_refused_by_its_first_octets() -> None:
    reader = FrameReader(most=10)
    assert list(reader.feed(bytes([0, 0, 0, 10]) + bytes(10))) == [bytes(10)]
    with pytest.raises(Fault, match="11 octets is too large"):
        list(reader.feed(bytes([0, 0, 0, 11])))


def test_what_is_too_large_is_not_sent() -> None:
    with pytest.raises(Fault, match="too large"):
        write_frame(Octets(1, bytes(17 << 20)))


def test_a_pin_is_never_shown() -> None:
    assert repr(Login(7, "0", "Secret1234")) == "Login(7, '0')"
    octets = msgspec.msgpack.encode(["login", 1, "0", ["Secret1234"]])
    with pytest.raises(Fault) as caught:
        read_request(octets)
    assert "Secret" not in str(caught.value)
