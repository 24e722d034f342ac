"""Requests of keys on tokens: remembered once, signed whenever they are wanted."""

from __future__ import annotations

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from xgate.algorithms import DIGESTS
from xgate.errors import Fault
from xgate.signer.csr import find_request, make_request, remember_request
from xgate.signer.entries import KeyEntry, StoredRequest
from xgate.signer.software import SoftwareToken

KEY = ec.generate_private_key(ec.SECP256R1())
TOKEN = SoftwareToken({"K": ("label", KEY)})
SUBJECT = (("C", "FI"), ("O", "COM"), ("CN", "Code"))
(DIGEST,) = (digest for digest in DIGESTS if digest.name == "SHA-256")
ASKED = StoredRequest("", "FI/COM/1", SUBJECT, "ss1.example.com", "Ejbca")


def test_the_first_request_decides_the_use() -> None:
    entry = remember_request(KeyEntry("K", "", None), "SIGNING", ASKED)
    assert entry.usage == "SIGNING"
    with pytest.raises(Fault, match="is for SIGNING, so not for AUTHENTICATION") as caught:
        remember_request(entry, "AUTHENTICATION", ASKED)
    assert caught.value.code == "wrong_cert_usage"


def test_a_like_request_is_remembered_once() -> None:
    entry = remember_request(KeyEntry("K", "", None), "SIGNING", ASKED)
    again = msgspec.structs.replace(ASKED, subject=(*SUBJECT[:2], ("CN", "CODE")))
    assert remember_request(entry, "SIGNING", again) == entry
    known = find_request(entry, again)
    assert known is not None
    assert len(known.id) == 40
    other = remember_request(entry, "SIGNING", msgspec.structs.replace(ASKED, member="FI/COM/2"))
    assert len(other.requests) == 2


def test_it_is_signed_as_often_as_it_is_wanted() -> None:
    entry = remember_request(KeyEntry("K", "", None), "SIGNING", ASKED)
    for _ in range(2):
        made = x509.load_der_x509_csr(make_request(TOKEN, entry, entry.requests[0], DIGEST))
        assert made.is_signature_valid
        assert made.public_key() == KEY.public_key()
        assert [str(a.value) for a in made.subject] == [value for _, value in SUBJECT]


def test_a_key_that_cannot_sign_now() -> None:
    entry = remember_request(KeyEntry("K", "", None), "SIGNING", ASKED)
    with pytest.raises(Fault, match="its token '0' is not logged in") as caught:
        make_request(SoftwareToken({}), entry, entry.requests[0], DIGEST)
    assert caught.value.code == "token_not_active"
    unused = msgspec.structs.replace(entry, usage=None)
    with pytest.raises(Fault, match="has no use yet"):
        make_request(TOKEN, unused, entry.requests[0], DIGEST)
