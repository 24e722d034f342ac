"""The signer's process from its settings: what it needs, whom it serves, how it ends."""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.net.drain import Drain
from xgate.net.errors import NetError
from xgate.sandbox.country import found_country
from xgate.sandbox.lines import Lines
from xgate.sandbox.places import Place
from xgate.securityserver.journal import Journal
from xgate.securityserver.settings import Settings, SettingsError, load_settings
from xgate.securityserver.signer_process import run_signer
from xgate.signer.ask import ask_signer
from xgate.signer.protocol import Answer, Counted, Numbered, SignDigests, Statistics


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return found_country(tmp_path, datetime.now(UTC), kind="P-256").consumer


def settings_of(place: Place, **changes: object) -> Settings:
    settings = load_settings(place.settings)
    keys = msgspec.structs.replace(settings.keys, signer="run/signer.sock")
    return msgspec.structs.replace(settings, **{"keys": keys, **changes})


async def start(place: Place, settings: Settings) -> None:
    """Run it; it is expected not to come so far as to sign."""
    clock = SystemClock()
    await run_signer(settings, place.folder, clock, Journal(clock), Drain())


async def test_it_needs_keys_and_a_socket_and_nothing_else(place: Place) -> None:
    lines, drain, clock = Lines(), Drain(), SystemClock()
    run = partial(run_signer, settings_of(place), place.folder, clock, Journal(clock, lines.write))
    async with trio.open_nursery() as nursery:
        path = await nursery.start(run, drain)
        assert path == place.folder / "run" / "signer.sock"

        async def ask(request: Numbered) -> Answer:
            return await trio.to_thread.run_sync(ask_signer, path, request)

        assert await ask(Statistics(1)) == Counted(1, {})
        await ask(SignDigests(2, "0", ()))
        with pytest.raises(Fault, match="token_not_found"):
            await ask(SignDigests(3, "9", ()))
        drain.start()
    assert not path.exists()
    assert [line["event"] for line in lines] == ["signing", "statistics", "stopped"]


async def test_it_can_be_started_again_but_not_twice(place: Place) -> None:
    for _ in range(2):
        drain, clock = Drain(), SystemClock()
        run = partial(run_signer, settings_of(place), place.folder, clock)
        async with trio.open_nursery() as nursery:
            await nursery.start(run, Journal(clock, Lines().write), drain)
            with pytest.raises(NetError, match="another signer is at work"):
                await start(place, settings_of(place))
            drain.start()


async def test_what_it_cannot_do_without_is_named(place: Place) -> None:
    with pytest.raises(SettingsError, match=r"\[keys\] needs signer"):
        await start(place, load_settings(place.settings))
    strange = msgspec.structs.replace(
        load_settings(place.settings).signer, allow_users=("nobody!",)
    )
    with pytest.raises(SettingsError, match=r"\[signer\] allow-users: There is no user 'nobody!'"):
        await start(place, settings_of(place, signer=strange))
    (place.folder / "pin").write_text("wrong\n")
    with pytest.raises(Fault, match="pin_incorrect"):
        await start(place, settings_of(place))


AS_NOBODY = """import os, sys
from pathlib import Path
from xgate.errors import Fault
from xgate.signer.ask import ask_signer
from xgate.signer.protocol import Login, Logout, Statistics
os.setgid(65534); os.setuid(65534)
for request in (Statistics(1), Login(2, "0", "wrong", True), Logout(3, "0")):
    try:
        print(ask_signer(Path(sys.argv[1]), request))
    except Fault as fault:
        print(fault)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        (("65534",), [b"Counted(id=1", *[b"access_denied: Only root"] * 2]),
        (("1",), [b"access_denied: Process"] * 3),
        ((), [b"Permission denied"] * 3),
    ],
)
async def test_other_users_may_use_it_if_they_are_named(
    place: Place, allowed: tuple[str, ...], said: list[bytes]
) -> None:
    clock, drain = SystemClock(), Drain()
    signer = msgspec.structs.replace(load_settings(place.settings).signer, allow_users=allowed)
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        await trio.Path(folder).chmod(0o711)
        keys = msgspec.structs.replace(settings_of(place).keys, signer=f"{folder}/run/s")
        settings = settings_of(place, signer=signer, keys=keys)
        run = partial(run_signer, settings, place.folder, clock, Journal(clock, Lines().write))
        async with trio.open_nursery() as nursery:
            path = await nursery.start(run, drain)
            done = await trio.run_process(
                [sys.executable, "-c", AS_NOBODY, str(path)], capture_stdout=True
            )
            drain.start()
    lines = done.stdout.splitlines()
    assert [part in line for part, line in zip(said, lines, strict=True)] == [True] * 3
