"""The one door for XML: what it lets in, what it refuses, and that both readers agree."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xgate.errors import Fault
from xgate.wire.names import read_text
from xgate.wire.xml import (
    NAMESPACE,
    TOLD,
    Bounds,
    check_size,
    find_utf16,
    is_plain,
    parse,
    scan,
)

BOMB = (
    b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]><a>&y;</a>'
)


BOUNDS = Bounds()


class Notes:
    """A scanner that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def start(self, name: str, attributes: dict[str, str], offset: int) -> bool:
        self.heard.append(("start", name, attributes, offset))
        return name != "passed"

    def end(self, name: str, offset: int) -> None:
        self.heard.append(("end", name, offset))

    def text(self, text: str) -> None:
        self.heard.append(("text", text))


def heard(data: bytes, bounds: Bounds = BOUNDS) -> list[tuple[object, ...]]:
    notes = Notes()
    scan(data, notes, bounds=bounds)
    return notes.heard


def test_a_tree_keeps_comments_and_instructions() -> None:
    root = parse(b"<!-- a --><?b c?><d><!-- e --><?f?></d>")
    assert etree.tostring(root.getroottree()) == b"<!-- a --><?b c?><d><!-- e --><?f?></d>"


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("<a>õ</a>".encode(), "õ"),
        (b"\xef\xbb\xbf" + "<a>õ</a>".encode(), "õ"),
        (b"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?>" + "<a>õ</a>".encode(), "õ"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><a>õ</a>'.encode("latin-1"), "õ"),
        ('<?xml version="1.0" encoding="iso-8859-15"?><a>€</a>'.encode("iso-8859-15"), "€"),
        (b'<?xml version="1.0" encoding="US-ASCII" standalone="yes" ?>\n<a>&#245;</a>', "õ"),
    ],
)
def test_encodings_a_tree_is_built_from(document: bytes, text: str) -> None:
    assert parse(document).text == text


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"   ",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"text",
        b"<a b='1' b='2'/>",
        b"<x:a/>",
        b"<a xmlns:x='u' xmlns:y='u' x:b='1' y:b='2'/>",
        b"<a>&unknown;</a>",
        b"<!DOCTYPE a><a/>",
        b"\xef\xbb\xbf \n<!-- --><?p?> <!DOCTYPE a><a/>",
        BOMB,
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>',
        b"<!-- never closed",
        b"<?never closed",
        b"<!-->-->",
        b"<a>\xff</a>",
        b"<a>\x00</a>",
        b"<a>&#0;</a>",
        "<a/>".encode("utf-7") + b"+",
        b"<a/>\x00<!DOCTYPE a>",
        b'<?xml version="1.0" encoding="UTF-7"?><a/>',
        b'<?xml version="1.0" encoding="no-such-thing"?><a/>',
        b'\xef\xbb\xbf<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
        b"<a>" * 101 + b"</a>" * 101,
        b"<passed>" + b"<a>" * 100 + b"</a>" * 100 + b"</passed>",
        b"<a>" + b"<b/>" * 1_000_001 + b"</a>",
        b"<a" + b" b=''" * 1_000_001 + b"/>",
        b"<!---->" * 1001 + b"<a/>",
        b"<a xmlns='u" + b"u" * NAMESPACE + b"'/>",
        b'<a><b xmlns:c="' + b"u" * (NAMESPACE + 1) + b'" c:d=""/></a>',
        b'<a xmlns:c=\n\t "' + b"u'" * NAMESPACE + b'"/>',
        b"<a xmlns:c = '" + b'u"' * NAMESPACE + b"'/>",
    ],
    ids=lambda document: repr(document[:24]),
)
def test_both_readers_refuse(document: bytes) -> None:
    with pytest.raises(Fault) as tree:
        parse(document)
    with pytest.raises(Fault) as events:
        heard(document)
    assert (tree.value.code, events.value.code) == ("invalid_xml", "invalid_xml")


@pytest.mark.parametrize(
    "document",
    [
        "<a/>".encode("utf-16"),
        "<a/>".encode("utf-16-le"),
        "<a/>".encode("utf-16-be"),
        b'<?xml version="1.0" encoding="UTF-16"?><a/>',
        b'<?xml version="1.0" encoding="EBCDIC-CP-US"?><a/>',
        b'<?xml version="1.1"?><a/>',
        b'<?xml encoding="UTF-8"?><a/>',
    ],
    ids=range(7),
)
def test_a_tree_is_not_built_from(document: bytes) -> None:
    with pytest.raises(Fault, match="invalid_xml"):
        parse(document)


def test_a_hundred_levels_are_fine() -> None:
    document = b"<a>" * 100 + b"</a>" * 100
    assert parse(document).tag == "a"
    assert len(heard(document)) == 200


def test_size_is_bounded() -> None:
    assert parse(b"<a/>", limit=4).tag == "a"
    with pytest.raises(Fault, match="larger than 3 bytes"):
        parse(b"<a/>", limit=3)
    with pytest.raises(Fault, match="larger than 3 bytes"):
        scan(b"<a/>", Notes(), limit=3)


def test_events_carry_names_and_places() -> None:
    document = b"\xef\xbb\xbf<p:a xmlns:p='u' p:c='1' d='2'>x<b xmlns='v'/>y</p:a >"
    assert heard(document) == [
        ("start", "{u}a", {"{u}c": "1", "d": "2"}, document.index(b"<p:a")),
        ("text", "x"),
        ("start", "{v}b", {}, document.index(b"<b")),
        ("end", "{v}b", document.index(b"/>") + 2),
        ("text", "y"),
        ("end", "{u}a", document.index(b"</p:a")),
    ]


@pytest.mark.parametrize("name", ["utf-16", "utf-16-le", "utf-16-be", "iso-8859-4", "cp1257"])
def test_places_count_octets_in_every_encoding(name: str) -> None:
    declared = {"cp1257": "windows-1257", "iso-8859-4": "ISO-8859-4"}.get(name, "UTF-16")
    document = f'<?xml version="1.0" encoding="{declared}"?><!-- š --><a>ž</a>'.encode(name)
    start, text, end = heard(document)
    mark = "<a>".encode(name).removeprefix(b"\xff\xfe")
    assert start == ("start", "a", {}, document.index(mark))
    assert text == ("text", "ž")
    assert end[2] == start[3] + len(mark) + len("ž".encode(name).removeprefix(b"\xff\xfe"))


@pytest.mark.parametrize("name", ["utf-16", "utf-16-be", "utf-16-le", "ascii"])
def test_a_doctype_hides_in_no_encoding(name: str) -> None:
    document = ("<!-- x -->\n" + BOMB.decode()).encode(name)
    with pytest.raises(Fault, match="document type"):
        heard(document)


def test_what_is_passed_over_is_read_and_not_told() -> None:
    inside = b"<b c='d'>e<passed/></b><!-- f -->g"
    assert heard(b"<a>h<passed>" + inside + b"</passed>i<j/></a>") == [
        ("start", "a", {}, 0),
        ("text", "h"),
        ("start", "passed", {}, 4),
        ("text", "i"),
        ("start", "j", {}, 56),
        ("end", "j", 60),
        ("end", "a", 60),
    ]
    for broken in (b"<b></c>", b"<x:b/>", b"&x;", b"<b xmlns='" + b"u" * 600 + b"'/>"):
        with pytest.raises(Fault):
            heard(b"<passed>" + broken + b"</passed>")


def test_a_thousand_elements_cost_one_call_when_they_are_passed_over() -> None:
    assert len(heard(b"<a><passed>" + b"<b>c</b>" * 1000 + b"</passed></a>")) == 3


def test_few_elements_are_told() -> None:
    passed = b"<passed>" + b"<b/>" * TOLD + b"</passed>"
    assert len(heard(b"<a>" + b"<b/>" * (TOLD - 2) + passed + b"</a>")) == 2 * TOLD - 1
    with pytest.raises(Fault, match="more than 10000 elements"):
        heard(b"<a>" + b"<b/>" * (TOLD - 1) + passed + b"</a>")


@pytest.mark.parametrize(
    ("bounds", "fits", "more", "text"),
    [
        (Bounds(depth=2), b"<a><b/></a>", b"<a><b><c/></b></a>", "nested deeper than 2"),
        (
            Bounds(depth=3),
            b"<a><passed><c/></passed></a>",
            b"<a><passed><c><d/></c></passed></a>",
            "nested deeper than 3",
        ),
        (Bounds(nodes=4), b"<a b='c'></a>", b"<a b='c'><d/></a><!-- -->", "more than 4 tags"),
        (Bounds(told=2), b"<a><b/></a>", b"<a><b/><b/></a>", "more than 2 elements"),
        (Bounds(namespace=3), b"<a xmlns='uri'/>", b"<a xmlns='urns'/>", "longer than 3 char"),
    ],
)
def test_bounds_are_the_callers(bounds: Bounds, fits: bytes, more: bytes, text: str) -> None:
    assert heard(fits, bounds)
    with pytest.raises(Fault, match=f"invalid_xml: .*{text}"):
        heard(more, bounds)
    assert heard(more.removesuffix(b"<!-- -->"))


def test_long_words_are_no_long_namespaces() -> None:
    document = b"<a b='" + b"c" * 9999 + b"'>\"" + b"d" * 9999 + b"</a>"
    assert parse(document).get("b") == "c" * 9999
    name = "u" * NAMESPACE
    assert parse(f"<a xmlns='{name}'>{document.decode()}</a>".encode()).tag == f"{{{name}}}a"
    assert heard(f"<a xmlns='{name}'/>".encode())[0][1] == f"{{{name}}}a"


def test_utf_16_is_seen_by_its_first_octets() -> None:
    assert find_utf16("<a/>".encode("utf-16-le")) == find_utf16(b"\xff\xfe") == "utf-16-le"
    assert find_utf16("<a/>".encode("utf-16-be")) == find_utf16(b"\xfe\xff") == "utf-16-be"
    assert find_utf16(b"<a/>") is find_utf16(b"") is None


def test_the_words_doctype_in_content_are_only_words() -> None:
    document = b"<a><![CDATA[<!DOCTYPE html><html/>]]></a>"
    assert parse(document).text == "<!DOCTYPE html><html/>"
    assert ("text", "<!DOCTYPE html><html/>") in heard(document)


def test_the_handlers_own_fault_passes_as_it_is() -> None:
    class Picky(Notes):
        def start(self, name: str, attributes: dict[str, str], offset: int) -> bool:
            raise Fault("duplicate_header_field", name)

    with pytest.raises(Fault, match="duplicate_header_field: a"):
        scan(b"<a><b></a>", Picky())
    with pytest.raises(Fault, match="invalid_soap"):
        scan(b"<a>", Notes(), code="invalid_soap")


markup = st.lists(
    st.sampled_from(
        (
            *("<a>", "</a>", "<b c='d'/>", "<!--", "-->", "<?x", "?>", "<!DOCTYPE a>", "&amp;"),
            *("&x;", "<![CDATA[", "]]>", "<?xml version='1.0'?>", "\ufeff", "õ", " ", "\0"),
            *("x:", "<", ">"),
        )
    ),
    max_size=12,
).map("".join)


@given(markup, st.sampled_from(["utf-8", "utf-16", "utf-16-be", "utf-16-le"]))
@settings(max_examples=100, deadline=None)
def test_garbage_meets_only_faults_and_what_is_a_tree_is_also_events(text: str, name: str) -> None:
    data = text.encode(name)
    try:
        root = parse(data)
    except Fault:
        root = None
    try:
        events = heard(data)
    except Fault:
        events = None
    if root is not None:
        assert events is not None
        starts = [event[1] for event in events if event[0] == "start"]
        assert starts == [element.tag for element in root.iter(etree.Element)]


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_octets_meet_only_faults(data: bytes) -> None:
    for read in (parse, heard):
        with suppress(Fault):
            read(data)


_LEAF = st.text(alphabet=" \t\n\rx&é", max_size=5)


def _written(text: str, random: Random) -> bytes:
    """A text as it may stand in a document, now and then divided."""
    pieces = [b"&amp;" if letter == "&" else letter.encode() for letter in text]
    if random.random() < 0.3:
        new = random.choice(
            [b"<!---->", b"<?p?>", b"<![CDATA[ ]]>", b"&#32;", b"&#13;", b" " * 400]
        )
        pieces.insert(random.randrange(len(pieces) + 1), new)
    return b"".join(pieces)


@settings(max_examples=500)
@given(st.lists(_LEAF, max_size=6), st.randoms(use_true_random=False), st.booleans())
def test_without_layout_every_text_is_the_same(
    texts: list[str], random: Random, indented: bool
) -> None:
    blanks = b"\n  " if indented else b""
    inside = b"".join(blanks + b"<t>" + _written(text, random) + b"</t>" for text in texts)
    head = random.choice([b"", b'<?xml version="1.0"?>\n', b"\xef\xbb\xbf", b"<!-- -->", b"<?p?>"])
    data = head + b"<a>" + inside + blanks + b"</a>" + random.choice([b"", b"\n", b"<?p?>"])
    whole, bare = parse(data), parse(data, layout=False)
    assert [read_text(one) for one in bare] == [read_text(one) for one in whole]
    if indented and texts and b"<!" not in data and b"\r" not in data and b"<?p" not in data:
        assert bare.text is None


@pytest.mark.parametrize(
    ("data", "plain"),
    [
        (b"<a>?!</a>", True),
        (b"\xef\xbb\xbf<a/>", True),
        (b"<?xml version='1.0'?><a/>", True),
        (b"<?xml version='1.0' encoding='utf-8'?><a>what? no!</a>", True),
        (b"<?xml version='1.0' encoding='us-ascii'?><a/>", False),
        (b"<a><!-- --></a>", False),
        (b"<a><![CDATA[]]></a>", False),
        (b"<?xml version='1.0'?><a><?b?></a>", False),
        (b"<a><?b?></a>", False),
        (b"<a>\r\n</a>", False),
    ],
)
def test_plain_is_what_has_tags_and_texts_alone(data: bytes, plain: bool) -> None:
    assert is_plain(data) == plain


def test_size_is_octets_and_nodes() -> None:
    check_size(b"<a b='c'/>", limit=10, nodes=2)
    for limit, nodes, text in ((9, 2, "larger than 9 bytes"), (10, 1, "more than 1 tags")):
        with pytest.raises(Fault, match=text) as refusal:
            check_size(b"<a b='c'/>", limit=limit, nodes=nodes, code="of_our_own")
        assert refusal.value.code == "of_our_own"
