"""Identities and contexts: what they refuse, and that they keep their secrets."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest
from OpenSSL import SSL

from xgate.net.context import (
    TlsIdentity,
    information_system_context,
    peer_client_context,
    peer_server_context,
    service_context,
)
from xgate.net.errors import TlsError
from xgate.testing.network import key_pem, make_identity

CLIENT = make_identity("client")
STRANGER = make_identity("stranger")


def test_key_material_shows_nowhere() -> None:
    secret = key_pem(CLIENT).decode().splitlines()[1]
    assert secret not in repr(CLIENT) + repr(peer_client_context(CLIENT))
    assert "private" not in repr(CLIENT)
    with pytest.raises(TlsError, match="cannot be used") as caught:
        peer_client_context(TlsIdentity(private_key=STRANGER.private_key, chain=CLIENT.chain))
    assert secret not in str(caught.value)
    with pytest.raises(TlsError, match="cannot be used"):
        peer_client_context(TlsIdentity(private_key=STRANGER.private_key, chain=(b"nonsense",)))
    with pytest.raises(TlsError, match="cannot be used"):
        peer_client_context(TlsIdentity(private_key=STRANGER.private_key, chain=()))


def test_without_a_place_for_a_moment_there_is_no_context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(TlsError, match=r"no temporary file can be written .*: free its disk, or"):
        information_system_context(CLIENT)


def suites(context: SSL.Context) -> set[str]:
    return {name for name in SSL.Connection(context).get_cipher_list() if "TLS_" not in name}


def test_between_servers_only_the_references_suites_are_spoken() -> None:
    reference = {
        "ECDHE-RSA-AES256-SHA384",
        "DHE-RSA-AES256-SHA256",
        "ECDHE-ECDSA-AES256-SHA384",
    }
    assert suites(peer_server_context(CLIENT, lambda _: True).context) == reference
    assert suites(peer_client_context(CLIENT).context) == reference


def test_information_systems_and_services_find_the_references_suites_and_no_weak_ones() -> None:
    for context in (information_system_context(CLIENT), service_context()):
        spoken = suites(context.context)
        assert {"ECDHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384"} <= spoken
        assert all(name.startswith(("ECDHE-", "DHE-")) for name in spoken)


def test_an_identity_needs_its_own_certificate() -> None:
    with pytest.raises(TlsError, match="cannot be used"):
        service_context(TlsIdentity(private_key=CLIENT.private_key, chain=STRANGER.chain))


def test_sessions_are_kept_by_server_in_bounds_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = service_context()
    session = SSL.Session()
    assert context.find_session("a:443") is None
    context.keep_session("a:443", session)
    assert context.find_session("a:443") is session
    for number in range(1024):
        context.keep_session(f"b{number}:443", session)
    assert context.find_session("a:443") is None
    assert context.find_session("b1023:443") is session
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 601)
    assert context.find_session("b1023:443") is None
