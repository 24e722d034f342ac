from __future__ import annotations

from xgate.ids import ClientId
from xgate.testing.pki import FixedTrust, issue_sign, make_ca
from xgate.trust.anchors import ApprovedCa, Trust

CA = make_ca("Anchor tests")


def test_a_trust_finds_cas_by_name_whatever_its_spelling() -> None:
    approved = ApprovedCa("DEV", CA.certificate, "Basic")
    trust: Trust = FixedTrust((approved,))
    member = issue_sign(CA, ClientId("DEV", "COM", "1"))
    assert list(trust.find_cas("DEV", member.certificate.issuer)) == [approved]
    assert list(trust.find_cas("DEV", member.certificate.subject)) == []


def test_an_approved_ca_starts_with_nothing_but_its_profile() -> None:
    approved = ApprovedCa("DEV", CA.certificate, "Basic")
    assert (approved.authentication_only, approved.ocsp_urls) == (False, ())
    assert approved.ocsp_certificates == ()
