"""The request hash goes in where ``id`` ends, and nothing else moves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.wire.soap_message import Place
from xgate.wire.soap_splice import splice_request_hash
from xgate.wire.xml import scan

URI = "http://www.w3.org/2001/04/xmlenc#sha512"
X = 'xmlns:x="http://x-road.eu/xsd/xroad.xsd"'


class Places:
    """Where ``id`` and ``requestHash`` stand, as the scanner says."""

    def __init__(self, octets: bytes) -> None:
        self.found: dict[str, Place] = {}
        self.texts: dict[str, str] = {}
        self._open: list[tuple[str, int]] = []
        self._last = ""
        scan(octets, self)

    def start(self, name: str, attributes: dict[str, str], offset: int) -> bool:
        self._open.append((name.rpartition("}")[2], offset))
        return True

    def text(self, text: str) -> None:
        name = self._open[-1][0]
        self.texts[name] = self.texts.get(name, "") + text

    def end(self, name: str, offset: int) -> None:
        local, start = self._open.pop()
        self.found[local] = Place(start, offset)


def splice(document: str, encoding: str = "utf-8") -> str:
    octets = document.encode(encoding)
    places = Places(octets).found
    spliced = splice_request_hash(octets, places["id"], places.get("requestHash"), "aGFzaA==")
    again = Places(spliced.octets)
    assert again.found["id"] == spliced.id_place
    assert again.found["requestHash"] == spliced.request_hash_place
    assert again.texts["requestHash"] == "aGFzaA=="
    twice = splice_request_hash(
        spliced.octets, spliced.id_place, spliced.request_hash_place, "aGFzaA=="
    )
    assert twice == spliced
    return spliced.octets.decode(encoding)


@pytest.mark.parametrize(
    ("document", "new"),
    [
        (f"<h {X}><x:id>1</x:id>|</h>", f'<x:requestHash algorithmId="{URI}">'),
        (f"<h {X}><x:id/>|</h>", f'<x:requestHash algorithmId="{URI}">'),
        (f"<h {X}><x:id\n />|</h>", f'<x:requestHash algorithmId="{URI}">'),
        (f"<h {X}><x:id></x:id\n>|</h>", f'<x:requestHash algorithmId="{URI}">'),
        (f"<h {X}><x:id>/></x:id>|</h>", f'<x:requestHash algorithmId="{URI}">'),
        (
            f"<h {X}><x:id><![CDATA[</x:id>]]><!-- </x:id> --></x:id>|</h>",
            f'<x:requestHash algorithmId="{URI}">',
        ),
        ("<h><id xmlns='urn:x'>1</id>|</h>", f"<requestHash xmlns='urn:x' algorithmId=\"{URI}\">"),
        ("<h xmlns='urn:x'><id>1</id>|</h>", f'<requestHash algorithmId="{URI}">'),
        (
            "<h><x:id xmlns:x='urn:x' xsi:type='s:t>'\n\txmlns:xsi = \"urn:i\">1</x:id>|</h>",
            "<x:requestHash xmlns:x='urn:x' xsi:type='s:t>'\n\txmlns:xsi = \"urn:i\""
            f' algorithmId="{URI}">',
        ),
        (
            f"<h {X}><x:id algorithmId='a' x:algorithmId='b'>1</x:id>|</h>",
            f"<x:requestHash x:algorithmId='b' algorithmId=\"{URI}\">",
        ),
        (f"<h {X}> \n\t<x:id>1</x:id>|\n</h>", f' \n\t<x:requestHash algorithmId="{URI}">'),
        (f"<h {X}> <x:id/>|{{ <x:requestHash>old</x:requestHash>}}</h>", " <x:requestHash algori"),
        (f"<h {X}>{{<x:requestHash/>}}<x:id/>|</h>", f'<x:requestHash algorithmId="{URI}">'),
        (f"<h {X}>a{{ \n<x:requestHash/>}} <x:id/>|</h>", " <x:requestHash algorithmId"),
        (f"<h {X}><x:id/>|a{{<x:requestHash a='>'></x:requestHash>}}b</h>", "<x:requestHash alg"),
        (
            "<h><à:id xmlns:à='ü'>ñ</à:id>|</h>",
            f"<à:requestHash xmlns:à='ü' algorithmId=\"{URI}\">",
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_new_element_and_what_it_copies(document: str, new: str, encoding: str) -> None:
    """``|`` is where it goes, ``{}`` holds what must go."""
    kept, removed = document, ""
    if "{" in document:
        before, _, rest = document.partition("{")
        removed, _, after = rest.partition("}")
        kept = before + after
    original = document.replace("|", "").replace("{", "").replace("}", "")
    spliced = splice(original, encoding)
    place = kept.index("|")
    assert spliced.startswith(kept[:place] + new)
    assert spliced.endswith("requestHash>" + kept[place + 1 :])
    assert removed == "" or removed not in spliced


def test_a_byte_order_mark_of_utf_8_is_dropped() -> None:
    assert splice(f"\ufeff<h {X}><x:id/></h>").startswith("<h")
    assert splice(f"\ufeff<h {X}><x:requestHash/><x:id/></h>").startswith("<h")


def test_removing_never_makes_a_document_malformed() -> None:
    assert "]] >" in splice(f"<h {X}><x:id/>]]<x:requestHash/>></h>")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "windows-1252"])
def test_octets_of_other_encodings_pass_through(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding}"?><h {X} a="õ"><x:id b="é">õ</x:id>ä</h>'
    assert f'<x:requestHash b="é" algorithmId="{URI}">' in splice(document, encoding)


blanks = st.text(" \t\r\n", max_size=4)
attributes = st.lists(
    st.sampled_from([" a='>'", '\n b="/"', "\talgorithmId='x'", " xsi:t =\r\n''"]), unique=True
)
contents = st.lists(
    st.sampled_from(["õ", "/>", "]", ">", "<![CDATA[<]]>", "<!-- < -->", "&#13;", "<b/>", "<?p?>"]),
    max_size=4,
    unique=True,
).map("".join)


def elements(name: str) -> st.SearchStrategy[str]:
    tag = st.tuples(attributes, blanks).map(lambda parts: name + "".join(parts[0]) + parts[1])
    full = st.tuples(tag, contents, blanks).map(lambda p: f"<{p[0]}>{p[1]}</{name}{p[2]}>")
    return tag.map(lambda text: f"<{text}/>") | full


@settings(max_examples=100, deadline=None)
@given(
    st.permutations([0, 1, 2]),
    elements("x:id"),
    st.just("") | elements("x:requestHash"),
    contents,
    st.lists(blanks, min_size=4, max_size=4),
    st.sampled_from(["utf-8", "utf-16"]),
)
def test_any_legal_form_stays_legal(
    order: list[int], query_id: str, old: str, more: str, gaps: list[str], encoding: str
) -> None:
    pieces = [query_id, old, more]
    inner = "".join(gap + pieces[place] for gap, place in zip(gaps, order, strict=False))
    document = f"<h {X} xmlns:xsi='urn:i'>{inner}{gaps[3]}</h>"
    spliced = splice(document, encoding)
    assert spliced.count(query_id) == 1
    assert spliced.count("<x:requestHash") == 1
