"""One thread per library: calls wait for a bounded time, and a module that hangs is left alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
import trio
from tests.signer.weather import Weather

from xgate.errors import Fault
from xgate.signer.cryptoki_thread import Library, open_library
from xgate.signer.devices import ModuleSettings


@pytest.fixture
def library(weather: Weather) -> Iterator[Library]:
    library, give_back = open_library(ModuleSettings("hsm", str(weather.library)), 0.2)
    yield library
    give_back()


def well_again(library: Library) -> bool:
    """It answers, as soon as it has come back from what it was in."""
    while library.hangs:
        os.sched_yield()
    return library.call(lambda: not library.hangs)


def test_all_calls_are_made_by_one_thread(library: Library) -> None:
    seen = {library.call(threading.get_ident) for _ in range(3)}
    assert len(seen) == 1
    assert threading.get_ident() not in seen


def test_what_the_work_gives_and_raises_comes_back(library: Library) -> None:
    assert library.call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        library.call(lambda: 1 // 0)


def test_sections_that_name_one_library_share_its_thread(weather: Weather) -> None:
    """Also by another name of the file; it ends with its last user."""
    link = weather.library.with_name("link.so")
    link.unlink(missing_ok=True)
    link.symlink_to(weather.library)
    first, leave_first = open_library(ModuleSettings("a", str(weather.library)), 1)
    second, leave_second = open_library(ModuleSettings("b", str(link)), 1)
    assert first is second
    first.call(first.slots)
    leave_first()
    assert weather.calls("C_Finalize") == 0
    leave_second()
    assert weather.calls("C_Finalize") == 1


def test_a_library_that_was_given_back_is_not_waited_for(weather: Weather) -> None:
    library, give_back = open_library(ModuleSettings("hsm", str(weather.library)), 3600)
    give_back()
    with pytest.raises(Fault, match=r"token_not_available: .* no longer in use here"):
        library.call(library.slots)


def test_a_module_that_hangs_is_waited_for_once_then_refused_at_once(library: Library) -> None:
    """What waited behind it is never begun; when it answers, it is used again."""
    go, ran = threading.Event(), []
    with pytest.raises(Fault, match=r"token_not_available: .*has not answered for 0.2 s"):
        library.call(go.wait)
    while not library.hangs:  # its clock began a moment later
        os.sched_yield()
    with pytest.raises(Fault, match="token_not_available"):
        library.call(lambda: ran.append("late"))
    go.set()
    assert well_again(library)
    assert ran == []


def test_work_that_was_given_up_while_it_waited_is_not_begun(library: Library) -> None:
    go, ran, begun = threading.Event(), [], threading.Event()

    def hang() -> None:
        begun.set()
        go.wait()

    def first() -> None:
        with pytest.raises(Fault):
            library.call(hang)

    other = threading.Thread(target=first)
    other.start()
    begun.wait()
    with pytest.raises(Fault):  # before the first has lasted too long
        library.call(lambda: ran.append("never"))
    other.join()
    go.set()
    assert well_again(library)
    assert ran == []


def test_the_flags_of_the_settings_reach_the_module(weather: Weather) -> None:
    """Without either, it is started without arguments (signer 3)."""
    for no_threads, locking, flags in (
        (None, None, 0),
        (True, None, 0x101),
        (None, True, 0x102),
        (False, False, 0x100),
        (True, True, 0x103),
    ):
        settings = ModuleSettings(
            "hsm",
            str(weather.library),
            library_cant_create_os_threads=no_threads,
            os_locking_ok=locking,
        )
        library, give_back = open_library(settings, 5)
        if no_threads:  # SoftHSM2 does not mind the flag
            assert library.call(library.slots)
        else:
            library.call(library.slots)
        assert weather.init_flags() == flags
        give_back()


def test_a_reload_ends_the_module_and_starts_it_again(library: Library, weather: Weather) -> None:
    library.call(library.slots)
    before = library.generation
    library.call(library.reload)
    assert library.generation == before + 1
    assert (weather.calls("C_Finalize"), weather.calls("C_Initialize")) == (1, 2)
    weather.refuse("C_Initialize", 0x30)
    with pytest.raises(Fault, match="C_Initialize gave CKR_DEVICE_ERROR"):
        library.call(library.reload)
    library.call(library.reload)  # though it was not running
    assert library.call(library.slots)


@pytest.mark.parametrize(
    ("path", "why"), [("/nowhere/x.so", "cannot be loaded"), ("libc.so.6", "is no PKCS#11 module")]
)
def test_what_is_no_module_is_refused_by_its_name(path: str, why: str) -> None:
    library, give_back = open_library(ModuleSettings("hsm", path), 5)
    with pytest.raises(Fault, match=why):
        library.call(library.slots)
    give_back()


def test_a_child_does_not_use_what_its_parent_loaded(library: Library) -> None:
    library.call(library.slots)
    child = os.fork()
    if child == 0:
        try:
            library.call(lambda: None)
        except Fault as fault:
            os._exit(42 if "loaded by another process" in fault.text else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42


async def test_a_module_that_hangs_does_not_hold_up_the_event_loop(library: Library) -> None:
    go = threading.Event()
    ticks = 0
    async with trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(Fault, match="token_not_available"):
                await trio.to_thread.run_sync(library.call, go.wait)
            nursery.cancel_scope.cancel()

        nursery.start_soon(call)
        while not nursery.cancel_scope.cancel_called:
            ticks += 1
            await trio.sleep(0.005)
    go.set()
    assert ticks > 5
