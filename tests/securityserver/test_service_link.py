"""Where a service's address leads, and what the network does on the way."""

from __future__ import annotations

import pytest

from xgate.errors import Fault
from xgate.ids import ServiceId
from xgate.net.context import service_context
from xgate.sandbox.places import PROVIDER
from xgate.securityserver.service_link import connected, target_of_url
from xgate.securityserver.services import Services
from xgate.serverconf.model import Protocol, Service


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h", "/"),
        ("http://h:1/a/../b?c=%2F&", "/a/../b?c=%2F&"),
        ("https://h?x", "/?x"),
        ("https://h/a?#fragment", "/a?"),
        ("http://h//a", "//a"),
    ],
)
def test_path_and_query_travel_as_they_are_written(url: str, target: str) -> None:
    assert target_of_url(url) == target


@pytest.mark.parametrize(
    ("url", "code"),
    [("http://nobody.invalid/", "unknown_host"), ("http://127.0.0.1:1/", "network_error")],
)
async def test_what_the_network_does_has_a_code(url: str, code: str) -> None:
    services = Services(service_context, lambda: 0.0)
    service = Service(ServiceId(PROVIDER, "svc"), Protocol.REST, url, timeout=5.0)
    with pytest.raises(Fault) as refused:
        async with connected(url, service, (), services):
            pytest.fail("there is nobody to be connected to")
    assert refused.value.code == code


async def test_our_own_log_learns_where_it_was_and_how_long_it_was_waited_for() -> None:
    services = Services(service_context, lambda: 0.0)
    url = "http://user:secret@127.0.0.1:1/path?key=secret"
    service = Service(ServiceId(PROVIDER, "svc"), Protocol.REST, url, timeout=5.0)
    with pytest.raises(Fault) as refused:
        async with connected(url, service, (), services):
            pytest.fail("there is nobody to be connected to")
    said = "cannot connect to 127.0.0.1 port 1: Connection refused"
    assert refused.value.cause == f"http://127.0.0.1:1: {said} (timeout-seconds = 5)"
    assert "127.0.0.1" not in refused.value.text  # where a service lives is nobody else's business
