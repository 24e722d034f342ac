"""Which key signs and which is shown: chosen by what is true at the moment of use."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from xgate.errors import Fault
from xgate.globalconf.anchor import read_anchor
from xgate.globalconf.file_source import TreeSource
from xgate.globalconf.generate import register_server
from xgate.ids import ClientId, ServerId
from xgate.signer.entries import SOFTWARE, KeyEntry, StoredCertificate
from xgate.signer.keyconf import read_token_folder
from xgate.signer.keyring import KeyOnToken, Keyring, choose_auth_key, choose_sign_key, read_keyring
from xgate.signer.ocsp_cache import OcspCache
from xgate.signer.sealed_token import SealedToken
from xgate.signer.software import SoftwareToken
from xgate.signer.store import read_store, write_store
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import make_conf
from xgate.testing.pki import NOT_BEFORE, Credential, issue_auth, issue_sign, make_ca, make_key
from xgate.testing.responders import GOOD, UNKNOWN, answer_ocsp
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import write_ocsp_request

MEMBER = ClientId("XG", "COM", "1")
SUB = ClientId("XG", "COM", "1", "app")
OTHER_SUB = ClientId("XG", "COM", "1", "other")
STRANGER = ClientId("XG", "COM", "2")
SERVER = ServerId(MEMBER, "SS")

AUTHORITY = Authority()
SIGN = AUTHORITY.member(MEMBER)
SIGN_SUB = AUTHORITY.member(MEMBER, key=make_key("sub"))
AUTH = issue_auth(AUTHORITY.ca, "ss")
NEXT_AUTH = issue_auth(AUTHORITY.ca, "ss", key=make_key("next auth"))
CONF = make_conf(
    AUTHORITY,
    servers=[
        register_server(MEMBER, "SS", "ss", [AUTH.certificate.der, NEXT_AUTH.certificate.der])
    ],
)


def stored(credential: Credential, member: ClientId | None = None, **more: Any) -> Any:
    name = None if member is None else member.short
    return StoredCertificate(credential.certificate.der, name, **more)


def ring(
    signing: Iterable[tuple[Credential, list[StoredCertificate]]] = (),
    authentication: Iterable[tuple[Credential, list[StoredCertificate]]] = (),
    refused: list[Fault] | None = None,
) -> Keyring:
    refused = [] if refused is None else refused
    signs = [(f"S{n}", c, certs) for n, (c, certs) in enumerate(signing)]
    auths = [(f"A{n}", c, certs) for n, (c, certs) in enumerate(authentication)]
    entries = (
        *(KeyEntry(i, "", "SIGNING", tuple(certs)) for i, _, certs in signs),
        *(KeyEntry(i, "", "AUTHENTICATION", tuple(certs)) for i, _, certs in auths),
    )
    token = SoftwareToken({i: ("", c.key) for i, c, _ in (*signs, *auths)})
    keys = {i: c.key for i, c, _ in auths}
    return read_keyring(entries, {SOFTWARE: token}, keys.get, refused.append)


def unexpected(fault: Fault) -> None:
    pytest.fail(str(fault))


def vouched(*credentials: Credential, **more: Any) -> OcspCache:
    cache = OcspCache()
    for credential in credentials:
        cache.put(credential.certificate, AUTHORITY.vouch(credential.certificate, **more))
    return cache


def sign_refusal(keys: Keyring, cache: OcspCache, client: ClientId = SUB) -> str:
    with pytest.raises(Fault) as caught:
        choose_sign_key(keys, client, CONF, cache, NOW)
    assert caught.value.code == "internal_error"
    return caught.value.text


def auth_refusal(keys: Keyring, cache: OcspCache, server: ServerId = SERVER) -> str:
    with pytest.raises(Fault) as caught:
        choose_auth_key(keys, server, CONF, cache, NOW)
    assert caught.value.code == "ssl_authentication_failed"
    assert caught.value.text.startswith("Security server has no valid authentication certificate (")
    return caught.value.text


# what the ring holds


def test_only_active_registered_certificates_are_in_the_ring() -> None:
    keys = ring(
        [
            (SIGN, [stored(SIGN, MEMBER, active=False), stored(SIGN, MEMBER, status="saved")]),
            (SIGN_SUB, [stored(SIGN_SUB, SUB), stored(SIGN_SUB)]),
        ],
        [
            (AUTH, [stored(AUTH)]),
            (NEXT_AUTH, [stored(NEXT_AUTH, status="registration in progress")]),
        ],
    )
    assert [key.certificate for key in keys.signing] == [SIGN_SUB.certificate]
    assert [key.certificate for key in keys.authentication] == [AUTH.certificate]
    assert keys.certificates() == (SIGN_SUB.certificate, AUTH.certificate)


def test_a_certificate_of_another_key_is_left_out_and_said_to_be_another_s() -> None:
    refused: list[Fault] = []
    keys = ring(
        [(SIGN, [stored(SIGN_SUB, MEMBER), stored(SIGN, MEMBER)])],
        [(AUTH, [stored(NEXT_AUTH)])],
        refused,
    )
    assert keys.certificates() == (SIGN.certificate,)
    assert [fault.code for fault in refused] == ["incorrect_certificate"] * 2
    for fault, key in zip(refused, ("S0", "A0"), strict=True):
        assert re.search(rf"'{key}' with serial number \d+ is another", fault.text)


def test_keys_of_tokens_that_are_not_there_are_left_out() -> None:
    entries = (
        KeyEntry("K", "", "SIGNING", (stored(SIGN, MEMBER),), token="gone"),
        KeyEntry("K", "", "SIGNING", (stored(SIGN_SUB, SUB),), token="closed"),
        KeyEntry("K", "", "AUTHENTICATION", (stored(AUTH),)),
    )
    tokens = {"closed": SoftwareToken({}), SOFTWARE: SoftwareToken({"K": ("", AUTH.key)})}
    for private, seen in ((None, ()), (AUTH.key, (AUTH.certificate,))):
        keys = read_keyring(entries, tokens, {"K": private}.get, unexpected)
        assert keys.certificates() == seen


def test_a_certificate_that_cannot_be_read_or_is_for_nobody_is_refused_by_its_key() -> None:
    for bad, said in (
        (StoredCertificate(b"no certificate", MEMBER.short), "'S0' cannot be read"),
        (StoredCertificate(SIGN.certificate.der, "XG/COM"), "'S0' is for nobody"),
    ):
        refused: list[Fault] = []
        assert ring([(SIGN, [bad])], refused=refused) == Keyring((), ())
        (fault,) = refused
        assert (fault.code, said in fault.text) == ("incorrect_certificate", True)


def test_no_key_shows_in_a_log_line() -> None:
    keys = ring([(SIGN, [stored(SIGN, MEMBER)])], [(AUTH, [stored(AUTH)])])
    assert "rivate" not in repr(keys)
    assert AUTH.certificate.sha1 in repr(keys.authentication)


# signing


def test_a_member_signs_for_itself_and_for_its_subsystems() -> None:
    keys, cache = ring([(SIGN, [stored(SIGN, MEMBER)])]), vouched(SIGN)
    for client in (MEMBER, SUB, OTHER_SUB):
        key, response = choose_sign_key(keys, client, CONF, cache, NOW)
        assert key.certificate == SIGN.certificate
        assert response == cache.find(SIGN.certificate.sha1, CONF, NOW)


def test_a_subsystems_key_is_for_that_subsystem_alone() -> None:
    keys = ring([(SIGN_SUB, [stored(SIGN_SUB, SUB)])])
    choose_sign_key(keys, SUB, CONF, vouched(SIGN_SUB), NOW)
    for client in (MEMBER, OTHER_SUB, STRANGER, ClientId("YY", "COM", "1", "app")):
        assert sign_refusal(keys, vouched(SIGN_SUB), client) == (
            f"signer.unknown_member: Could not find any certificates for member '{client}'. "
            "Are you sure tokens containing the certificates are logged in?"
        )


def test_the_first_usable_key_wins() -> None:
    keys = ring([(SIGN, [stored(SIGN, MEMBER)]), (SIGN_SUB, [stored(SIGN_SUB, SUB)])])
    for cache, expected in (
        (vouched(SIGN, SIGN_SUB), SIGN),
        (vouched(SIGN_SUB), SIGN_SUB),
    ):
        key, _ = choose_sign_key(keys, SUB, CONF, cache, NOW)
        assert key.certificate == expected.certificate


def test_when_no_key_is_usable_the_refusal_says_why_of_each() -> None:
    expired = issue_sign(
        AUTHORITY.ca, MEMBER, key=make_key("old"), not_after=NOT_BEFORE + timedelta(days=1)
    )
    foreign = issue_sign(make_ca("Stranger"), MEMBER, key=make_key("foreign"))
    revoked = AUTHORITY.member(MEMBER, key=make_key("revoked"))
    stale = AUTHORITY.member(MEMBER, key=make_key("stale"))
    keys = ring([(c, [stored(c, MEMBER)]) for c in (expired, foreign, revoked, stale, SIGN)])
    cache = vouched(expired)
    cache.put(revoked.certificate, AUTHORITY.vouch(revoked.certificate, status=NOW))
    hours_ago = NOW - timedelta(hours=2)
    cache.put(stale.certificate, AUTHORITY.vouch(stale.certificate, at=hours_ago))
    said = sign_refusal(keys, cache)
    assert said.startswith(f"signer.internal_error: Member '{SUB}' has no suitable certificates (")
    for cause in (
        "has expired",
        "not issued by approved",
        "REVOKED",
        "too old",
        f"no OCSP response for certificate {SIGN.certificate.serial}",
    ):
        assert said.count(cause) == 1, cause


def test_an_unknown_status_is_not_good() -> None:
    keys = ring([(SIGN, [stored(SIGN, MEMBER)])])
    assert "UNKNOWN" in sign_refusal(keys, vouched(SIGN, status=UNKNOWN))


# authentication


def test_the_registered_authentication_key_is_shown() -> None:
    keys = ring(authentication=[(AUTH, [stored(AUTH)])])
    cache = vouched(AUTH)
    key, response = choose_auth_key(keys, SERVER, CONF, cache, NOW)
    assert (key.certificate, key.private) == (AUTH.certificate, AUTH.key)
    assert response == cache.find(AUTH.certificate.sha1, CONF, NOW)


def test_during_renewal_the_one_that_is_usable_is_shown() -> None:
    keys = ring(authentication=[(AUTH, [stored(AUTH)]), (NEXT_AUTH, [stored(NEXT_AUTH)])])
    key, _ = choose_auth_key(keys, SERVER, CONF, vouched(NEXT_AUTH), NOW)
    assert key.certificate == NEXT_AUTH.certificate


def test_a_key_that_is_not_registered_for_this_server_is_not_shown() -> None:
    unregistered = issue_auth(AUTHORITY.ca, "ss", key=make_key("unregistered"))
    keys = ring(authentication=[(unregistered, [stored(unregistered)])])
    serial = unregistered.certificate.serial
    assert f"certificate {serial} is not of {SERVER}" in auth_refusal(keys, vouched(unregistered))
    ours = ring(authentication=[(AUTH, [stored(AUTH)])])
    assert "is not of SERVER:XG/COM/1/SS2" in auth_refusal(
        ours, vouched(AUTH), ServerId(MEMBER, "SS2")
    )


def test_without_a_usable_key_the_refusal_says_why_of_each() -> None:
    assert "no authentication key is in the key store" in auth_refusal(ring(), OcspCache())
    keys = ring(authentication=[(AUTH, [stored(AUTH)]), (NEXT_AUTH, [stored(NEXT_AUTH)])])
    cache = vouched(AUTH, status=NOW)
    said = auth_refusal(keys, cache)
    assert "REVOKED" in said
    assert f"no OCSP response for certificate {NEXT_AUTH.certificate.serial}" in said


def test_an_authentication_key_on_another_token_is_for_the_signers_process() -> None:
    token = SoftwareToken({"A": ("", AUTH.key)})
    entry = KeyEntry("A", "", "AUTHENTICATION", (stored(AUTH),), token="card")
    keys = read_keyring([entry], {"card": token}, lambda _: None, unexpected)
    assert keys.authentication[0].private == KeyOnToken(token.keys()[0], token)
    assert "on token 0, where TLS reaches it only by way of" in auth_refusal(keys, vouched(AUTH))


def test_an_empty_ring_may_know_why() -> None:
    keys = Keyring((), (), "The signer is out to lunch")
    assert "The signer is out to lunch" in sign_refusal(keys, OcspCache())
    assert "The signer is out to lunch" in auth_refusal(keys, OcspCache())


def test_a_sign_key_is_never_shown_and_an_authentication_key_never_signs() -> None:
    keys = ring([(SIGN, [stored(SIGN, MEMBER)])])
    auth_refusal(keys, vouched(SIGN))
    assert "unknown_member" in sign_refusal(
        ring(authentication=[(AUTH, [stored(AUTH)])]), vouched(AUTH)
    )


# the reference's own


@pytest.mark.reference
def test_the_references_token_serves_its_own_server(golden: Path, tmp_path: Path) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    root = golden / "env-dev-v6"
    anchor = read_anchor((root / "configuration-anchor.xml").read_bytes())
    conf = TreeSource(anchor, root / "globalconf-initial").fetch(now).conf
    shutil.copytree(root / "signer", tmp_path / "signer", copy_function=shutil.copyfile)
    store = tmp_path / "keys.xgate"
    write_store(store, "Secret1234", read_token_folder(tmp_path / "signer", "Secret1234"))
    token = SealedToken(store)
    token.login("Secret1234")
    entries = read_store(store).keys
    keys = read_keyring(entries, {token.id: token}, token.private, unexpected)

    certificates = [
        Certificate.load((root / f"ca/certs/{name}.cert.pem").read_bytes())
        for name in ("ca", "ocsp")
    ]
    opened = pkcs12.load_pkcs12((root / "ca/private/ocsp.p12").read_bytes(), b"test").key
    assert isinstance(opened, rsa.RSAPrivateKey)
    responder = Credential(certificates[1], opened)
    cache = OcspCache()
    for certificate in keys.certificates():
        request = write_ocsp_request(certificate, certificates[0])
        answer = answer_ocsp(request, responder, certificates[0], lambda _: GOOD, now)
        cache.put(certificate, answer)

    server = ServerId(ClientId("DEV", "COM", "1234"), "SS0")
    assert conf.find_server(server) is not None
    key, _ = choose_auth_key(keys, server, conf, cache, now)
    assert conf.server_by_auth_hash(key.certificate) == server
    for member in (ClientId("DEV", "COM", "1234"), ClientId("DEV", "COM", "4321", "x")):
        chosen, _ = choose_sign_key(keys, member, conf, cache, now)
        assert chosen.member == member.member
