"""Plain members: what is taken out of a document, and that it makes no difference."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf import shared as shared_module
from xgate.globalconf.plain import MARK, cut_members
from xgate.globalconf.rows import Rows
from xgate.globalconf.shared import SharedParameters, read_in_rows
from xgate.globalconf.shared_writer import write_shared

_PLAIN = (
    '<member id="a"><memberClass><code>COM</code><description/></memberClass>'
    "<memberCode>1</memberCode><name>One</name></member>"
).replace("<description/>", "<description></description>")


def country_of(members: str, root: str = "x:conf") -> bytes:
    return (
        f'<{root} xmlns:x="http://x-road.eu/xsd/xroad.xsd"><instanceIdentifier>XX'
        f"</instanceIdentifier>{members}<globalSettings><ocspFreshnessSeconds>1"
        f"</ocspFreshnessSeconds></globalSettings></{root.split()[0]}>"
    ).encode()


def result_of(data: bytes) -> tuple[SharedParameters, Rows] | str:
    """What is read, or the code of the refusal."""
    try:
        return read_in_rows(data)
    except Fault as fault:
        return fault.code


def both(data: bytes) -> list[tuple[SharedParameters, Rows] | str]:
    """The results with and without taking members out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_module, "cut_members", lambda data: (data, []))
        slow = result_of(data)
    return [result_of(data), slow]


def test_members_in_a_row_leave_one_mark(country: SharedParameters) -> None:
    left, runs = cut_members(write_shared(country))
    assert [[(plain[3], plain[4]) for plain in run] for run in runs] == [[("2", "Shop")]]
    assert left.count(MARK.encode()) == 1
    assert b"Register &amp; Co" in left  # an escape: the parser's
    assert b"Shop" not in left


def test_what_is_taken_is_told_in_full() -> None:
    data = country_of(
        '<member id="a">\n<memberClass>\t<code>COM</code><description>Com\n</description>'
        "</memberClass><memberCode> 1</memberCode><name></name>"
        '<subsystem id="b"><subsystemCode>s</subsystemCode></subsystem>'
        '<subsystem id="c"><subsystemCode>t</subsystemCode><subsystemName>õ𝄞</subsystemName>'
        "</subsystem>"
        '<subsystem id="d"><subsystemCode>u</subsystemCode><subsystemName></subsystemName>\n'
        "</subsystem></member>"
    )
    left, runs = cut_members(data)
    subsystems = [("b", "s", None), ("c", "t", "õ𝄞"), ("d", "u", "")]
    assert runs == [[("a", "COM", "Com\n", " 1", "", subsystems)]]
    assert left == country_of(f"<{MARK}/>")


@pytest.mark.parametrize(
    "old_new",
    [
        ("One", "O&amp;ne"),
        ("One", "O]]>ne"),
        ("One", "O\x00ne"),
        ("One", "O\x0bne"),
        ("One", "O\rne"),
        ("One", "O\uffffne"),
        ("One", "<b/>"),
        ("<name>", "<name >"),
        ("<name>", "<name x='y'>"),
        ("</name>", "</name><name>Two</name>"),
        ("</name>", "</name>text"),
        ('"a"', '" a"'),
        ('"a"', "'a'"),
        (' id="a"', ""),
        ("<memberCode>1</memberCode>", ""),
        ("<memberCode>1", "<memberCode>"),
        ("</member>", "</member >"),
        ("</member>", ""),
        ("One", "<!-- -->"),
        ("One", "<![CDATA[One]]>"),
        ("One", "<?a?>"),
    ],
)
def test_it_makes_no_difference_how_a_member_is_written(old_new: tuple[str, str]) -> None:
    data = country_of(_PLAIN.replace('id="a"', 'id="b"') + _PLAIN.replace(*old_new))
    fast, slow = both(data)
    assert fast == slow


@pytest.mark.parametrize(
    "data",
    [
        country_of(f"<new>{_PLAIN}</new>"),
        country_of(f"<new>{_PLAIN}</new><{MARK}/>"),
        country_of(f"<member>{_PLAIN}</member>"),
        country_of(f"<globalGroup>{_PLAIN}</globalGroup>"),
        country_of(f'<a b="{_PLAIN}"/>'),
        country_of(_PLAIN, 'x:conf xmlns="urn:else"'),
        country_of(_PLAIN, "x:conf xmlns='http://x-road.eu/xsd/xroad.xsd'"),
        country_of(_PLAIN + _PLAIN),  # one id
        country_of(_PLAIN) + _PLAIN.encode(),
        _PLAIN.encode() + country_of(_PLAIN),
        country_of(f"<!-- {_PLAIN} -->"),
        country_of(f"<![CDATA[{_PLAIN}]]>"),
        country_of(f"<?a {_PLAIN}?>"),
        f"<?a {_PLAIN}?>".encode() + country_of(_PLAIN),
        b"<!DOCTYPE conf []>" + country_of(_PLAIN),
        b"\xef\xbb\xbf" + country_of(_PLAIN),
        b'<?xml version="1.0" encoding="iso-8859-1"?>' + country_of(_PLAIN.replace("One", "õ")),
        b'<?xml version="1.0" encoding="us-ascii"?>' + country_of(_PLAIN.replace("One", "õ")),
        b'<?xml version="1.1"?>' + country_of(_PLAIN),
        country_of(_PLAIN).replace(b"One", b"\xff"),
        country_of(_PLAIN).decode().encode("utf-16"),
        country_of(_PLAIN + "<a>" * 101 + "</a>" * 101),
    ],
)
def test_it_makes_no_difference_where_a_member_is(data: bytes) -> None:
    fast, slow = both(data)
    assert fast == slow


def test_a_refusal_tells_of_the_document_as_it_came() -> None:
    data = country_of("\n" + _PLAIN + "\n<")
    with pytest.raises(Fault, match="line 3"):
        read_in_rows(data)


def test_what_is_too_large_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    data = country_of(_PLAIN + "<a/>")
    nodes = data.count(b"<") + data.count(b"=")
    monkeypatch.setattr("xgate.globalconf.elements._NODES", nodes)
    assert result_of(data) != "malformed_global_conf"
    monkeypatch.setattr("xgate.globalconf.elements._NODES", nodes - 1)
    assert result_of(data) == "malformed_global_conf"


@pytest.mark.reference
def test_of_what_central_servers_wrote_all_members_are_taken(golden: Path) -> None:
    files = [path for path in golden.rglob("shared-params.xml") if path.stat().st_size > 1000]
    written = 0
    for path in files:
        data = path.read_bytes()
        fast, slow = both(data)
        assert fast == slow
        if b"<!--" not in data:  # those with remarks were written by people
            assert sum(map(len, cut_members(data)[1])) == data.count(b"<member ") > 0
            written += 1
    assert written > 5


_TOKEN = re.compile(rb"<[^>]*>|[^<]+")


_ODD = [
    b" ",
    b"&amp;",
    b"&#0;",
    b"<a/>",
    b"<!-- -->",
    b"\r",
    b"\xff",
    b"]]>",
    b"<%s/>" % MARK.encode(),
]


def shuffled(random: Random, data: bytes) -> bytes:
    """The document with some of its tags and texts lost, doubled, replaced, or beside odd ones."""
    tokens = _TOKEN.findall(data)
    for _ in range(random.randrange(4)):
        at = random.randrange(len(tokens))
        changes: list[list[bytes]] = [
            [],
            [tokens[at]] * 2,
            [random.choice(tokens)],
            [tokens[at], random.choice(_ODD)],
        ]
        tokens[at : at + 1] = random.choice(changes)
    return b"".join(tokens)


@settings(deadline=None, max_examples=500)
@given(st.randoms(use_true_random=False))
def test_what_is_read_and_refused_is_the_same_without_it(
    country: SharedParameters, random: Random
) -> None:
    data = write_shared(country).replace(b"Register &amp; Co", b"Register")
    fast, slow = both(shuffled(random, data))
    assert fast == slow
