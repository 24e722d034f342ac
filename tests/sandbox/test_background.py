"""A country at work in a thread: up when the block begins, gone when it ends."""

from __future__ import annotations

import socket
import urllib.request

import pytest

from xgate.clock import SystemClock
from xgate.sandbox.background import Running, run_in_background
from xgate.sandbox.desk import Desk
from xgate.sandbox.messages import rest_url
from xgate.sandbox.places import CONSUMER, PROVIDER, Country
from xgate.securityserver.settings import SettingsError


def test_messages_pass_as_soon_as_the_block_begins(at_work: tuple[Running, Desk]) -> None:
    running, _ = at_work
    country = running.country
    url = rest_url(country.consumer.address, country.ports.client, PROVIDER, "people", "/hello")
    request = urllib.request.Request(url, headers={"X-Road-Client": CONSUMER.url})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    exchanges = [line for line in running.provider if line["event"] == "exchange"]
    assert exchanges[-1]["outcome"] == "ok"


def test_what_fails_inside_is_raised_where_it_is_used(country: Country) -> None:
    country.consumer.settings.write_text("")
    with pytest.raises((SettingsError, ExceptionGroup)), run_in_background(country, SystemClock()):
        pytest.fail("the block must not begin")
    with socket.socket() as sock:  # its ports are free again
        sock.bind(("127.0.0.1", country.ports.authority))
