"""TLS with real peers: which certificates pass, what the refused see, who speaks which suite."""

from __future__ import annotations

import math
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
import trio
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from trio.testing import MockClock

from xgate.cell import Cell
from xgate.net.context import (
    TlsContext,
    TlsIdentity,
    information_system_context,
    peer_client_context,
    peer_server_context,
    service_context,
)
from xgate.net.errors import (
    ClosedError,
    NetError,
    RefusedError,
    ResetError,
    TimedOutError,
    TlsError,
)
from xgate.net.stream import SocketStream
from xgate.net.tls import TlsStream, accept_tls, connect_tls
from xgate.testing.network import make_identity, rsa_key, stream_pair, write_pem

SERVER = make_identity("server")
CLIENT = make_identity("client")
STRANGER = make_identity("stranger")
OLD = datetime(2001, 1, 1, tzinfo=UTC)
EXPIRED = make_identity("expired", valid=(OLD, OLD + timedelta(days=1)))
CLIENT_ONLY = make_identity("client only", purposes=[ExtendedKeyUsageOID.CLIENT_AUTH])
SERVER_ONLY = make_identity("server only", purposes=[ExtendedKeyUsageOID.SERVER_AUTH])
UNKNOWN_CA = make_identity("ca", ca=True)
CHAINED = make_identity("leaf", issuer=make_identity("intermediate", issuer=UNKNOWN_CA, ca=True))


@cache
def rsa_identity() -> TlsIdentity:
    return make_identity("rsa", key=rsa_key())


def registered(*identities: TlsIdentity) -> Callable[[bytes], bool]:
    known = {sha256(identity.chain[0]).digest() for identity in identities}
    return lambda leaf: sha256(leaf).digest() in known


ACCEPT = registered(CLIENT, EXPIRED, CLIENT_ONLY, SERVER_ONLY, CHAINED)
SERVING = peer_server_context(SERVER, ACCEPT, [UNKNOWN_CA.chain[0]])


def only_tls12(context: TlsContext) -> TlsContext:
    context.context.set_max_proto_version(SSL.TLS1_2_VERSION)
    return context


@asynccontextmanager
async def connected(
    client: TlsContext, server: TlsContext, *, session_key: str = ""
) -> AsyncIterator[tuple[TlsStream, TlsStream]]:
    near, far = stream_pair()
    ends: dict[str, TlsStream] = {}

    async def serve() -> None:
        ends["far"] = await accept_tls(far, server)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        ends["near"] = await connect_tls(near, client, session_key=session_key)
    yield ends["near"], ends["far"]
    await ends["near"].aclose()
    await ends["far"].aclose()


async def connect_and_read(stream: SocketStream, client: TlsContext) -> None:
    tls = await connect_tls(stream, client)
    await tls.receive()


async def refused(client: TlsContext, server: TlsContext) -> tuple[str, str]:
    """What each side says when the handshake fails: client, server."""
    near, far = stream_pair()
    said: dict[str, str] = {}

    async def serve() -> None:
        with pytest.raises(TlsError) as caught:
            await accept_tls(far, server)
        said["server"] = str(caught.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(RefusedError) as caught:
            await connect_and_read(near, client)
        near.close()
    return str(caught.value), said["server"]


@pytest.mark.parametrize("tls12", [True, False], ids=["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize(
    "identity", [CLIENT, EXPIRED, CLIENT_ONLY, SERVER_ONLY, CHAINED], ids=lambda _: ""
)
async def test_a_registered_certificate_passes_whatever_else_is_wrong_with_it(
    identity: TlsIdentity, tls12: bool
) -> None:
    client = peer_client_context(identity)
    async with connected(only_tls12(client) if tls12 else client, SERVING) as (near, far):
        assert far.peer_chain == identity.chain
        assert near.peer_chain == SERVER.chain
        assert near.version == far.version == ("TLSv1.2" if tls12 else "TLSv1.3")
        assert not tls12 or near.cipher == "ECDHE-ECDSA-AES256-SHA384"
        await near.send_vector([b"one ", bytes(50_000), b" two", b""])
        received = b""
        while len(received) < 50_008:
            received += await far.receive()
        assert received == b"one " + bytes(50_000) + b" two"
        await far.aclose()
        assert await near.receive() == b""
        assert not near.cut_off


@pytest.mark.parametrize("tls12", [True, False], ids=["TLSv1.2", "TLSv1.3"])
async def test_an_unregistered_certificate_is_refused_and_the_peer_is_told(tls12: bool) -> None:
    client = peer_client_context(STRANGER)
    told, said = await refused(only_tls12(client) if tls12 else client, SERVING)
    assert "the peer broke TLS off" in told
    assert "alert unknown ca" in told
    assert "certificate verify failed" in said


@pytest.mark.parametrize("tls12", [True, False], ids=["TLSv1.2", "TLSv1.3"])
async def test_a_client_without_certificate_is_refused_and_told(tls12: bool) -> None:
    client = service_context(rsa_identity())
    bare = TlsContext(SSL.Context(SSL.TLS_METHOD))
    told, said = await refused(only_tls12(bare) if tls12 else bare, SERVING)
    assert "alert" in told
    assert "peer did not return a certificate" in said
    assert client.accept is None


async def test_a_broken_question_accepts_nobody() -> None:
    def accept(_: bytes) -> bool:
        raise LookupError("no configuration")

    near, far = stream_pair()

    async def serve() -> None:
        with pytest.raises(LookupError):
            await accept_tls(far, peer_server_context(SERVER, accept))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(NetError):
            await connect_and_read(near, peer_client_context(CLIENT))
        near.close()


@pytest.mark.parametrize("tls12", [True, False], ids=["TLSv1.2", "TLSv1.3"])
async def test_a_resumed_session_keeps_the_chain_and_asks_again(tls12: bool) -> None:
    known = [CHAINED]
    asked: list[bytes] = []

    def accept(leaf: bytes) -> bool:
        asked.append(leaf)
        return registered(*known)(leaf)

    server = peer_server_context(SERVER, accept)
    client = peer_client_context(CHAINED)
    client = only_tls12(client) if tls12 else client
    questions = []
    for _ in range(2):
        asked.clear()
        async with connected(client, server, session_key="server") as (near, far):
            assert far.peer_chain == CHAINED.chain
            assert near.peer_chain == SERVER.chain
            await far.send_all(b"x")
            assert await near.receive() == b"x"
        questions.append(len(asked))
    assert questions[0] > 1, "in the handshake and after it"
    assert questions[1] == 1, "resumed: OpenSSL verified nothing, we asked"

    known.clear()
    near_end, far_end = stream_pair()

    async def serve() -> None:
        with pytest.raises(TlsError, match="not accepted any more"):
            await accept_tls(far_end, server)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        tls = await connect_tls(near_end, client, session_key="server")
        assert await tls.receive() == b""
        await tls.aclose()


async def test_an_information_system_may_present_anything_or_nothing() -> None:
    server = information_system_context(SERVER)
    for identity in (None, STRANGER, EXPIRED, CLIENT_ONLY):
        async with connected(service_context(identity), server) as (near, far):
            assert far.peer_chain == (identity.chain if identity else ())
            assert near.peer_chain == SERVER.chain


async def test_a_new_identity_serves_the_next_connection() -> None:
    current = Cell(SERVING)
    client = peer_client_context(CLIENT)
    async with connected(client, current.value) as (old, _):
        current.set(peer_server_context(rsa_identity(), ACCEPT))
        async with connected(client, current.value) as (new, far):
            assert old.peer_chain == SERVER.chain
            assert new.peer_chain == rsa_identity().chain
            await far.send_all(b"x")
            assert await new.receive() == b"x"


async def test_a_stalled_handshake_ends_at_its_deadline(autojump_clock: MockClock) -> None:
    near, far = stream_pair()
    began = trio.current_time()
    with pytest.raises(TimedOutError):
        await accept_tls(far, SERVING, timeout=30)
    assert trio.current_time() - began == 30
    assert far.socket.fileno() == -1
    near.close()
    near, far = stream_pair()
    with pytest.raises(TimedOutError):
        await connect_tls(near, peer_client_context(CLIENT), timeout=7)
    assert trio.current_time() - began == 37
    far.close()


async def test_octets_that_are_not_tls_are_refused() -> None:
    near, far = stream_pair()

    async def shout() -> None:
        await near.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await near.receive()
        near.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(shout)
        with pytest.raises(TlsError, match="http request"):
            await accept_tls(far, SERVING)


async def test_a_peer_that_hangs_up_in_the_handshake_is_a_closed_connection() -> None:
    near, far = stream_pair()
    near.close()
    with pytest.raises(ClosedError, match="peer closed"):
        await accept_tls(far, SERVING)


async def test_a_spoilt_record_is_no_refusal() -> None:
    async with connected(peer_client_context(CLIENT), SERVING) as (near, far):
        await near._stream.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(TlsError) as ours:
            await far.receive()
        await far.aclose(linger=0.1)
        with pytest.raises(TlsError, match="alert") as told:
            await near.receive()
        assert type(ours.value) is type(told.value) is TlsError


async def test_a_reset_is_told_apart_from_an_end() -> None:
    async with connected(peer_client_context(CLIENT), SERVING) as (near, far):
        reset = struct.pack("ii", 1, 0)
        far._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        far._stream.close()
        with pytest.raises(ResetError, match="Connection reset by peer"):
            await near.receive()


async def test_an_end_without_goodbye_is_told_apart() -> None:
    async with connected(peer_client_context(CLIENT), SERVING) as (near, far):
        near._stream.socket.shutdown(socket.SHUT_WR)
        assert await far.receive() == b""
        assert far.cut_off


def heard(stream: TlsStream) -> bool:
    return stream.heard


@pytest.mark.parametrize("tls12", [False, True])
async def test_what_a_peer_has_said_is_heard_without_waiting(tls12: bool) -> None:
    client = peer_client_context(CLIENT)
    async with connected(only_tls12(client) if tls12 else client, SERVING) as (near, far):
        assert not heard(near)  # session tickets are no news
        await far.send_all(b"no, thanks")
        await near._stream.wait_readable(math.inf)
        assert heard(near)
        assert not near.quiet
        assert [await near.receive(4), heard(near), await near.receive()] == [
            b"no, ",
            True,
            b"thanks",
        ]
        assert not heard(near)
        await near.send_all(b"and on")
        assert await far.receive() == b"and on"


async def test_what_a_peer_said_before_it_hung_up_outlives_a_send_that_failed() -> None:
    async with connected(peer_client_context(CLIENT), SERVING) as (near, far):

        async def hang_up() -> None:
            await far.send_all(b"no")
            await far.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hang_up)
            with pytest.raises(ClosedError):
                await near.send_all(bytes(64 << 20))
        assert await near.receive() == b"no"


async def test_a_deadline_holds_for_a_silent_peer(autojump_clock: MockClock) -> None:
    async with connected(peer_client_context(CLIENT), SERVING) as (near, far):
        far.deadline = trio.current_time() + 3
        with pytest.raises(TimedOutError):
            await far.receive()
        far.deadline = trio.current_time() + 3
        with pytest.raises(TimedOutError):
            await far.send_all(bytes(64 << 20))
        with pytest.raises(ClosedError, match="cut short"):
            await far.send_all(b"next")
        assert near.deadline == math.inf


async def test_closing_does_not_wait_long_for_a_peer_that_reads_nothing(
    autojump_clock: MockClock,
) -> None:
    async with connected(peer_client_context(CLIENT), SERVING) as (_, far):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(far.send_all, bytes(64 << 20))
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        began = trio.current_time()
        await far.aclose()
        assert trio.current_time() - began <= 1


# --- openssl s_client as the independent peer -----------------------------------------------


async def s_client(
    folder: Path, identity: TlsIdentity | None, server: TlsContext, *options: str
) -> tuple[str, TlsStream | None]:
    """Run ``openssl s_client`` against one connection; what it printed, and our end if it came."""
    arguments = ["-ign_eof", *options]
    if identity is not None:
        leaf, chain, key = write_pem(identity, folder, "client")
        arguments += ["-cert", str(leaf), "-key", str(key)]
        arguments += ["-cert_chain", str(chain)] if len(identity.chain) > 1 else []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        ours: list[TlsStream] = []

        async def serve() -> None:
            await trio.lowlevel.wait_readable(listener)
            sock, _ = listener.accept()
            try:
                tls = await accept_tls(SocketStream(sock), server)
            except NetError:
                return
            ours.append(tls)
            await tls.send_all(b"hello from here\n")
            await tls.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            done = await trio.run_process(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments],
                stdin=b"",
                capture_stdout=True,
                stderr=subprocess.STDOUT,
                check=False,
            )
    return done.stdout.decode(errors="replace"), ours[0] if ours else None


@pytest.mark.parametrize(
    "suite", ["ECDHE-RSA-AES256-SHA384", "DHE-RSA-AES256-SHA256", "ECDHE-ECDSA-AES256-SHA384"]
)
async def test_openssl_agrees_on_each_suite_of_the_reference(suite: str, tmp_path: Path) -> None:
    identity = SERVER if "ECDSA" in suite else rsa_identity()
    server = peer_server_context(identity, ACCEPT, [UNKNOWN_CA.chain[0]])
    printed, ours = await s_client(tmp_path, CHAINED, server, "-tls1_2", "-cipher", suite)
    assert ours is not None, printed
    assert (ours.version, ours.cipher) == ("TLSv1.2", suite)
    assert ours.peer_chain == CHAINED.chain
    assert "hello from here" in printed
    assert "Acceptable client certificate CA names\nCN = ca" in printed.replace("CN=ca", "CN = ca")


async def test_openssl_agrees_on_tls_1_3(tmp_path: Path) -> None:
    printed, ours = await s_client(tmp_path, CLIENT, SERVING, "-tls1_3")
    assert ours is not None, printed
    assert ours.version == "TLSv1.3"
    assert "hello from here" in printed


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_sees_the_alert_when_it_is_refused(version: str, tmp_path: Path) -> None:
    printed, ours = await s_client(tmp_path, STRANGER, SERVING, version)
    assert ours is None
    assert "alert" in printed
    assert "certificate" in printed


@pytest.mark.parametrize(
    "options", [("-tls1_2", "-cipher", "AES256-SHA:@SECLEVEL=0"), ("-tls1_1",)], ids=str
)
async def test_other_suites_and_versions_are_refused(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    _, ours = await s_client(tmp_path, CLIENT, SERVING, *options)
    assert ours is None


async def test_a_sha1_signed_certificate_with_a_small_key_passes_if_registered(
    tmp_path: Path,
) -> None:
    files = [str(tmp_path / name) for name in ("key.pem", "leaf.pem", "ca.key", "ca.pem", "csr")]
    key, leaf, ca_key, ca, csr = files
    new = ["openssl", "req", "-nodes", "-newkey"]
    issue = ["openssl", "x509", "-req", "-sha1", "-in", csr, "-CA", ca, "-CAkey", ca_key]
    for command in (
        [*new, "rsa:2048", "-x509", "-subj", "/CN=old ca", "-keyout", ca_key, "-out", ca],
        [*new, "rsa:1024", "-subj", "/CN=old", "-keyout", key, "-out", csr],
        [*issue, "-out", leaf],
    ):
        await trio.run_process(command, capture_stdout=True, capture_stderr=True)
    server = peer_server_context(rsa_identity(), lambda _: True)
    options = ["-cert", leaf, "-key", key, "-tls1_2", "-cipher", "ALL:@SECLEVEL=0"]
    printed, ours = await s_client(tmp_path, None, server, *options)
    assert ours is not None, printed
    assert len(ours.peer_chain) == 1
