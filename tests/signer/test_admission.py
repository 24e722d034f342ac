"""Which certificates come in: for a key that is here, of an approved CA, for a known member."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.generate import register_server
from xgate.ids import ClientId, ServerId
from xgate.signer.admission import Terms, admit_certificate
from xgate.signer.entries import KeyEntry, StoredRequest
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import make_conf
from xgate.testing.pki import (
    Credential,
    issue,
    issue_auth,
    issue_sign,
    make_ca,
    make_ec_key,
    make_key,
)
from xgate.trust.der import BIT_STRING, SEQUENCE, encode, enter, read

MEMBER = ClientId("XG", "COM", "1")
SUB = ClientId("XG", "COM", "1", "app")
SERVER = ServerId(MEMBER, "SS")
AUTHORITY = Authority()
SIGN = issue_sign(AUTHORITY.ca, MEMBER)
AUTH = issue_auth(AUTHORITY.ca, "ss")
LISTED = issue_auth(AUTHORITY.ca, "listed", key=make_key("listed"))
CONF = make_conf(AUTHORITY, servers=[register_server(MEMBER, "SS", "ss", [LISTED.certificate.der])])
TERMS = Terms(CONF, SERVER, (SUB,), NOW)


def entry(credential: Credential, **more: Any) -> KeyEntry:
    made = KeyEntry("K", "", None, public_key=credential.certificate.spki)
    return msgspec.structs.replace(made, **more)


def refusal(credential: Credential, *keys: KeyEntry, terms: Terms = TERMS, **more: Any) -> str:
    with pytest.raises(Fault) as caught:
        admit_certificate(credential.certificate.der, keys or (entry(credential),), terms, **more)
    return str(caught.value)


def test_a_signing_certificate_is_registered_and_active_for_the_member_it_names() -> None:
    requests = (
        StoredRequest("other", "XG/COM/2", ()),
        StoredRequest("first", MEMBER.short, ()),
        StoredRequest("second", MEMBER.short, ()),
    )
    admission = admit_certificate(
        SIGN.certificate.der, [entry(AUTH), entry(SIGN, requests=requests)], TERMS
    )
    stored = admission.stored
    assert (stored.member, stored.status, stored.active) == (MEMBER.short, "registered", True)
    assert stored.id == SIGN.certificate.sha256.hex()
    assert admission.entry.usage == "SIGNING"
    assert [request.id for request in admission.entry.requests] == ["other", "second"]
    assert admission.entry.certificates == (stored,)


def test_a_subsystem_may_have_a_certificate_of_its_own() -> None:
    admission = admit_certificate(SIGN.certificate.der, [entry(SIGN)], TERMS, SUB)
    assert admission.stored.member == SUB.short
    said = refusal(SIGN, member=ClientId("XG", "COM", "2"))
    assert said == "incorrect_certificate: The certificate is for 'XG/COM/1', not for 'XG/COM/2'"


def test_an_authentication_certificate_waits_until_the_world_lists_it() -> None:
    requests = (StoredRequest("first", None, ()), StoredRequest("second", None, ()))
    admission = admit_certificate(AUTH.certificate.der, [entry(AUTH, requests=requests)], TERMS)
    stored = admission.stored
    assert (stored.member, stored.status, stored.active) == (None, "saved", False)
    assert [request.id for request in admission.entry.requests] == ["second"]
    known = admit_certificate(LISTED.certificate.der, [entry(LISTED)], TERMS).stored
    assert (known.status, known.active) == ("registered", False)
    assert refusal(AUTH, member=MEMBER).startswith("wrong_cert_usage: ")


def test_authentication_keys_lie_on_the_software_token_unless_told_otherwise() -> None:
    elsewhere = entry(AUTH, token="hsm")
    assert refusal(AUTH, elsewhere).startswith("wrong_cert_usage: Key 'K' is on token 'hsm'")
    anywhere = msgspec.structs.replace(TERMS, auth_on_any_token=True)
    admit_certificate(AUTH.certificate.der, [elsewhere], anywhere)
    admit_certificate(SIGN.certificate.der, [entry(SIGN, token="hsm")], TERMS)


def test_keys_keep_their_use_and_take_a_certificate_once() -> None:
    assert refusal(SIGN, entry(SIGN, usage="AUTHENTICATION")).startswith("wrong_cert_usage: ")
    assert refusal(SIGN, entry(AUTH)).startswith("key_not_found: ")
    once = admit_certificate(SIGN.certificate.der, [entry(SIGN)], TERMS).entry
    assert refusal(SIGN, once).startswith("cert_exists: ")


def named(code: str, *usages: str, ca: Credential = AUTHORITY.ca) -> Credential:
    name = [
        (NameOID.COMMON_NAME, code),
        (NameOID.BUSINESS_CATEGORY, "COM"),
        (NameOID.SERIAL_NUMBER, code),
    ]
    return issue(ca, name, make_key("named"), usages=usages)


def test_the_use_must_be_one() -> None:
    assert refusal(named("1", "content_commitment", "digital_signature")).startswith(
        "wrong_cert_usage: The certificate is for signing and for authentication at once"
    )
    for usages in ((), ("crl_sign",)):
        assert refusal(named("1", *usages)).startswith("incorrect_certificate: ")


def test_whom_nobody_knows_cannot_sign_here() -> None:
    stranger = named("999", "content_commitment")
    assert refusal(stranger) == (
        "unknown_member: The certificate is for 'XG/COM/999', whom nobody knows here"
    )
    guest = msgspec.structs.replace(TERMS, members=(ClientId("XG", "COM", "999", "sub"),))
    admit_certificate(stranger.certificate.der, [entry(stranger)], guest)


def test_only_approved_cas_and_only_now() -> None:
    stranger = issue_sign(make_ca("Another CA"), MEMBER)
    assert refusal(stranger).startswith("cert_import_failed: Certificate is not issued by approved")
    impostor = issue_sign(make_ca("Test CA", key=make_key("impostor")), MEMBER)
    assert refusal(impostor).startswith("cert_import_failed: ")
    old = issue_sign(AUTHORITY.ca, MEMBER, not_after=NOW - timedelta(days=1))
    assert refusal(old).startswith("cert_import_failed: ")
    with pytest.raises(Fault, match="Cannot read the certificate"):
        admit_certificate(b"no certificate", [], TERMS)


def test_a_ca_that_may_issue_authentication_certificates_only() -> None:
    own = CONF.instances[CONF.own]
    assert own.shared is not None
    (service,) = own.shared.certification_services
    narrow = msgspec.structs.replace(service, authentication_only=True)
    shared = msgspec.structs.replace(own.shared, certification_services=(narrow,))
    conf = GlobalConf(CONF.own, {CONF.own: msgspec.structs.replace(own, shared=shared)})
    terms = msgspec.structs.replace(TERMS, conf=conf)
    assert refusal(SIGN, terms=terms) == (
        "cert_import_failed: Its CA may issue authentication certificates only"
    )
    admit_certificate(AUTH.certificate.der, [entry(AUTH)], terms)


def test_a_configuration_that_has_expired_approves_of_nothing() -> None:
    conf = make_conf(AUTHORITY, expires=NOW - timedelta(seconds=1))
    said = refusal(SIGN, terms=msgspec.structs.replace(TERMS, conf=conf))
    assert said == "cert_import_failed: Global configuration is expired"


def test_a_certificate_may_write_its_key_in_another_form() -> None:
    """A point may be compressed: it is the same key."""
    key, ca = make_ec_key("compressed"), AUTHORITY.ca
    usual = issue_sign(ca, MEMBER, key=key).certificate
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    kind = enter(usual.spki).take(SEQUENCE).raw
    spki = encode(SEQUENCE, kind, encode(BIT_STRING, b"\0", point))
    tbs = encode(SEQUENCE, read(usual.tbs, SEQUENCE).content.replace(usual.spki, spki))
    assert isinstance(ca.key, ec.EllipticCurvePrivateKey)
    signature = ca.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    der = encode(SEQUENCE, tbs, usual.algorithm, encode(BIT_STRING, b"\0", signature))
    known = KeyEntry("K", "", None, public_key=usual.spki)
    assert admit_certificate(der, [known], TERMS).stored.active
