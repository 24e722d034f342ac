"""A document as text that reads back the same, and as facts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xgate.cli.document_text import (
    facts_of_document,
    read_document_file,
    with_certificates,
    write_document_text,
)
from xgate.cli.output import Unusable
from xgate.securityserver.client_settings import (
    AllowSettings,
    ClientSettings,
    DescriptionSettings,
    Document,
    GroupSettings,
    ReadService,
    ServiceSettings,
)
from xgate.testing.pki import make_ca

CA = make_ca("information system").certificate
WHOLE = Document(
    (
        ClientSettings(
            "XG/GOV/2/reg",
            "NOSSL",
            service=(
                ServiceSettings(
                    "people",
                    "http://h/",
                    disabled="",
                    description="http://h/o",
                    endpoints=("GET /a",),
                    allow=("XG/COM/1", AllowSettings("group:XG/all", "GET", "/a/*")),
                ),
                ServiceSettings("getX", "http://h/", "SOAP", "v1", 5.0, verify_tls=False),
            ),
            description=(
                DescriptionSettings("http://h/w", services=(ReadService("a", "http://h/", "v2"),)),
                DescriptionSettings("http://h/o", "OPENAPI3", "o", endpoints=("GET /x",)),
            ),
            group=(GroupSettings("friends", ("XG/COM/1",)),),
        ),
        ClientSettings("XG/GOV/2"),
    ),
    ("http://tsa/",),
)


def test_what_was_written_reads_back_the_same(tmp_path: Path) -> None:
    for number, document in enumerate((WHOLE, Document())):
        path = tmp_path / f"{number}.toml"
        path.write_text(write_document_text(document))
        assert read_document_file(path) == document


def test_what_is_at_its_default_is_not_written() -> None:
    text = write_document_text(Document((ClientSettings("XG/GOV/2"),)))
    assert text.strip().splitlines() == ["[[client]]", 'id = "XG/GOV/2"']


def test_certificates_are_taken_into_the_document(tmp_path: Path) -> None:
    (tmp_path / "is.pem").write_bytes(CA.der)
    document = Document((ClientSettings("XG/GOV/2", certificates=("is.pem",)),))
    taken = with_certificates(document, tmp_path)
    (pem,) = taken.client[0].certificates
    assert pem.startswith("-----BEGIN CERTIFICATE-----\n")
    assert with_certificates(taken, Path("/nowhere")) == taken
    assert f"client XG/GOV/2 certificate sha256 {CA.sha256.hex()}" in facts_of_document(taken)


@pytest.mark.parametrize(
    ("content", "text"), [(None, "Cannot read"), (b"nothing", "is no certificate")]
)
def test_a_certificate_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, text: str
) -> None:
    if content is not None:
        (tmp_path / "is.pem").write_bytes(content)
    with pytest.raises(Unusable, match=text):
        with_certificates(Document((ClientSettings("XG/A/B", certificates=("is.pem",)),)), tmp_path)


def test_a_file_that_is_no_document_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("clients = []\n")
    with pytest.raises(Unusable, match="unknown key 'clients'; did you mean 'client'"):
        read_document_file(path)


def test_everything_is_a_fact() -> None:
    facts = facts_of_document(WHOLE)
    what = "client XG/GOV/2/reg"
    assert facts["timestamping services"] == "http://tsa/"
    assert facts[f"{what} authentication"] == "NOSSL"
    assert facts[f"{what} service people disabled"] == ""
    assert facts[f"{what} service getX version v1 timeout"] == "5 s"
    assert f"{what} service people allows group:XG/all: GET /a/*" in facts
    assert f"{what} service people allows XG/COM/1: * **" in facts
    assert facts[f"{what} description http://h/w service a version v2"] == "http://h/"
    assert f"{what} description http://h/o endpoint GET /x" in facts
    assert f"{what} group friends member XG/COM/1" in facts
    changed = msgspec.structs.replace(WHOLE, timestamping_services=None)
    assert facts_of_document(changed) != facts


@pytest.mark.parametrize(
    "more",
    [
        {"type": "OPENAPI3"},
        {"code": "x"},
        {"service_url": "http://read/"},  # pinned where it was read to be
        {"timeout_seconds": 1.0},
        {"verify_tls": False},
        {"disabled": ""},
        {"allow": ("XG/COM/1",)},
        {"services": (ReadService("b", "http://h/", "c"),)},
        {"endpoints": ("GET /a",)},
        {"read_url": "http://other/"},
    ],
    ids=str,
)
def test_no_change_of_a_description_goes_unnoticed(more: dict[str, Any]) -> None:
    one = DescriptionSettings("http://h/", code="a", read_url="http://read/")
    two = msgspec.structs.replace(one, **more)
    old, new = (
        facts_of_document(Document((ClientSettings("XG/GOV/2", description=(described,)),)))
        for described in (one, two)
    )
    assert old != new


def test_services_are_told_apart_whatever_their_codes_and_versions() -> None:
    one, two = ServiceSettings("a.b", "http://h/"), ServiceSettings("a", "http://h/", version="b")
    old, new = (
        facts_of_document(Document((ClientSettings("XG/GOV/2", service=(service,)),)))
        for service in (one, two)
    )
    assert old.keys().isdisjoint(new.keys() - {"client XG/GOV/2 authentication"})


@given(st.text(max_size=50))
@example("out of order until\xa0Monday\u2028\x80")
def test_a_text_of_any_characters_is_shown_so_that_it_can_be_applied_again(text: str) -> None:
    service = ServiceSettings("a", "http://h/", disabled=text)
    document = Document((ClientSettings("XG/GOV/2", service=(service,)),))
    shown = write_document_text(document)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown.splitlines() == shown.removesuffix("\n").split("\n")
    assert msgspec.convert(tomllib.loads(shown), Document) == document


def test_a_key_in_place_of_a_certificate_is_not_told(tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY----- secret"
    with pytest.raises(Unusable, match="is no certificate") as refused:
        with_certificates(Document((ClientSettings("XG/GOV/2", certificates=(key,)),)), tmp_path)
    assert "secret" not in str(refused.value)
    with pytest.raises(Unusable, match="cannot be a file's name"):
        with_certificates(Document((ClientSettings("XG/GOV/2", certificates=("a\0b",)),)), tmp_path)
