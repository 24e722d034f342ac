"""The address of this machine is an address."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from xgate.net.own_address import find_own_address


def test_it_is_an_address() -> None:
    assert ipaddress.ip_address(find_own_address())


def test_a_machine_without_a_network_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("Network is unreachable")

    class Nowhere(socket.socket):
        connect = refuse  # as the kernel would

    monkeypatch.setattr(socket, "socket", Nowhere)
    assert find_own_address() == "0.0.0.0"
