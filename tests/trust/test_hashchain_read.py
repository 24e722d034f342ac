"""Documents that hold to the schema are read; whatever else is said is malformed_hash_chain."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xgate._native.hashchain import STEPS, VALUES
from xgate.algorithms import SHA512, digest_named
from xgate.errors import Fault
from xgate.trust.hashchain_read import ChainResult, ChainValue, Transform, read_chain, read_result

SHA256 = digest_named("SHA-256")
URI_256 = "http://www.w3.org/2001/04/xmlenc#sha256"
URI_512 = "http://www.w3.org/2001/04/xmlenc#sha512"
METHOD = f'<d:DigestMethod Algorithm="{URI_256}"/>'
DEFAULT = f'<DefaultDigestMethod Algorithm="{URI_512}"/>'
VALUE = "<d:DigestValue>AAEC</d:DigestValue>"
HASH = f"<HashValue>{VALUE}</HashValue>"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
NAMESPACES = 'xmlns="http://cyber.ee/hashchain" xmlns:d="http://www.w3.org/2000/09/xmldsig#"'


def chain(inside: str, attributes: str = "") -> bytes:
    return f"<HashChain {NAMESPACES}{attributes}>{inside}</HashChain>".encode()


def step(inside: str, identity: str = "A") -> bytes:
    return chain(f'{DEFAULT}<HashStep id="{identity}">{inside}</HashStep>')


def result(inside: str, attributes: str = ' URI="/c.xml#A"') -> bytes:
    return f"<HashChainResult {NAMESPACES}{attributes}>{inside}</HashChainResult>".encode()


def test_every_kind_of_value() -> None:
    read = read_chain(
        step(
            f"<HashValue>{METHOD}{VALUE}</HashValue>"
            '<StepRef URI="/other.xml#B"/>'
            f'<DataRef URI="/message.xml">{VALUE}</DataRef>'
            f'<DataRef URI="/a">{METHOD}<d:Transforms><d:Transform Algorithm="{C14N}"/>'
            f'<d:Transform Algorithm="{EXC}"><e:InclusiveNamespaces xmlns:e="{EXC}"'
            f' PrefixList="x #default"/></d:Transform></d:Transforms>{VALUE}</DataRef>'
        )
    )
    assert read.steps == {
        "A": (
            ChainValue("HashValue", "", b"\0\1\2", SHA256),
            ChainValue("StepRef", "/other.xml#B", b"", SHA512),
            ChainValue("DataRef", "/message.xml", b"\0\1\2", SHA512),
            ChainValue(
                "DataRef",
                "/a",
                b"\0\1\2",
                SHA256,
                (Transform(C14N), Transform(EXC, ("x", "#default"))),
            ),
        )
    }


@pytest.mark.parametrize(
    "document",
    [
        chain(""),
        chain(DEFAULT),
        chain(f"{DEFAULT}<HashStep/>"),
        chain(f"{DEFAULT}<HashStep>{HASH}</HashStep><HashStep>{HASH}</HashStep>"),
        chain(f"<!-- a -->{DEFAULT}<?p i?>\n <HashStep id='A'> <!-- b --> {HASH}\n</HashStep>"),
        step("<HashValue><d:DigestValue> AA\n EC </d:DigestValue></HashValue>"),
        step("<HashValue><d:DigestValue/></HashValue>"),
        step(HASH, "õ-1.x_"),
    ],
)
def test_what_the_schema_allows(document: bytes) -> None:
    read_chain(document)


def test_a_value_may_be_without_an_algorithm_until_it_is_needed() -> None:
    read = read_chain(chain(f'<HashStep id="A">{HASH}</HashStep>'))
    assert read.steps["A"][0].method is None


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<HashChain/>",
        b"<!DOCTYPE x>" + chain(""),
        chain("") + b"x",
        b'<h:HashChain xmlns:h="http://cyber.ee/hashchain2"/>',
        result(METHOD + VALUE),
        chain("text"),
        chain("", ' a="b"'),
        chain(DEFAULT * 2),
        chain(f'<HashStep id="A">{HASH}</HashStep>{DEFAULT}'),
        chain("<DefaultDigestMethod/>"),
        chain(f'<d:DefaultDigestMethod Algorithm="{URI_512}"/>'),
        chain(f'<DefaultDigestMethod Algorithm="{URI_512}"><x/></DefaultDigestMethod>'),
        chain('<DefaultDigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/>'),
        chain('<DefaultDigestMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#md5"/>'),
        chain('<DefaultDigestMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#sha224"/>'),
        chain('<DefaultDigestMethod Algorithm="SHA-512"/>'),
        chain(f'{DEFAULT}<Step id="A"/>'),
        chain(f'{DEFAULT}<HashStep Id="A"/>'),
        chain(f'{DEFAULT}<HashStep id="A"/><HashStep id="A"/>'),
        chain(f'{DEFAULT}<HashStep id="1"/>'),
        chain(f'{DEFAULT}<HashStep id="a:b"/>'),
        chain(f'{DEFAULT}<HashStep id=""/>'),
        step("text"),
        step(VALUE),
        step("<HashValue/>"),
        step(f"<HashValue>{VALUE}{VALUE}</HashValue>"),
        step(f"<HashValue>{VALUE}{METHOD}</HashValue>"),
        step(f"<HashValue>{METHOD}{METHOD}{VALUE}</HashValue>"),
        step(f'<HashValue URI="x">{VALUE}</HashValue>'),
        step(f"<HashValue><d:Transforms/>{VALUE}</HashValue>"),
        step(f"<HashValue><d:Transforms><x/></d:Transforms>{VALUE}</HashValue>"),
        step(f"<HashValue><d:Transforms><d:Transform/></d:Transforms>{VALUE}</HashValue>"),
        step("<HashValue><DigestValue>AAEC</DigestValue></HashValue>"),
        step("<HashValue><d:DigestValue>AAE</d:DigestValue></HashValue>"),
        step("<HashValue><d:DigestValue>A A=E</d:DigestValue></HashValue>"),
        step("<HashValue><d:DigestValue>AA-_</d:DigestValue></HashValue>"),
        step("<HashValue><d:DigestValue>õõõõ</d:DigestValue></HashValue>"),
        step("<HashValue><d:DigestValue>AA<!-- -->EC</d:DigestValue></HashValue>"),
        step('<HashValue><d:DigestValue x="y">AAEC</d:DigestValue></HashValue>'),
        step("<StepRef/>"),
        step(f'<StepRef URI="#A">{VALUE}</StepRef>'),
        step(f"<DataRef>{VALUE}</DataRef>"),
        step('<DataRef URI="/m"/>'),
        step('<StepRef xmlns="" URI="#A"/>'),
        step(HASH * (VALUES + 1)),
        chain("<HashStep/>" * (STEPS + 1)),
    ],
)
def test_what_the_schema_does_not_allow(document: bytes) -> None:
    with pytest.raises(Fault) as refused:
        read_chain(document)
    assert refused.value.code == "malformed_hash_chain"
    assert len(refused.value.text) < 400


def test_a_result() -> None:
    assert read_result(result(METHOD + VALUE)) == ChainResult("/c.xml#A", SHA256, b"\0\1\2")
    assert read_result(result(VALUE)).method is None


@pytest.mark.parametrize(
    "document",
    [
        result(""),
        result(METHOD),
        result(VALUE + METHOD),
        result(METHOD + VALUE, ""),
        result(METHOD + VALUE + HASH),
        result(METHOD + VALUE, ' URI="/c.xml#A" id="x"'),
        chain(""),
    ],
)
def test_what_is_no_result(document: bytes) -> None:
    with pytest.raises(Fault) as refused:
        read_result(document)
    assert refused.value.code == "malformed_hash_chain"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 400), st.integers(0, 30))
def test_garbage_is_refused_and_nothing_else(noise: bytes, at: int, cut: int) -> None:
    document = step(HASH + f'<DataRef URI="/message.xml">{VALUE}</DataRef>')
    for spoilt in (noise, document[:at] + noise + document[at + cut :]):
        with suppress(Fault):
            read_chain(spoilt)
        with suppress(Fault):
            read_result(spoilt)


PIECES = st.sampled_from(
    [
        DEFAULT,
        METHOD,
        VALUE,
        HASH,
        f"<HashValue>{METHOD}{VALUE}</HashValue>",
        f'<StepRef URI="#A">{METHOD}</StepRef>',
        f'<DataRef URI="/m">{METHOD}{VALUE}</DataRef>',
        f"<DataRef>{VALUE}</DataRef>",
        '<HashStep id="A"/>',
        "<HashStep/>",
        "<d:Transforms/>",
        "<d:X509Data/>",
        "<!---->",
        "text",
    ]
)
MIXED = st.lists(PIECES, max_size=4).map("".join)


@pytest.mark.reference
def test_what_we_read_is_valid_by_the_schema(golden: Path) -> None:
    schema = etree.XMLSchema(etree.parse(golden / "schemas" / "hashchain.xsd"))

    @settings(max_examples=100, deadline=None)
    @given(st.one_of(st.builds(chain, MIXED), st.builds(step, MIXED), st.builds(result, MIXED)))
    def compare(document: bytes) -> None:
        valid = schema.validate(etree.fromstring(document))
        read = read_result if b"HashChainResult" in document else read_chain
        try:
            read(document)
        except Fault:
            assert not valid
        else:
            assert valid

    compare()
