from __future__ import annotations

import subprocess
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.testing.pki import (
    Credential,
    FixedTrust,
    issue,
    issue_auth,
    issue_sign,
    make_ca,
    make_key,
    make_rsa_key,
)
from xgate.testing.responders import GOOD, UNKNOWN, answer_ocsp
from xgate.trust import der
from xgate.trust.anchors import ApprovedCa
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import write_ocsp_request
from xgate.trust.path import build_path, check_revocation, verify_auth_chain

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = make_ca("Path tests, root")
MIDDLE = make_ca("Path tests, middle", issuer=ROOT)
LOW = make_ca("Path tests, low", issuer=MIDDLE)
LEAF = issue_auth(LOW, "leaf.example")
DIRECT = issue_auth(ROOT, "direct.example")
NO_PATH = "cannot_create_cert_path.internal_error"


def chain(*credentials: Credential) -> list[Certificate]:
    return [credential.certificate for credential in credentials]


def no_path(
    leaf: Credential,
    intermediates: list[Certificate],
    anchors: list[Certificate],
    at: datetime = AT,
) -> str:
    with pytest.raises(Fault) as refused:
        build_path(leaf.certificate, intermediates, anchors, at)
    assert refused.value.code == NO_PATH
    return refused.value.text


def test_most_paths_are_one_step() -> None:
    assert build_path(DIRECT.certificate, [], chain(ROOT), AT) == tuple(chain(DIRECT, ROOT))


def test_an_intermediate_can_be_the_anchor() -> None:
    assert build_path(LEAF.certificate, [], chain(LOW), AT) == tuple(chain(LEAF, LOW))


def test_intermediates_are_put_in_order() -> None:
    path = build_path(LEAF.certificate, chain(MIDDLE, LOW), chain(ROOT), AT)
    assert path == tuple(chain(LEAF, LOW, MIDDLE, ROOT))


def test_a_gap_is_no_path() -> None:
    assert "no issuer of" in no_path(LEAF, chain(MIDDLE), chain(ROOT))
    assert "no issuer of" in no_path(LEAF, [], [])


def test_a_renewed_ca_of_the_same_name_is_tried() -> None:
    renewed = make_ca("Path tests, root", key=make_key("renewed root"))
    for anchors in (chain(renewed, ROOT), chain(ROOT, renewed)):
        assert build_path(DIRECT.certificate, [], anchors, AT)[-1] == ROOT.certificate
    assert "signature" in no_path(DIRECT, [], chain(renewed))


def test_a_renewed_intermediate_of_the_same_name_is_tried() -> None:
    renewed = make_ca("Path tests, low", key=make_key("renewed low"), issuer=MIDDLE)
    path = build_path(LEAF.certificate, chain(renewed, LOW, MIDDLE), chain(ROOT), AT)
    assert path == tuple(chain(LEAF, LOW, MIDDLE, ROOT))


def test_dates_count_below_the_anchor_alone() -> None:
    day = timedelta(days=1)
    early = make_ca("Path tests, early", not_after=AT - day)
    below = issue_auth(early, "below.example", not_before=AT - day, not_after=AT + day)
    assert build_path(below.certificate, [], chain(early), AT)
    assert "has expired" in no_path(below, [], chain(early), AT + 2 * day)
    assert "not yet valid" in no_path(below, [], chain(early), AT - 2 * day)
    old = make_ca("Path tests, old", issuer=ROOT, not_after=AT - day)
    under_old = issue_auth(old, "under-old.example")
    assert "has expired" in no_path(under_old, chain(old), chain(ROOT))


def test_an_intermediate_must_be_a_ca() -> None:
    imposter = issue(
        ROOT, [(NameOID.COMMON_NAME, "imposter")], make_key("imposter"), usages=("key_cert_sign",)
    )
    victim = issue_auth(imposter, "victim.example")
    assert "is not a CA" in no_path(victim, chain(imposter), chain(ROOT))
    leaf_as_ca = issue_auth(DIRECT, "below a leaf")
    assert "is not a CA" in no_path(leaf_as_ca, chain(DIRECT), chain(ROOT))


def test_an_intermediate_must_be_allowed_to_sign_certificates() -> None:
    silent = issue(
        ROOT,
        [(NameOID.COMMON_NAME, "silent")],
        make_key("silent"),
        usages=("digital_signature",),
        extensions=[(x509.BasicConstraints(ca=True, path_length=None), True)],
    )
    assert "may not sign" in no_path(issue_auth(silent, "x"), chain(silent), chain(ROOT))


def test_a_path_length_is_kept() -> None:
    short = make_ca("Path tests, short", issuer=ROOT, path_length=0)
    assert build_path(issue_auth(short, "ok").certificate, chain(short), chain(ROOT), AT)
    lower = make_ca("Path tests, lower", issuer=short)
    assert "too long" in no_path(issue_auth(lower, "x"), chain(lower, short), chain(ROOT))


def test_a_self_issued_certificate_does_not_count_as_length() -> None:
    limited = make_ca("Path tests, limited", issuer=ROOT, path_length=0)
    rolled = issue(
        limited,
        [(NameOID.COMMON_NAME, "Path tests, limited"), (NameOID.ORGANIZATION_NAME, "Test")],
        make_key("rolled over"),
        usages=("key_cert_sign",),
        extensions=[(x509.BasicConstraints(ca=True, path_length=0), True)],
    )
    assert rolled.certificate.self_issued
    leaf = issue_auth(rolled, "rolled.example")
    path = build_path(leaf.certificate, chain(limited, rolled), chain(ROOT), AT)
    assert path == tuple(chain(leaf, rolled, limited, ROOT))


@pytest.mark.parametrize("critical", [False, True])
def test_an_extension_nobody_processes_refuses_if_critical(critical: bool) -> None:
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    names = x509.NameConstraints([x509.DNSName("example")], None)
    for extension in (strange, names):
        leaf = issue(
            ROOT,
            [(NameOID.COMMON_NAME, "x")],
            make_key("x"),
            usages=("digital_signature",),
            extensions=[(extension, critical)],
        )
        if critical:
            assert "critical extension" in no_path(leaf, [], chain(ROOT))
        else:
            assert build_path(leaf.certificate, [], chain(ROOT), AT)


def signed_anew(credential: Credential, arc: int, weak: hashes.HashAlgorithm) -> Certificate:
    """The certificate of an RSA issuer, signed by PKCS#1 v1.5 with another digest."""
    root = make_rsa_key("rsa root")
    old, new = (der.write_oid(f"1.2.840.113549.1.1.{number}") for number in (11, arc))
    tbs = credential.certificate.tbs.replace(old, new)
    signature = der.encode(der.BIT_STRING, b"\0", root.sign(tbs, padding.PKCS1v15(), weak))
    algorithm = credential.certificate.algorithm.replace(old, new)
    return Certificate.load(der.encode(der.SEQUENCE, tbs, algorithm, signature))


def test_md5_is_no_signature_and_sha_1_still_is() -> None:
    rsa_root = make_ca("Path tests, rsa", key=make_rsa_key("rsa root"))
    leaf = issue_auth(rsa_root, "weak.example")
    assert build_path(signed_anew(leaf, 5, hashes.SHA1()), [], chain(rsa_root), AT)
    by_md5 = Credential(signed_anew(leaf, 4, hashes.MD5()), leaf.key)
    assert "signature" in no_path(by_md5, [], chain(rsa_root))


def test_a_key_that_anybody_can_break_proves_nothing() -> None:
    weak = issue_auth(ROOT, "broken.example", key=ec.generate_private_key(ec.SECP192R1()))
    assert "key" in no_path(weak, [], chain(ROOT))
    below = make_ca("Broken CA", key=ec.generate_private_key(ec.SECP192R1()), issuer=ROOT)
    leaf = issue_auth(below, "below.example")
    assert "key" in no_path(leaf, chain(below), chain(ROOT))


def test_a_hostile_crowd_of_certificates_costs_little() -> None:
    crowd = [
        make_ca("Path tests, crowd", key=make_key(f"crowd {number}")).certificate
        for number in range(16)
    ]
    leaf = issue_auth(make_ca("Path tests, crowd", key=make_key("none of them")), "crowd.example")
    began = time.perf_counter()
    no_path(leaf, crowd, chain(ROOT))
    assert time.perf_counter() - began < 1
    assert "too many" in no_path(leaf, [*crowd, *chain(LOW)], chain(ROOT))


def test_a_circle_ends() -> None:
    one = make_ca("Path tests, one", issuer=make_ca("Path tests, two"))
    two = make_ca("Path tests, two", issuer=one)
    leaf = issue_auth(one, "circle.example")
    assert no_path(leaf, chain(one, two), chain(ROOT))


# -- Revocation

TRUST = FixedTrust(tuple(ApprovedCa("DEV", ca.certificate, "Basic") for ca in (ROOT, MIDDLE, LOW)))


def response(
    subject: Credential, issuer: Credential, status: str | datetime = GOOD, at: datetime = AT
) -> bytes:
    request = write_ocsp_request(subject.certificate, issuer.certificate)
    return answer_ocsp(request, issuer, issuer.certificate, lambda _: status, at)


PATH = tuple(chain(LEAF, LOW, MIDDLE, ROOT))
RESPONSES = [response(LOW, MIDDLE), response(LEAF, LOW), response(MIDDLE, ROOT)]


def test_every_certificate_below_the_anchor_needs_its_response() -> None:
    used = check_revocation(PATH, RESPONSES, TRUST, "DEV", AT)
    assert [answer.der for answer in used] == [RESPONSES[1], RESPONSES[0], RESPONSES[2]]


@pytest.mark.parametrize("missing", range(3))
def test_a_missing_response_refuses(missing: int) -> None:
    some = [der for number, der in enumerate(RESPONSES) if number != missing]
    with pytest.raises(Fault, match="Unable to find OCSP response for certificate") as refused:
        check_revocation(PATH, some, TRUST, "DEV", AT)
    assert refused.value.code == "invalid_cert_path.cert_validation"


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (response(LEAF, LOW, UNKNOWN), "invalid_cert_path.cert_validation"),
        (response(LEAF, LOW, AT), "invalid_cert_path.cert_validation"),
        (
            response(LEAF, LOW, at=AT - timedelta(hours=2)),
            "invalid_cert_path.incorrect_validation_info",
        ),
        (b"garbage", "invalid_cert_path.incorrect_validation_info"),
    ],
    ids=["unknown", "revoked", "stale", "garbage"],
)
def test_a_response_that_proves_nothing_refuses(bad: bytes, code: str) -> None:
    with pytest.raises(Fault) as refused:
        check_revocation(tuple(chain(LEAF, LOW)), [bad], TRUST, "DEV", AT)
    assert refused.value.code == code


def test_no_response_at_all_is_the_callers_error() -> None:
    with pytest.raises(Fault) as refused:
        check_revocation(PATH, [], TRUST, "DEV", AT)
    assert refused.value.code == "internal_error"


def test_too_many_responses_are_not_even_read() -> None:
    with pytest.raises(Fault, match="Too many"):
        check_revocation(PATH, [b""] * 33, TRUST, "DEV", AT)


def test_an_intermediate_that_is_not_approved_refuses() -> None:
    root_only = FixedTrust((TRUST.cas[0],))
    with pytest.raises(Fault, match="not issued by approved") as refused:
        check_revocation(PATH, RESPONSES, root_only, "DEV", AT)
    assert refused.value.code == "invalid_cert_path.internal_error"


def test_an_intermediate_cannot_borrow_the_name_of_an_approved_ca() -> None:
    imposter = make_ca("Path tests, low", key=make_key("imposter low"), issuer=MIDDLE)
    leaf = issue_auth(imposter, "imposter.example")
    path = build_path(leaf.certificate, chain(imposter), chain(MIDDLE), AT)
    own = [response(leaf, imposter), response(imposter, MIDDLE)]
    with pytest.raises(Fault) as refused:
        check_revocation(path, own, TRUST, "DEV", AT)
    assert refused.value.code == "invalid_cert_path.internal_error"


# -- Authentication

SSL = "ssl_authentication_failed"


def auth_refusal(
    presented: list[Certificate],
    responses: list[bytes],
    at: datetime = AT,
    instance: str = "DEV",
    trust: FixedTrust = TRUST,
) -> tuple[str, str]:
    with pytest.raises(Fault) as refused:
        verify_auth_chain(trust, instance, presented, responses, at, issuer_of="first")
    return refused.value.code, refused.value.text


def test_as_client_the_direct_issuer_is_the_anchor() -> None:
    proven = verify_auth_chain(
        TRUST, "DEV", chain(LEAF), [response(LEAF, LOW)], AT, issuer_of="first"
    )
    assert proven.path == tuple(chain(LEAF, LOW))
    assert [answer.status for answer in proven.responses] == ["good"]


def test_as_server_the_last_ones_issuer_is_the_anchor() -> None:
    proven = verify_auth_chain(
        TRUST, "DEV", chain(LEAF, LOW, MIDDLE), RESPONSES, AT, issuer_of="last"
    )
    assert proven.path == PATH


def test_the_use_of_the_certificate_is_looked_at_first() -> None:
    sign = issue_sign(ROOT, ClientId("DEV", "COM", "1"))
    text = "Peer certificate is not an authentication certificate"
    long_after = datetime(2050, 1, 1, tzinfo=UTC)
    assert auth_refusal(chain(sign), [], at=long_after, instance="NONE") == (SSL, text)


def test_a_certificate_that_says_nothing_about_its_use_keeps_its_own_code() -> None:
    silent = issue(ROOT, [(NameOID.COMMON_NAME, "silent")], make_key("silent"))
    assert auth_refusal(chain(silent), [])[0] == "incorrect_certificate"


def test_every_later_refusal_is_one_of_authentication() -> None:
    good = [response(DIRECT, ROOT)]
    presented = chain(DIRECT)
    assert auth_refusal([], good)[0] == SSL
    assert auth_refusal(presented, good, instance="NONE")[0] == f"{SSL}.{NO_PATH}"
    assert auth_refusal(presented, [])[0] == f"{SSL}.internal_error"
    late = datetime(2050, 1, 1, tzinfo=UTC)
    assert auth_refusal(presented, good, at=late)[0] == f"{SSL}.{NO_PATH}"
    stale = auth_refusal(presented, good, at=AT + timedelta(days=1))[0]
    assert stale == f"{SSL}.invalid_cert_path.incorrect_validation_info"
    revoked = auth_refusal(presented, [response(DIRECT, ROOT, AT)])[0]
    assert revoked == f"{SSL}.invalid_cert_path.cert_validation"
    stranger = issue_auth(make_ca("Path tests, stranger"), "stranger.example")
    code, text = auth_refusal(chain(stranger), good)
    assert (code, "not issued by approved" in text) == (f"{SSL}.{NO_PATH}", True)


# -- The reference's chains


@pytest.fixture(scope="module")
def store(golden: Path) -> dict[str, Certificate]:
    def load(path: Path) -> Certificate:
        held = pkcs12.load_pkcs12(path.read_bytes(), b"test").cert
        assert held is not None
        return Certificate.load(held.certificate.public_bytes(Encoding.DER))

    return {path.stem: load(path) for path in (golden / "cert-chain").glob("*.p12")}


def day_after_start(certificate: Certificate) -> datetime:
    return certificate.not_before + timedelta(days=1)


@pytest.mark.reference
def test_user_0_is_below_the_root(store: dict[str, Certificate]) -> None:
    user, root = store["user_0"], store["root_ca"]
    assert build_path(user, [], [root], day_after_start(user)) == (user, root)


@pytest.mark.reference
def test_user_3_needs_every_intermediate(store: dict[str, Certificate]) -> None:
    user, root = store["user_3"], store["root_ca"]
    inner = [store[f"ca_{number}"] for number in (1, 2, 3)]
    at = datetime(2012, 9, 15, tzinfo=UTC)
    assert build_path(user, inner, [root], at) == (user, *inner[::-1], root)
    with pytest.raises(Fault) as refused:
        build_path(user, [inner[0], inner[2]], [root], at)
    assert refused.value.code == NO_PATH


@pytest.mark.reference
def test_user_3_is_refused_without_ocsp(store: dict[str, Certificate]) -> None:
    user, root = store["user_3"], store["root_ca"]
    inner = [store[f"ca_{number}"] for number in (1, 2, 3)]
    trust = FixedTrust(tuple(ApprovedCa("EE", ca, "Ejbca") for ca in (root, *inner)))
    at = datetime(2012, 9, 15, tzinfo=UTC)
    path = build_path(user, inner, [root], at)
    with pytest.raises(Fault):
        check_revocation(path, [], trust, "EE", at)


@pytest.mark.reference
@pytest.mark.parametrize("revoked", [None, "user_3", "ca_2"])
def test_user_3_is_good_by_the_word_of_every_ca_above_it(
    golden: Path, store: dict[str, Certificate], revoked: str | None
) -> None:
    names = ["user_3", "ca_3", "ca_2", "ca_1", "root_ca"]
    trust = FixedTrust(tuple(ApprovedCa("EE", store[name], "Ejbca") for name in names[1:]))
    at = datetime(2012, 9, 15, tzinfo=UTC)

    def vouch(subject: str, issuer: str) -> bytes:
        octets = (golden / f"cert-chain/{issuer}.p12").read_bytes()
        key = pkcs12.load_pkcs12(octets, b"test").key
        assert isinstance(key, rsa.RSAPrivateKey)
        ca = Credential(store[issuer], key)
        request = write_ocsp_request(store[subject], ca.certificate)
        status = at if subject == revoked else GOOD
        return answer_ocsp(request, ca, ca.certificate, lambda _: status, at)

    path = build_path(store["user_3"], [store[n] for n in names[1:4]], [store["root_ca"]], at)
    responses = [vouch(*pair) for pair in pairwise(names)]
    expected = nullcontext() if revoked is None else pytest.raises(Fault, match="REVOKED")
    with expected:
        assert len(check_revocation(path, responses, trust, "EE", at)) == 4


@pytest.mark.reference
def test_a_ca_without_basic_constraints_is_none(store: dict[str, Certificate]) -> None:
    user, root = store["user_4"], store["root_ca"]
    inner = [store[name] for name in ("ca_1", "ca_2", "ca_3", "ca_4_no_ext")]
    with pytest.raises(Fault, match="is not a CA") as refused:
        build_path(user, inner, [root], day_after_start(user))
    assert refused.value.code == NO_PATH


@pytest.mark.reference
def test_a_user_of_an_absent_ca_has_no_path(store: dict[str, Certificate]) -> None:
    user, root = store["user_invalid_sig"], store["root_ca"]
    inner = [store[f"ca_{number}"] for number in (1, 2, 3)]
    with pytest.raises(Fault) as refused:
        build_path(user, inner, [root], day_after_start(user))
    assert refused.value.code == NO_PATH


# -- OpenSSL as a second opinion

DAY = timedelta(days=1)
SHORT = make_ca("Path tests, short", issuer=ROOT, path_length=0)
BELOW_SHORT = make_ca("Path tests, below short", issuer=SHORT)
OLD = make_ca("Path tests, gone", issuer=ROOT, not_after=AT - DAY)
FORGED = make_ca("Path tests, low", key=make_key("forged low"))
OPINIONS = {
    "one step": (DIRECT, [], [ROOT]),
    "three steps": (LEAF, [MIDDLE, LOW], [ROOT]),
    "partial": (LEAF, [], [LOW]),
    "partial of two": (LEAF, [LOW], [MIDDLE]),
    "gap": (LEAF, [LOW], [ROOT]),
    "nobody": (LEAF, [LOW, MIDDLE], [FORGED]),
    "leaf as a CA": (issue_auth(DIRECT, "below a leaf"), [DIRECT], [ROOT]),
    "length kept": (issue_auth(SHORT, "short leaf"), [SHORT], [ROOT]),
    "length broken": (issue_auth(BELOW_SHORT, "long leaf"), [BELOW_SHORT, SHORT], [ROOT]),
    "expired intermediate": (issue_auth(OLD, "gone leaf"), [OLD], [ROOT]),
    "expired leaf": (issue_auth(ROOT, "old leaf", not_after=AT - DAY), [], [ROOT]),
    "future leaf": (issue_auth(ROOT, "new leaf", not_before=AT + DAY), [], [ROOT]),
    "two of a name": (LEAF, [FORGED, LOW, MIDDLE], [ROOT]),
}


def write_pem(certificates: list[Certificate], path: Path) -> str:
    loaded = (x509.load_der_x509_certificate(c.der) for c in certificates)
    path.write_bytes(b"".join(c.public_bytes(Encoding.PEM) for c in loaded))
    return str(path)


@pytest.mark.parametrize("opinion", OPINIONS)
def test_openssl_is_of_our_opinion(tmp_path: Path, opinion: str) -> None:
    leaf, inner, anchors = OPINIONS[opinion]
    said = subprocess.run(
        [
            *("openssl", "verify", "-partial_chain", "-purpose", "any"),
            *("-attime", str(int(AT.timestamp()))),
            *("-trusted", write_pem(chain(*anchors), tmp_path / "anchors")),
            *(("-untrusted", write_pem(chain(*inner), tmp_path / "inner")) if inner else ()),
            write_pem(chain(leaf), tmp_path / "leaf"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    opinion_of_ours = nullcontext() if said.returncode == 0 else pytest.raises(Fault)
    with opinion_of_ours:
        build_path(leaf.certificate, chain(*inner), chain(*anchors), AT)


@given(st.integers(0, len(DIRECT.certificate.der) - 1), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_no_changed_octet_keeps_a_path(place: int, change: int) -> None:
    octets = bytearray(DIRECT.certificate.der)
    octets[place] ^= change
    with pytest.raises(Fault):
        build_path(Certificate.load(bytes(octets)), [], chain(ROOT), AT)
