"""A configuration made for tests is one that the real checks accept."""

from __future__ import annotations

from datetime import timedelta

from xgate.globalconf.generate import register_server
from xgate.globalconf.shared import GlobalGroup
from xgate.ids import ClientId, GlobalGroupId, ServerId
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import approve, make_conf
from xgate.testing.pki import issue_auth
from xgate.trust.seal import seal_of
from xgate.trust.verify import Evidence, verify_message

MEMBER = ClientId("XG", "COM", "777")
AUTHORITY = Authority()


def test_what_the_authority_vouches_for_is_proven_by_it() -> None:
    signature = AUTHORITY.sign("/message.xml", b"message", AUTHORITY.member(MEMBER))
    conf = make_conf(AUTHORITY)
    verify_message(conf, Evidence(signature), seal_of(b"message"), MEMBER, NOW)
    assert [tsa.url for tsa in conf.tsas()] == ["http://tsa/"]


def test_servers_groups_and_partners_are_known() -> None:
    auth = issue_auth(AUTHORITY.ca, "ss").certificate
    foreign = Authority("YY")
    conf = make_conf(
        AUTHORITY,
        servers=[register_server(MEMBER, "SS", "ss", [auth.der])],
        groups=[GlobalGroup("all", "Everybody", (MEMBER,))],
        partners={"YY": approve(foreign)},
    )
    assert conf.server_by_auth_hash(auth) == ServerId(MEMBER, "SS")
    assert conf.is_in_group(MEMBER, GlobalGroupId("XG", "all"))
    assert conf.find_cas("YY", foreign.ca.certificate.subject)


def test_it_is_valid_until_it_expires() -> None:
    conf = make_conf(AUTHORITY, expires=NOW)
    assert conf.valid_at(NOW)
    assert not conf.valid_at(NOW + timedelta(seconds=1))
