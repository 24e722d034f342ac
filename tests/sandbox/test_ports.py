"""Free ports, the same on several addresses."""

from __future__ import annotations

import socket

import pytest

from xgate.sandbox.ports import find_free_ports

ADDRESSES = ("127.0.0.1", "127.0.0.2")


def test_each_port_is_free_on_every_address() -> None:
    ports = find_free_ports(5, ADDRESSES)
    assert len(set(ports)) == 5
    for port in ports:
        for address in ADDRESSES:
            with socket.socket() as sock:
                sock.bind((address, port))


def test_an_address_that_is_not_ours_gives_none() -> None:
    with pytest.raises(OSError, match="no free ports"):
        find_free_ports(1, ("127.0.0.1", "192.0.2.1"))
