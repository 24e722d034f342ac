"""A configuration, fact by fact."""

from __future__ import annotations

import msgspec

from xgate.cli.globalconf_facts import facts_of
from xgate.globalconf.conf import GlobalConf, Instance
from xgate.globalconf.shared import GlobalGroup, SecurityServer
from xgate.ids import ClientId
from xgate.testing.authority import Authority
from xgate.testing.conf import approve, make_conf

OWNER = ClientId("XG", "COM", "1")
APP = ClientId("XG", "COM", "1", "app")
SERVER = SecurityServer(OWNER, "SS", "ss.example", (b"h" * 32,), (APP,))


def test_every_kind_of_thing_is_a_fact() -> None:
    conf = make_conf(
        Authority(),
        servers=[SERVER],
        groups=[GlobalGroup("all", "Everybody", (APP,))],
        partners={"YY": approve(Authority("YY"))},
    )
    facts = facts_of(conf)
    assert facts["own instance"] == "XG"
    assert facts["XG: server XG/COM/1/SS address"] == "ss.example"
    assert f"XG: server XG/COM/1/SS authentication certificate {(b'h' * 32).hex()}" in facts
    assert "XG: server XG/COM/1/SS client XG/COM/1/app" in facts
    assert facts["XG: group all"] == "Everybody"
    assert "XG: group all member XG/COM/1/app" in facts
    assert facts["XG: OCSP freshness"] == "3600 s"
    assert facts["XG: timestamping interval"] == "60 s"
    assert any(what.startswith("YY: certification service CA CA sha256 ") for what in facts)
    assert any(what.endswith("OCSP http://ocsp/") for what in facts)


def test_an_order_is_no_fact_and_neither_is_a_date() -> None:
    other = msgspec.structs.replace(SERVER, server_code="SS2")
    one, two = ([SERVER, other], [other, SERVER])
    authority = Authority()
    confs = [make_conf(authority, servers=servers) for servers in (one, two)]
    assert facts_of(confs[0]) == facts_of(confs[1])


def test_an_instance_that_says_nothing_has_few_facts() -> None:
    facts = facts_of(GlobalConf("XX", {"XX": Instance("XX")}))
    assert set(facts) == {
        "own instance",
        "XX: version",
        "XX: OCSP fetch interval",
        "XX: nextUpdate verified",
    }
