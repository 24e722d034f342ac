"""Canonical XML, rule by rule: the C file and its twin say the same, and what the W3C says."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from xgate._native import c14n, twin_c14n
from xgate.errors import Fault

Canonicalise = Callable[..., bytes]
BOTH = pytest.mark.parametrize(
    "canonicalise", [c14n.canonicalise, twin_c14n.canonicalise], ids=["native", "twin"]
)
DS = "{http://www.w3.org/2000/09/xmldsig#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
MIB = 1024 * 1024


# What the canonical form of a whole document is.


@BOTH
@pytest.mark.parametrize(
    ("document", "expected"),
    [
        # Canonical XML 1.0, 3.1: what is outside the root is no part of an element's subtree
        (b"<?xml version='1.0'?>\n<?p q?><a>1</a><!-- c --><?r?>", b"<a>1</a>"),
        (b"\xef\xbb\xbf<?xml version='1.0' encoding='Utf-8' standalone='no' ?><a/>", b"<a></a>"),
        (b"<?xml-stylesheet href='x'?><a/>", b"<a></a>"),
        # 3.2 and 3.3: white space in content stays, in tags it goes
        (b"<a >\n  <b\n/> </a\t>", b"<a>\n  <b></b> </a>"),
        (b"<a  c = '1'\n b\n=\"2\" />", b'<a b="2" c="1"></a>'),
        (b"<a\nb='1'\r\nxmlns='urn:x'/>", b'<a xmlns="urn:x" b="1"></a>'),
        # line ends
        (b"<a>1\r\n2\r3\n4\r\r\n5</a>", b"<a>1\n2\n3\n4\n\n5</a>"),
        (b"<a><!--1\r\n2\r3--><?p 1\r\n2\r3?></a>", b"<a><!--1\n2\n3--><?p 1\n2\n3?></a>"),
        (b"<a><![CDATA[1\r\n2\r3]]></a>", b"<a>1\n2\n3</a>"),
        # 3.4: references, CDATA and escaping
        (b"<a>&#13;&#xD;&#9;&#xa;&#x20;</a>", b"<a>&#xD;&#xD;\t\n </a>"),
        (b"<a>&lt;&gt;&amp;&quot;&apos;>'\"</a>", b"<a>&lt;&gt;&amp;\"'&gt;'\"</a>"),
        (b"<a>]]&gt; ]] ]></a>", b"<a>]]&gt; ]] ]&gt;</a>"),
        (
            b"<a><![CDATA[<&>&amp;&#13;]]]]><![CDATA[>]]></a>",
            b"<a>&lt;&amp;&gt;&amp;amp;&amp;#13;]]&gt;</a>",
        ),
        (b"<a><![CDATA[]]></a>", b"<a></a>"),
        (
            "<a>&#xe4;&#228;&#x1F600;ä&#0000000000000000000000065;</a>".encode(),
            "<a>ää😀äA</a>".encode(),
        ),
        # attribute values: white space becomes blanks unless it was written as a reference
        (b"<a b='1\t2\n3\r\n4\r5'/>", b'<a b="1 2 3 4 5"></a>'),
        (b"<a b='&#9;&#10;&#13;'/>", b'<a b="&#x9;&#xA;&#xD;"></a>'),
        (b"<a b='&lt;>&gt;&amp;\"&quot;&apos;'/>", b'<a b="&lt;>>&amp;&quot;&quot;\'"></a>'),
        (b"<a b=\"'\" c=''/>", b'<a b="\'" c=""></a>'),
        # instructions
        (b"<a><?p?><?p ?><?p  q  ?><?p \t?><?p ??></a>", b"<a><?p?><?p?><?p q  ?><?p?><?p ??></a>"),
        # namespaces: order by prefix, superfluous ones go, the default one can be taken back
        (
            b"<a xmlns:b='urn:b' xmlns:B='urn:B' xmlns='urn:d'/>",
            b'<a xmlns="urn:d" xmlns:B="urn:B" xmlns:b="urn:b"></a>',
        ),
        (b"<a xmlns='urn:d'><b xmlns='urn:d'/></a>", b'<a xmlns="urn:d"><b></b></a>'),
        (b"<a xmlns=''><b xmlns=''/></a>", b"<a><b></b></a>"),
        (
            b"<a xmlns='urn:d'><b xmlns=''><c/></b><d/></a>",
            b'<a xmlns="urn:d"><b xmlns=""><c></c></b><d></d></a>',
        ),
        (
            b"<a xmlns:p='urn:1'><b xmlns:p='urn:2'><c xmlns:p='urn:1'/></b></a>",
            b'<a xmlns:p="urn:1"><b xmlns:p="urn:2"><c xmlns:p="urn:1"></c></b></a>',
        ),
        (b"<a xmlns:p='urn:a&amp;b&#x63;'/>", b'<a xmlns:p="urn:a&amp;bc"></a>'),
        (
            b"<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='et'/>",
            b'<a xml:lang="et"></a>',
        ),
        # attributes: by namespace name, then local name; those in no namespace first
        (
            b"<a xmlns:p='urn:z' xmlns:q='urn:y' p:b='1' q:c='2' q:a='3' b='4' xml:a='' B='6'/>",
            b'<a xmlns:p="urn:z" xmlns:q="urn:y" B="6" b="4" xml:a="" q:a="3" q:c="2" p:b="1"></a>',
        ),
        ("<ä é='1' z='2'/>".encode(), '<ä z="2" é="1"></ä>'.encode()),
    ],
)
def test_a_document_in_canonical_form(
    canonicalise: Canonicalise, document: bytes, expected: bytes
) -> None:
    assert canonicalise(document, comments=True) == expected
    assert canonicalise(expected, comments=True) == expected


def test_names_are_those_of_the_fifth_edition() -> None:  # expat, so the twin: the fourth
    document = "<ꙁ 𐐀='1' ꙁ='2' z='3'/>".encode()
    assert c14n.canonicalise(document) == '<ꙁ z="3" ꙁ="2" 𐐀="1"></ꙁ>'.encode()
    for name in ("·", "\u0300", "\u037e", "÷", "a\u2010"):
        with pytest.raises(Fault):
            c14n.canonicalise(f"<{name}/>".encode())


@BOTH
def test_comments_go_unless_they_are_asked_for(canonicalise: Canonicalise) -> None:
    document = b"<!--0--><a>1<!-- 2 -->3<b><!----></b></a>"
    assert canonicalise(document) == b"<a>13<b></b></a>"
    assert canonicalise(document, comments=True) == b"<a>1<!-- 2 -->3<b><!----></b></a>"


# What an element takes over from the document around it.

NESTED = (
    b'<r xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q" xml:lang="et" xml:base="x">'
    b'<p:a xml:lang="en" xmlns:q="urn:q2"><b xmlns="" q:c="1"/>tail</p:a><e/></r>'
)


@BOTH
@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (
            1,
            b'<p:a xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q2" xml:base="x" xml:lang="en">'
            b'<b xmlns="" q:c="1"></b>tail</p:a>',
        ),
        (2, b'<b xmlns:p="urn:p" xmlns:q="urn:q2" xml:base="x" xml:lang="en" q:c="1"></b>'),
        (3, b'<e xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q" xml:base="x" xml:lang="et"></e>'),
    ],
)
def test_the_inclusive_form_inherits_namespaces_and_xml_attributes(
    canonicalise: Canonicalise, element: int, expected: bytes
) -> None:
    assert canonicalise(NESTED, element) == expected


@BOTH
@pytest.mark.parametrize(
    ("element", "prefixes", "expected"),
    [
        (1, (), b'<p:a xmlns:p="urn:p" xml:lang="en"><b xmlns:q="urn:q2" q:c="1"></b>tail</p:a>'),
        (
            1,
            ("q", "unknown", "xml"),
            b'<p:a xmlns:p="urn:p" xmlns:q="urn:q2" xml:lang="en"><b q:c="1"></b>tail</p:a>',
        ),
        (
            1,
            ("#default",),
            b'<p:a xmlns="urn:d" xmlns:p="urn:p" xml:lang="en">'
            b'<b xmlns="" xmlns:q="urn:q2" q:c="1"></b>tail</p:a>',
        ),
        (2, ("p", "p", ""), b'<b xmlns:p="urn:p" xmlns:q="urn:q2" q:c="1"></b>'),
        (3, (), b'<e xmlns="urn:d"></e>'),
    ],
)
def test_the_exclusive_form_declares_what_is_used_and_what_is_listed(
    canonicalise: Canonicalise, element: int, prefixes: tuple[str, ...], expected: bytes
) -> None:
    assert canonicalise(NESTED, element, exclusive=True, prefixes=prefixes) == expected


@BOTH
def test_a_prefix_list_means_nothing_to_the_inclusive_form(canonicalise: Canonicalise) -> None:
    assert canonicalise(NESTED, 2, prefixes=["p"]) == canonicalise(NESTED, 2)


@BOTH
def test_the_exclusive_form_declares_again_in_every_branch(canonicalise: Canonicalise) -> None:
    document = (
        b"<r xmlns:p='urn:1'><p:a><p:b/></p:a><p:c xmlns:p='urn:2'><p:d xmlns:p='urn:2'/></p:c></r>"
    )
    assert canonicalise(document, exclusive=True) == (
        b'<r><p:a xmlns:p="urn:1"><p:b></p:b></p:a><p:c xmlns:p="urn:2"><p:d></p:d></p:c></r>'
    )


@BOTH
def test_the_example_of_exclusive_canonicalisation_2_2(canonicalise: Canonicalise) -> None:
    bare = b'<n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2>'
    soap = (
        b'<n0:pdu xmlns:n0="http://a.example" xmlns:n3="ftp://b.example" xml:space="preserve">'
        + bare
        + b"</n0:pdu>"
    )
    expected = bare.replace(b"/></n1", b"></n3:stuff></n1")
    assert canonicalise(bare, exclusive=True) == canonicalise(soap, 1, exclusive=True) == expected
    assert canonicalise(soap, 1) != canonicalise(bare)


@BOTH
def test_an_element_that_is_not_there(canonicalise: Canonicalise) -> None:
    with pytest.raises(Fault, match="no element of that index") as caught:
        canonicalise(b"<a><b/></a>", 2)
    assert caught.value.code == "invalid_xml"


# What is refused. lxml is asked too; where it is more liberal, the reason why we are not.

PREFIXED = b"<a xmlns:p='urn:x' xmlns:q='urn:x' %s/>"
REFUSED_BY_ALL = [
    b"",
    b" ",
    b"<a>",
    b"<a",
    b"<a b",
    b"<a b=",
    b"<a b='",
    b"<a/",
    b"</a>",
    b"<a></b>",
    b"<a></a",
    b"<a></a b='1'>",
    b"<a><b></a></b>",
    b"<a/><b/>",
    b"<a/>text",
    b"text<a/>",
    b"<a/>&#32;",
    b"<a/><![CDATA[]]>",
    b"< a/>",
    b"<1/>",
    b"<-a/>",
    b"<a b/>",
    b"<a b=1/>",
    b"<a b='1'c='2'/>",
    b"<a b='1' b='2'/>",
    b"<a b='<'/>",
    b"<a b='&'/>",
    b"<a ,b='1'/>",
    b"<a>&nbsp;</a>",
    b"<a>&</a>",
    b"<a>& amp;</a>",
    b"<a>&amp</a>",
    b"<a>&#;</a>",
    b"<a>&#x;</a>",
    b"<a>&#xG;</a>",
    b"<a>&#X41;</a>",
    b"<a>&#0;</a>",
    b"<a>&#8;</a>",
    b"<a>&#xD800;</a>",
    b"<a>&#xFFFE;</a>",
    b"<a>&#x110000;</a>",
    b"<a>&#99999999999999999999;</a>",
    b"<a>&#18446744073709551681;</a>",  # 65 modulo 2 ** 64
    b"<a>\x01</a>",
    b"<a>\x00</a>",
    b"<a b='\x1f'/>",
    b"<a>\xff</a>",
    b"<a>\xc0\x80</a>",  # overlong
    b"<a>\xe0\x80\xaf</a>",
    b"<a>\xed\xa0\x80</a>",  # a surrogate
    b"<a>\xef\xbf\xbe</a>",  # U+FFFE
    b"<a>\xf4\x90\x80\x80</a>",  # above U+10FFFF
    b"<a>\xc3</a>",
    b"<a/>\xe2\x82",
    b"<a>]]></a>",
    b"<a><![CDATA[</a>",
    b"<a><![CDATA[]]</a>",
    b"<a><![cdata[]]></a>",
    b"<a><!-- -- --></a>",
    b"<a><!-- ---></a>",
    b"<a><!--></a>",
    b"<a><!- x --></a>",
    b"<a/><!--",
    b"<a><??></a>",
    b"<a><?p",
    b"<a><?p>?</a>",
    b"<a><?p?q?></a>",
    b"<a><?xml version='1.0'?></a>",
    b"<a><?XmL?></a>",
    b"<a><?p:q r?></a>",
    b" <?xml version='1.0'?><a/>",
    b"<?xml?><a/>",
    b"<?xml encoding='UTF-8'?><a/>",
    b"<?xml version='1.0'encoding='UTF-8'?><a/>",
    b"<?xml version='1.0' encoding=''?><a/>",
    b"<?xml version='1.0' standalone='maybe'?><a/>",
    b"<?xml version='1.0' standalone='yes' encoding='UTF-8'?><a/>",
    b"<?xml version='1.0\"?><a/>",
    b"<?xml version='1.0' ><a/>",
    b"<p:a/>",
    b"<a p:b='1'/>",
    b"<:a/>",
    b"<a :b='1'/>",
    b"<a b:='1'/>",
    b"<p:b:c xmlns:p='urn:x'/>",
    b"<p:1 xmlns:p='urn:x'/>",
    b"<xmlns:a/>",
    PREFIXED % b"p:b='1' q:b='2'",
    PREFIXED % b"xmlns:p='urn:x'",
    PREFIXED % b"p:='1'",
    b"<a xmlns='urn:x' xmlns='urn:x'/>",
    b"<a xmlns:p=''/>",
    b"<a xmlns:xml='urn:x'/>",
    b"<a xmlns:xmlns='urn:x'/>",
    b"<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>",
    b"<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
    b"<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
    b"<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
    b"<a xmlns:p='urn:x'><b xmlns:q='urn:y'/><q:c/></a>",  # out of scope again
    b"<a xmlns:p='relative'/>",
    b"<a xmlns='../x'/>",
    b"<a xmlns=' '/>",
    b"<a xmlns='1:x'/>",
    b"<a xmlns=':x'/>",
    b"<a xmlns='urn:a b'/>",
    b"<a xmlns='urn:{x}'/>",
    "<a xmlns='urn:ä'/>".encode(),
    b"<a xmlns='http://www.w3.org/2000/xmlns/'/>",
]
REFUSED_THOUGH_LXML_TAKES_IT = [
    (b"<!DOCTYPE a><a/>", "a DTD is a way to entities and files"),
    (b"<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "the same"),
    (b"<?xml version='1.1'?><a/>", "its line ends and names are others"),
    (b"<?xml version='1.0' encoding='US-ASCII'?><a/>", "one encoding, one meaning of the octets"),
    (b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe4</a>", "the same"),
    ("<a/>".encode("utf-16"), "the same"),
    ("<?xml version='1.0' encoding='UTF-16'?><a/>".encode("utf-16"), "the same"),
]


@BOTH
@pytest.mark.parametrize("document", REFUSED_BY_ALL)
def test_what_is_not_well_formed_is_refused(canonicalise: Canonicalise, document: bytes) -> None:
    with pytest.raises(Fault) as caught:
        canonicalise(document)
    assert caught.value.code == "invalid_xml"
    with pytest.raises((etree.XMLSyntaxError, etree.C14NError)):
        etree.tostring(etree.fromstring(document), method="c14n")


@BOTH
@pytest.mark.parametrize(("document", "why"), REFUSED_THOUGH_LXML_TAKES_IT)
def test_what_lxml_takes_is_refused_with_reason(
    canonicalise: Canonicalise, document: bytes, why: str
) -> None:
    assert etree.tostring(etree.fromstring(document), method="c14n"), why
    with pytest.raises(Fault) as caught:
        canonicalise(document)
    assert caught.value.code == "invalid_xml"


@BOTH
def test_an_error_after_the_element_counts_too(canonicalise: Canonicalise) -> None:
    with pytest.raises(Fault):
        canonicalise(b"<a><b/><c></a>", 1)


def test_the_cause_and_its_place_are_told() -> None:
    with pytest.raises(Fault, match="an end tag that closes nothing, at octet 6"):
        c14n.canonicalise(b"<a><b></a>")


# Limits: what is refused before it can cost much.


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


def attributes(n: int) -> bytes:
    return b"<a " + b" ".join(b"b%d='%d'" % (i, i) for i in range(n)) + b"/>"


def prefixes(n: int) -> bytes:
    tags = [
        b"<b %s/>" % b" ".join(b"xmlns:p%d='urn:x'" % i for i in range(first, min(first + 200, n)))
        for first in range(0, n, 200)
    ]
    return b"<a>%s</a>" % b"".join(tags)


def namespace(n: int) -> bytes:
    return b"<a xmlns='urn:%s'/>" % (b"x" * (n - 4))


def size(n: int) -> bytes:
    return b"<a>%s</a>" % (b"x" * (n - 7))


@BOTH
@pytest.mark.parametrize(
    ("document_of", "limit"),
    [(nested, 100), (attributes, 256), (prefixes, 4094), (namespace, 512), (size, 10 * MIB)],
)
def test_a_limit_is_kept_and_not_passed(
    canonicalise: Canonicalise, document_of: Callable[[int], bytes], limit: int
) -> None:
    assert canonicalise(document_of(limit)).startswith(b"<a")
    with pytest.raises(Fault):
        canonicalise(document_of(limit + 1))


@BOTH
def test_the_exclusive_form_cannot_be_made_to_explode(canonicalise: Canonicalise) -> None:
    document = b"<a xmlns:p='urn:%s'>%s</a>" % (b"x" * 500, b"<p:b/>" * 130_000)
    assert len(canonicalise(document)) < 3 * MIB
    with pytest.raises(Fault, match="a canonical form that is too long"):
        canonicalise(document, exclusive=True)


def filled(head: bytes, unit: bytes, tail: bytes) -> bytes:
    return head + unit * ((10 * MIB - len(head) - len(tail)) // len(unit)) + tail


def hostile() -> dict[str, tuple[bytes, bool]]:
    """Documents of 10 MiB that make a careless canonicaliser quadratic."""
    long = b"urn:" + b"x" * 507
    decls = b" ".join(b"xmlns:n%d='urn:x'" % i for i in range(250))
    deep = b"".join(
        b"<b %s>" % b" ".join(b"xmlns:n%dx%d='urn:x'" % (i, k) for k in range(250))
        for i in range(16)
    )
    mixed = b" ".join(b"%c:a%d=''" % (b"pq"[i % 2], i // 2) for i in range(254))
    two = b"<a xmlns:p='%s1' xmlns:q='%s2'>" % (long, long)
    return {
        "declarations": (filled(b"<a>", b"<b %s/>" % decls, b"</a>"), False),
        "wide scope": (filled(deep, b"<n0x1:b/>", b"</b>" * 16), True),
        "long names": (filled(two, b"<b %s/>" % mixed, b"</a>"), True),
        "closings": (filled(b"<a><?p ", b">", b"?></a>"), False),
        "dashes": (filled(b"<a><!--", b"- ", b"--></a>"), False),
        "brackets": (filled(b"<a><![CDATA[", b"]>", b"]]></a>"), False),
        "zeros": (filled(b"<a>&#", b"0", b"65;</a>"), False),
    }


def test_hostile_documents_take_no_longer_than_others() -> None:
    for name, (document, exclusive) in hostile().items():
        began = time.process_time()
        c14n.canonicalise(document, exclusive=exclusive)
        assert time.process_time() - began < 2, name  # 0.1 s as a rule; hours if quadratic


# What the reference signed.


def subtrees(document: bytes) -> list[tuple[int, etree._Element]]:
    return list(enumerate(etree.fromstring(document).iter(etree.Element)))


def lxml_form(element: etree._Element, *, exclusive: bool) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=exclusive, with_comments=False)


@pytest.mark.reference
def test_signatures_of_the_reference_in_every_form(golden: Path) -> None:
    seen = 0
    for path in sorted(golden.glob("signatures/**/*.xml")):
        document = path.read_bytes()
        try:
            elements = subtrees(document)
        except etree.XMLSyntaxError:
            with pytest.raises(Fault):
                c14n.canonicalise(document)
            continue
        for index, element in elements:
            for exclusive in (False, True):
                ours = c14n.canonicalise(document, index, exclusive=exclusive)
                assert ours == lxml_form(element, exclusive=exclusive)
                assert ours == twin_c14n.canonicalise(document, index, exclusive=exclusive)
                seen += 1
    assert seen > 500


@pytest.mark.reference
def test_messages_of_the_reference(golden: Path) -> None:
    seen = 0
    for path in sorted(golden.glob("messages/**/*")):
        document = path.read_bytes() if path.is_file() else b""
        if not document.lstrip().startswith(b"<"):
            continue
        try:
            ours = c14n.canonicalise(document)
        except Fault:
            with pytest.raises(Fault):
                twin_c14n.canonicalise(document)
            continue
        assert ours == twin_c14n.canonicalise(document)
        for index, element in subtrees(document)[1:]:  # the root's would have its surroundings
            assert c14n.canonicalise(document, index) == lxml_form(element, exclusive=False)
        seen += 1
    assert seen > 20


def text_of(element: etree._Element, path: str) -> bytes:
    found = element.find(path)
    assert found is not None
    assert found.text
    return base64.b64decode(found.text)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["sign-0.xml", "batch-sig.xml", "non-batch-sig/signatures.xml"])
def test_a_signature_of_the_reference_verifies(golden: Path, name: str) -> None:
    document = (golden / "signatures" / name).read_bytes()
    elements = subtrees(document)
    root = elements[0][1]

    (info,) = [i for i, element in elements if element.tag == DS + "SignedInfo"]
    method = root.find(f".//{DS}CanonicalizationMethod")
    assert method is not None
    exclusive = "xml-exc-c14n" in method.attrib["Algorithm"]
    certificate = x509.load_der_x509_certificate(text_of(root, f".//{DS}X509Certificate"))
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signed = c14n.canonicalise(document, info, exclusive=exclusive)
    value = text_of(root, f".//{DS}SignatureValue")
    key.verify(value, signed, padding.PKCS1v15(), hashes.SHA512())

    ((index, properties),) = [(i, e) for i, e in elements if e.tag == XADES + "SignedProperties"]
    (reference,) = root.findall(f".//{DS}Reference[@URI='#{properties.get('Id')}']")
    exclusive = reference.find(f"{DS}Transforms") is not None
    octets = c14n.canonicalise(document, index, exclusive=exclusive)
    assert hashlib.sha512(octets).digest() == text_of(reference, f"{DS}DigestValue")
