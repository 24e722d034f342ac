"""Handshakes of a process that holds no key: OpenSSL asks the signer, and peers see no difference.

Each runs in a process of its own, started as ``xgate serve`` starts itself, because OpenSSL looks
for providers only once; both ends show the same certificate, and plain OpenSSL verifies each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from OpenSSL import SSL

from xgate._native.provider import provider_environment
from xgate.clock import SystemClock
from xgate.net.context import (
    TlsContext,
    TlsIdentity,
    peer_client_context,
    peer_server_context,
)
from xgate.net.errors import TlsError
from xgate.sandbox.country import KeyKind, found_country
from xgate.sandbox.pair import start_signer
from xgate.signer.ask import ask_ring
from xgate.signer.keyring import KeyOnToken

VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}
HERE = "from tests.journeys.test_keyless_handshakes import {0}; {0}()"


def run_child(name: str, *arguments: str, provider: bool = True) -> str:
    """What a function of this file printed, in another process."""
    environment = {**os.environ, **(provider_environment() if provider else {})}
    command = [sys.executable, "-c", HERE.format(name), *arguments]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        command, env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- in the other process ---


def identity() -> TlsIdentity:
    (key,) = ask_ring(Path(sys.argv[1])).authentication
    assert not isinstance(key.private, KeyOnToken)
    return TlsIdentity(key.private, (key.certificate.der,))


def shake_hands(server: TlsContext, client: TlsContext, session: SSL.Session | None) -> SSL.Session:
    ours, theirs = (SSL.Connection(context.context, None) for context in (server, client))
    ours.set_accept_state()
    theirs.set_connect_state()
    if session is not None:
        theirs.set_session(session)
    for _ in range(10):
        for one, other in ((theirs, ours), (ours, theirs)):
            carry(one, other)
    assert ours.get_peer_certificate() is not None
    told = {
        "version": theirs.get_protocol_version_name(),
        "cipher": theirs.get_cipher_name(),
        "resumed": [is_resumed(ours), is_resumed(theirs)],
    }
    print(json.dumps(told))
    found = theirs.get_session()
    assert found is not None
    for connection in (ours, theirs):
        connection.shutdown()  # else the server forgets the session
    return found


def is_resumed(connection: SSL.Connection) -> bool:
    return bool(SSL._lib.SSL_session_reused(connection._ssl))  # type: ignore[attr-defined]


def carry(one: SSL.Connection, other: SSL.Connection) -> None:
    """One step of one end, and what it says to the other."""
    for step in (one.do_handshake, lambda: one.recv(1)):
        with suppress(SSL.WantReadError):
            step()
    with suppress(SSL.WantReadError):
        other.bio_write(one.bio_read(1 << 20))


def handshakes() -> None:
    """Two with the same server for each version: the second one resumes the first."""
    server = peer_server_context(identity(), lambda _: True)
    for version in VERSIONS.values():
        client = peer_client_context(identity())
        client.context.set_max_proto_version(version)
        session = shake_hands(server, client, None)
        shake_hands(server, client, session)


def finite_field_handshake() -> None:
    """The suite of the reference that needs no curve."""
    client = peer_client_context(identity())
    client.context.set_max_proto_version(SSL.TLS1_2_VERSION)
    client.context.set_cipher_list(b"DHE-RSA-AES256-SHA256:@SECLEVEL=1")
    shake_hands(peer_server_context(identity(), lambda _: True), client, None)


def refusal() -> None:
    """What is said when there is no provider in this process."""
    try:
        peer_client_context(identity())
    except TlsError as error:
        print(error)


def absence() -> None:
    """What a handshake ends with when the signer goes away before it."""
    server, client = (
        peer_server_context(identity(), lambda _: True),
        peer_client_context(identity()),
    )
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        shake_hands(server, client, None)
    except SSL.Error as error:
        print(error)


# --- in this one ---


@pytest.fixture(params=["RSA-2048", "P-256", "P-384"])
def signer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The socket of a signer with keys of this kind."""
    kind: KeyKind = request.param
    place = found_country(tmp_path, SystemClock().now(), kind=kind, signers=True).consumer
    process = trio.run(start_signer, place)
    yield place.folder / "run" / "signer.sock"
    process.process.kill()
    process.process.wait()


def test_handshakes_succeed_and_resume(signer: Path) -> None:
    told = [json.loads(line) for line in run_child("handshakes", str(signer)).splitlines()]
    assert [one["version"] for one in told] == ["TLSv1.2"] * 2 + ["TLSv1.3"] * 2
    assert [one["resumed"] for one in told] == [[False, False], [True, True]] * 2


@pytest.mark.parametrize("signer", ["RSA-2048"], indirect=True)
def test_a_handshake_without_curves(signer: Path) -> None:
    told = json.loads(run_child("finite_field_handshake", str(signer)))
    assert (told["version"], told["cipher"]) == ("TLSv1.2", "DHE-RSA-AES256-SHA256")


@pytest.mark.parametrize("signer", ["P-256"], indirect=True)
def test_without_the_provider_the_mend_is_told(signer: Path) -> None:
    said = run_child("refusal", str(signer), provider=False)
    assert said.strip() == (
        "a key that the signer holds needs OpenSSL's provider; start: xgate serve"
    )


@pytest.mark.parametrize("signer", ["P-256"], indirect=True)
def test_a_signer_that_went_away_ends_the_handshake(signer: Path) -> None:
    command = [sys.executable, "-c", HERE.format("absence"), str(signer)]
    environment = {**os.environ, **provider_environment()}
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        command, env=environment, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        signer.unlink()
        said, _ = child.communicate(b"\n", timeout=20)
    assert b"the signer gave no signature" in said
