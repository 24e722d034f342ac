"""The duties of a signing token, held against the one that is shipped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from xgate.algorithms import SHA512, SIGNATURES, signature_uri, verify_signature
from xgate.errors import Fault
from xgate.signer.software import SoftwareToken
from xgate.signer.token import SigningToken, SignJob, TokenKey
from xgate.testing.pki import make_ec_key

KEY = make_ec_key("token")
URI = signature_uri("ecdsa", SHA512)
TOKEN: SigningToken = SoftwareToken({"K": ("label", KEY)})  # mypy holds it against the protocol


def job(data: bytes, key: str = "K") -> SignJob:
    return SignJob(key, SIGNATURES[URI], SHA512.of(data))


def test_a_key_is_shown_by_its_public_half() -> None:
    (key,) = TOKEN.keys()
    assert isinstance(key, TokenKey)
    assert (key.id, key.label, key.kind) == ("K", "label", "ecdsa")
    assert str(KEY.private_numbers().private_value) not in repr(TOKEN) + repr(key)


def test_answers_come_in_the_order_of_the_jobs_a_fault_in_place_of_a_refused_one() -> None:
    first, refused, last = TOKEN.sign([job(b"1"), job(b"2", "?"), job(b"3")])
    assert isinstance(refused, Fault)
    for data, value in ((b"1", first), (b"3", last)):
        assert isinstance(value, bytes)
        assert verify_signature(URI, KEY.public_key(), value, data, raw_ecdsa=False)


def test_no_jobs_no_answers() -> None:
    assert list(TOKEN.sign([])) == []


def test_several_threads_may_sign_at_once() -> None:
    data = [str(n).encode() for n in range(64)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda octets: TOKEN.sign([job(octets)])[0], data))
    for octets, value in zip(data, answers, strict=True):
        assert isinstance(value, bytes)
        assert verify_signature(URI, KEY.public_key(), value, octets, raw_ecdsa=False)
