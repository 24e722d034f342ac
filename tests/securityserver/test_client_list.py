"""``GET /listClients`` is known by its method and its exact path; journeys show its answers."""

from __future__ import annotations

from typing import cast

import pytest

from xgate.net.server import Exchange
from xgate.securityserver.client_list import asks_for_clients
from xgate.wire.target import Target


class Asked:
    def __init__(self, method: str) -> None:
        self.method = method


@pytest.mark.parametrize(
    ("method", "path", "asks"),
    [
        ("GET", "/listClients", True),
        ("POST", "/listClients", False),
        ("HEAD", "/listClients", False),
        ("GET", "/listclients", False),
        ("GET", "/listClients/", False),
        ("GET", "/r1/listClients", False),
    ],
)
def test_it_is_known_by_method_and_path(method: str, path: str, asks: bool) -> None:
    exchange = cast("Exchange", Asked(method))
    assert asks_for_clients(exchange, Target(path, None)) is asks
