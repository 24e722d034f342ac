"""XML in the central server's form: indented, escaped, and nothing that XML cannot carry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.elements import open_document
from xgate.globalconf.xmltext import Tag, base64_tag, client_tag, maybe_tag, write_document
from xgate.ids import ClientId


def test_the_form_of_a_document() -> None:
    data = write_document(
        "conf",
        (
            Tag("a", 'x < y & z > "q"', (("id", 'a"<&'),)),
            Tag("b", (base64_tag("c", b"\1\2\3"), *maybe_tag("d", None), *maybe_tag("e", ""))),
            Tag("f", ()),
            client_tag("g", ClientId("I", "C", "M", "S")),
        ),
    )
    assert data.decode() == (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<ns3:conf xmlns:ns2="http://x-road.eu/xsd/identifiers"'
        ' xmlns:ns3="http://x-road.eu/xsd/xroad.xsd">\n'
        '    <a id="a&quot;&lt;&amp;">x &lt; y &amp; z &gt; "q"</a>\n'
        "    <b>\n"
        "        <c>AQID</c>\n"
        "        <e></e>\n"
        "    </b>\n"
        "    <f/>\n"
        '    <g ns2:objectType="SUBSYSTEM">\n'
        "        <ns2:xRoadInstance>I</ns2:xRoadInstance>\n"
        "        <ns2:memberClass>C</ns2:memberClass>\n"
        "        <ns2:memberCode>M</ns2:memberCode>\n"
        "        <ns2:subsystemCode>S</ns2:subsystemCode>\n"
        "    </g>\n"
        "</ns3:conf>\n"
    )


@given(st.text(max_size=20))
def test_text_comes_back_or_is_refused(text: str) -> None:
    try:
        data = write_document("conf", (Tag("a", text),))
    except Fault:
        assert any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 or ord(c) >= 0xFFFE for c in text)
        return
    assert open_document(data, "conf").text("a") == text


@pytest.mark.parametrize("char", ["\0", "\x0b", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_cannot_carry(char: str) -> None:
    with pytest.raises(Fault, match="malformed_global_conf"):
        write_document("conf", (Tag("a", char),))
