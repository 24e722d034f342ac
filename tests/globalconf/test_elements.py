"""Readers ask for elements by name; what is missing, repeated or of another type is refused."""

from __future__ import annotations

import pytest

from xgate.errors import Fault
from xgate.globalconf.elements import Node, decode_base64, malformed_as, open_document

HEAD = '<c:conf xmlns:c="http://x-road.eu/xsd/xroad.xsd">'


def conf(inside: str) -> Node:
    return open_document(f"{HEAD}{inside}</c:conf>".encode(), "conf")


def test_children_by_name_and_type() -> None:
    node = conf("<a>x<!-- y -->z</a><n> 7 </n><b>1</b><o>AQ\n  ID</o><o>BA==</o><e/>")
    assert node.text("a") == "xz"
    assert node.integer("n", least=1, most=9) == 7
    assert node.boolean("b", default=False)
    assert node.boolean("absent", default=True)
    assert node.all_octets("o") == (b"\1\2\3", b"\4")
    assert node.find_text("absent") is None
    assert node.text("e") == ""


@pytest.mark.parametrize(
    "ask",
    [
        lambda node: node.text("absent"),
        lambda node: node.text("twice"),
        lambda node: node.text("deep"),
        lambda node: node.node("absent"),
        lambda node: node.integer("word", least=0, most=9),
        lambda node: node.integer("large", least=0, most=9),
        lambda node: node.boolean("word", default=True),
        lambda node: node.octets("word"),
        lambda node: node.octets("empty"),
        lambda node: node.check_only("twice"),
    ],
)
def test_what_does_not_fit_is_refused(ask: object) -> None:
    node = conf(
        "<twice/><twice/><deep><x/></deep><word>wo?rd</word><large>99999999999</large><empty/>"
    )
    with pytest.raises(Fault):
        ask(node)  # type: ignore[operator]  # a lambda of the list above


def test_the_root_must_be_the_one_wanted() -> None:
    for document in (b"<conf/>", f"{HEAD}</c:conf>".replace("conf", "other").encode()):
        with pytest.raises(Fault, match="malformed_global_conf"):
            open_document(document, "conf")


def test_a_doctype_never_gets_in() -> None:
    with pytest.raises(Fault, match="invalid_xml"):
        open_document(b"<!DOCTYPE x>" + HEAD.encode() + b"</c:conf>", "conf")


@pytest.mark.parametrize("text", ["", "====", "A", "AQ=", "AQ==BA==", "AQ==\0", "Õ==="])
def test_only_base64_is_decoded(text: str) -> None:
    with pytest.raises(Fault):
        decode_base64(text)


def test_one_code_for_a_whole_reader() -> None:
    with pytest.raises(Fault) as caught, malformed_as("malformed_anchor", "anchor"):
        raise Fault("invalid_xml", "too deep")
    assert (caught.value.code, caught.value.text) == ("malformed_anchor", "anchor: too deep")
