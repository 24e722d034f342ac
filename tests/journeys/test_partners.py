"""What a federated partner lists counts for its own members: it forges nothing of ours.

The partner ``YY`` is hostile and signs its own parameters: it names its CA as ours is named, lists
our CA as its own with another responder, and our members on its servers.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.shared import CaInfo, CertificationService, OcspInfo, SecurityServer
from xgate.ids import ClientId, ServerId
from xgate.messagelog.timestamping import Order, prove_token
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import approve, make_conf
from xgate.testing.pki import Credential, issue_auth, issue_ocsp, issue_sign, make_ca, make_key
from xgate.testing.responders import GOOD, answer_ocsp, answer_timestamp
from xgate.trust.asic import Container, write_container
from xgate.trust.ocsp import write_ocsp_request
from xgate.trust.path import verify_auth_chain
from xgate.trust.seal import MESSAGE, seal_of
from xgate.trust.timestamp import write_timestamp_request
from xgate.trust.verify import Evidence, Proven, verify_container, verify_message
from xgate.trust.xades import read_signature, with_timestamp

OURS, THEIRS = Authority("XG"), Authority("YY")
MEMBER, PARTNER = ClientId("XG", "COM", "777"), ClientId("YY", "COM", "777")
OUR_SERVER = ServerId(MEMBER, "SS")
AUTH = issue_auth(OURS.ca, "ss.example")
NAMESAKE = make_ca("XG CA", key=make_key("their CA under our name"))
FORGED_AUTH = issue_auth(NAMESAKE, "ss.example")
REVOKED = issue_sign(OURS.ca, MEMBER, key=make_key("revoked"))
LIAR = issue_ocsp(THEIRS.ca, "Liar")


def _conf() -> GlobalConf:
    theirs = approve(THEIRS)
    (own_service,) = theirs.certification_services
    lie = (OcspInfo("http://liar/", LIAR.certificate.der),)
    services = [
        CertificationService(name, CaInfo(ca.certificate.der, lie), own_service.profile)
        for name, ca in (("namesake", NAMESAKE), ("ours", OURS.ca))
    ]
    hashes = (FORGED_AUTH.certificate.sha256, AUTH.certificate.sha256)
    servers = (
        SecurityServer(MEMBER, "SS", "there", hashes, (MEMBER,)),
        SecurityServer(PARTNER, "SS", "there", hashes, (PARTNER, MEMBER)),
    )
    theirs = msgspec.structs.replace(
        theirs, certification_services=(own_service, *services), servers=servers
    )
    ours = SecurityServer(MEMBER, "SS", "here", (AUTH.certificate.sha256,))
    return make_conf(OURS, servers=[ours], partners={"YY": theirs})


CONF = _conf()


def vouch(subject: Credential, issuer: Credential, by: Credential = LIAR) -> bytes:
    request = write_ocsp_request(subject.certificate, issuer.certificate)
    return answer_ocsp(
        request, by, issuer.certificate, lambda _: GOOD, NOW, certificates=(by.certificate,)
    )


def judge(signer: Credential, claimed: ClientId, ocsp: bytes) -> Proven:
    signature = OURS.sign(MESSAGE, b"message", signer, ocsp=[ocsp])
    return verify_message(CONF, Evidence(signature), seal_of(b"message"), claimed, NOW)


def refusal(act: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(Fault) as caught:
        act(*arguments)
    return caught.value.code


# signatures


def test_a_ca_of_theirs_under_our_cas_name_issues_nothing_for_our_members() -> None:
    forged = issue_sign(NAMESAKE, MEMBER)
    good = vouch(forged, NAMESAKE)
    assert refusal(judge, forged, MEMBER, good) == "cannot_create_cert_path.internal_error"
    assert judge(forged, PARTNER, good).signer == PARTNER, "that is theirs to say"


def test_a_responder_of_theirs_says_nothing_about_our_certificates() -> None:
    lie = vouch(REVOKED, OURS.ca)
    expected = "invalid_cert_path.incorrect_validation_info"
    assert refusal(judge, REVOKED, MEMBER, lie) == expected
    truth = OURS.vouch(REVOKED.certificate, status=NOW)
    assert refusal(judge, REVOKED, MEMBER, truth) == "invalid_cert_path.cert_validation"
    assert judge(REVOKED, MEMBER, OURS.vouch(REVOKED.certificate)).signer == MEMBER


def test_a_flood_of_responders_of_theirs_is_not_even_tried() -> None:
    assert set(CONF.ocsp_certificates("XG")) == {OURS.ocsp.certificate}
    assert LIAR.certificate in CONF.ocsp_certificates()
    assert LIAR.certificate in CONF.ocsp_certificates("YY")


def test_our_certificates_are_not_asked_about_at_their_responders() -> None:
    (issuer,) = CONF.find_cas("XG", REVOKED.certificate.issuer)
    assert CONF.ocsp_urls_for(REVOKED.certificate, issuer) == ("http://ocsp/",)


# servers


def judge_server(server: Credential, client: ClientId, ocsp: bytes) -> bool:
    verify_auth_chain(CONF, client.instance, [server.certificate], [ocsp], NOW, issuer_of="first")
    return CONF.auth_certificate_matches(server.certificate, client)


def test_a_server_of_theirs_is_not_one_of_our_members() -> None:
    good = vouch(FORGED_AUTH, NAMESAKE)
    expected = "ssl_authentication_failed.cannot_create_cert_path.internal_error"
    assert refusal(judge_server, FORGED_AUTH, MEMBER, good) == expected
    assert not CONF.auth_certificate_matches(FORGED_AUTH.certificate, MEMBER)
    assert judge_server(FORGED_AUTH, PARTNER, good), "that is theirs to say"


def test_our_server_stays_ours_whoever_lists_it() -> None:
    assert CONF.server_by_auth_hash(AUTH.certificate) == OUR_SERVER
    assert judge_server(AUTH, MEMBER, OURS.vouch(AUTH.certificate))


# time


def container(service: ClientId, stamper: Authority) -> bytes:
    request = (
        f"GET\r\n/r1/{service.url}/reg/look\r\nX-Road-Client:{MEMBER.url}/app\r\n"
        "X-Road-Id:1\r\nx-road-request-id:2\r\n"
    ).encode()
    document = OURS.sign(MESSAGE, request, OURS.member(MEMBER))
    stamped = with_timestamp(document, stamper.stamp(read_signature(document).value))
    return write_container(Container(message=request, signature=stamped), NOW)


PROVIDER, THEIR_PROVIDER = (ClientId(i, "GOV", "1", "sub") for i in ("XG", "YY"))


def test_their_timestamping_service_stamps_nothing_between_our_members() -> None:
    forged = container(PROVIDER, THEIRS)
    assert refusal(verify_container, CONF, forged) == "mlog.tsp_certificate_not_found"
    assert verify_container(CONF, container(PROVIDER, OURS)).proven.signer == MEMBER


def test_either_end_of_a_message_across_the_border_has_its_own_copy_stamped() -> None:
    for stamper in (OURS, THEIRS):
        proof = verify_container(CONF, container(THEIR_PROVIDER, stamper))
        assert proof.timestamp.certificate == stamper.tsa.certificate


def test_our_own_log_is_stamped_by_our_own_services_alone() -> None:
    order = Order(write_timestamp_request(SHA512.of(b"stamped")), b"stamped", {}, {})
    stranger = answer_timestamp(order.request, THEIRS.tsa, NOW, 1)
    assert refusal(prove_token, order, stranger, CONF) == "mlog.tsp_certificate_not_found"
    assert prove_token(order, answer_timestamp(order.request, OURS.tsa, NOW, 1), CONF)
