"""What of a message is logged, by the settings."""

from __future__ import annotations

from typing import Any

import pytest

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.messagelog.record import whole
from xgate.net.body import Spool
from xgate.sandbox.messages import soap_request
from xgate.securityserver.logged import BodyRules, read_body_rules, what_is_kept
from xgate.securityserver.parts import KeptPart
from xgate.securityserver.settings import BodySettings, MessagelogSettings, SettingsError
from xgate.wire.bodiless import without_body
from xgate.wire.parts import PartBegin
from xgate.wire.soap import SoapMessage, read_soap

CONSUMER = ClientId("XG", "COM", "1", "app")
PROVIDER = ClientId("XG", "GOV", "2", "reg")


@pytest.fixture
def message() -> SoapMessage:
    read = read_soap(soap_request(CONSUMER, PROVIDER, "look", "1"), "text/xml")
    assert isinstance(read, SoapMessage)
    return read


def part(octets: bytes) -> KeptPart:
    spool = Spool(limit=1 << 20, threshold=10)
    spool.write(octets)
    return KeptPart(PartBegin(1, "text/plain", ()), spool)


def rules(**settings: Any) -> BodyRules:
    return read_body_rules(MessagelogSettings(**settings))


def test_everything_is_kept_by_default(message: SoapMessage) -> None:
    kept = what_is_kept(rules(), PROVIDER, message, [part(b""), part(b"a longer body")])
    assert kept.message == message.octets
    assert [whole(part) for part in kept.attachments if part is not None] == [b"", b"a longer body"]
    assert kept.complete


def test_of_providers_that_say_so_only_the_header_is_kept_and_the_record_says_so(
    message: SoapMessage,
) -> None:
    kept = what_is_kept(rules(body_logging=False), PROVIDER, message, [part(b"x" * 99)])
    assert (kept.message, kept.attachments) == (without_body(message), (None,))
    assert not kept.complete


@pytest.mark.parametrize("default", [True, False])
def test_a_subsystem_may_be_unlike_the_others(default: bool) -> None:
    found = rules(body_logging=default, bodies=(BodySettings(PROVIDER.short, not default),))
    assert found.logs(PROVIDER) is not default
    assert found.logs(PROVIDER.member) is default
    assert found.logs(CONSUMER) is default


def test_a_body_that_is_too_large_refuses_the_message_unless_it_may_be_cut(
    message: SoapMessage,
) -> None:
    parts = [part(b"12345"), part(b"123456789012345")]
    with pytest.raises(Fault, match="Message size exceeds maximum loggable size"):
        what_is_kept(rules(max_body_bytes=14), PROVIDER, message, parts)
    assert what_is_kept(rules(max_body_bytes=15), PROVIDER, message, parts).complete
    cut = what_is_kept(rules(max_body_bytes=6, truncate_bodies=True), PROVIDER, message, parts)
    assert (cut.attachments, cut.complete) == ((b"12345", b"123456"), False)
    assert cut.message == message.octets
    none = what_is_kept(rules(body_logging=False, max_body_bytes=1), PROVIDER, message, parts)
    assert none.attachments == (None, None)


def test_zero_keeps_no_body_and_refuses_none(message: SoapMessage) -> None:
    kept = what_is_kept(rules(max_body_bytes=0), PROVIDER, message, [part(b"")])
    assert (kept.message, kept.attachments) == (message.octets, (None,))
    assert not kept.complete
    assert what_is_kept(rules(max_body_bytes=0), PROVIDER, message, []).complete


@pytest.mark.parametrize(
    ("subsystems", "said"),
    [(["XG/GOV"], "is not INSTANCE/CLASS/CODE"), (["A/B/C/D"] * 2, "A/B/C/D is listed twice")],
)
def test_a_subsystem_that_is_none_is_refused(subsystems: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        rules(bodies=tuple(BodySettings(name, False) for name in subsystems))
