from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.algorithms import SHA512
from xgate.testing.pki import issue_tsa, make_ca, make_rsa_key
from xgate.testing.responders import answer_timestamp
from xgate.trust import der
from xgate.trust.cms import SIGNED_DATA, SignedData, with_certificate
from xgate.trust.der import DerError
from xgate.trust.timestamp import TST_INFO, read_timestamp_response, write_timestamp_request

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT = 10_000
CA = make_ca("CMS tests")
TSA = issue_tsa(CA, "CMS tests, TSA")
OTHER = issue_tsa(CA, "CMS tests, other TSA")
IMPRINT = SHA512.of(b"stamped")
TOKEN = read_timestamp_response(
    answer_timestamp(write_timestamp_request(IMPRINT), TSA, AT, 7), IMPRINT
)


def test_signed_data_is_read_and_its_signer_proven() -> None:
    signed = SignedData.load(TOKEN, LIMIT)
    assert signed.content_type == TST_INFO
    assert signed.signer.id.names(TSA.certificate)
    assert not signed.signer.id.names(OTHER.certificate)
    assert signed.signer.signing_time == AT
    assert signed.signed_by(TSA.certificate)
    assert not signed.signed_by(OTHER.certificate)
    assert signed.der == TOKEN


def test_a_signer_can_be_named_by_its_key(tmp_path: Path) -> None:
    """OpenSSL signs; we read both ways of naming the signer."""
    (tmp_path / "data").write_bytes(b"some data")
    key = TSA.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key").write_bytes(key)
    (tmp_path / "cert").write_bytes(TSA.certificate.der)
    for flags in ([], ["-keyid"]):
        subprocess.run(
            [
                *(
                    "openssl",
                    "cms",
                    "-sign",
                    "-binary",
                    "-nodetach",
                    "-md",
                    "sha384",
                    "-outform",
                    "DER",
                ),
                *("-in", str(tmp_path / "data"), "-out", str(tmp_path / "signed")),
                *(
                    "-signer",
                    str(tmp_path / "cert"),
                    "-inkey",
                    str(tmp_path / "key"),
                    "-econtent_type",
                ),
                *("1.2.840.113549.1.9.16.1.4", *flags),
            ],
            check=True,
            capture_output=True,
        )
        signed = SignedData.load((tmp_path / "signed").read_bytes(), LIMIT)
        assert signed.content == b"some data"
        assert (signed.signer.id.issuer is None) == bool(flags)
        assert signed.signer.id.names(TSA.certificate)
        assert not signed.signer.id.names(OTHER.certificate)
        assert signed.signed_by(TSA.certificate)


def test_certificates_are_added_once_and_in_order() -> None:
    once = with_certificate(TOKEN, TSA.certificate)
    assert with_certificate(once, TSA.certificate) == once
    both = with_certificate(once, OTHER.certificate)
    assert both == with_certificate(with_certificate(TOKEN, OTHER.certificate), TSA.certificate)
    signed = SignedData.load(both, LIMIT)
    assert signed.signed_by(TSA.certificate)
    assert signed.signer == SignedData.load(TOKEN, LIMIT).signer


def changed(token: bytes, change: tuple[bytes, bytes]) -> bytes:
    """The token with one piece of it replaced, the lengths around it made right again."""
    old, new = change
    assert token.count(old) == 1

    def rewrite(element: der.Element) -> bytes:
        if element.raw == old:
            return new
        if not element.tag & 0x20 or old not in element.content:
            return element.raw
        return der.encode(element.tag, *map(rewrite, der.Cursor(element.content)))

    return rewrite(der.read(token))


def signer_info() -> der.Element:
    info = der.enter(TOKEN)
    info.take(der.OID)
    signed = der.enter(info.take(der.context(0)).content)
    *_, signers = list(signed)
    return der.read(signers.content)


def test_two_signers_or_none_are_unreadable() -> None:
    one = signer_info().raw
    for several in (der.encode(der.SET, one, one), der.encode(der.SET)):
        with pytest.raises(DerError):
            SignedData.load(changed(TOKEN, (der.encode(der.SET, one), several)), LIMIT)


def test_doubled_attributes_are_unreadable() -> None:
    attributes = next(e for e in der.Cursor(signer_info().content) if e.tag == der.context(0))
    first = next(iter(der.Cursor(attributes.content))).raw
    doubled = der.encode(attributes.tag, first, attributes.content)
    with pytest.raises(DerError, match="doubled"):
        SignedData.load(changed(TOKEN, (attributes.raw, doubled)), LIMIT)


def test_without_the_content_type_attribute_nothing_is_signed() -> None:
    signed = SignedData.load(TOKEN, LIMIT)
    for oid in signed.signer.attributes:
        fewer = {k: v for k, v in signed.signer.attributes.items() if k != oid}
        signer = msgspec.structs.replace(signed.signer, attributes=fewer)
        partial = msgspec.structs.replace(signed, signer=signer)
        essential = oid in ("1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4")
        assert partial.signed_by(TSA.certificate) != essential


def test_a_weak_digest_is_unreadable() -> None:
    weak = bytes.fromhex("300906052b0e03021a0500")
    signer = signer_info()
    named = list(der.Cursor(signer.content))[2].raw
    doubled = signer.raw.replace(named, weak)
    with pytest.raises(DerError):
        SignedData.load(changed(TOKEN, (signer.raw, doubled)), LIMIT)


def test_another_content_info_is_no_signed_data() -> None:
    oid = der.write_oid(SIGNED_DATA)
    with pytest.raises(DerError, match="not signed data"):
        SignedData.load(changed(TOKEN, (oid, der.write_oid("1.2.840.113549.1.7.1"))), LIMIT)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_garbage_is_only_refused(data: bytes) -> None:
    for octets in (data, TOKEN[:60] + data):
        with pytest.raises(DerError):
            SignedData.load(octets, LIMIT)


def test_a_key_of_another_kind_does_not_verify() -> None:
    other = issue_tsa(CA, "CMS tests, TSA", key=make_rsa_key("cms rsa"))
    assert not SignedData.load(TOKEN, LIMIT).signed_by(other.certificate)
