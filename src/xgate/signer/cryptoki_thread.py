"""One thread for each PKCS#11 library: it loads it, makes every call to it, and ends it.

The rule: a module that is started without locking (the reference's default, and python-pkcs11's)
may be called by one thread at a time, and C_Initialize is for the whole process; so a library has
one thread, which all its users share, in whatever sections they name it. Others hand their calls
over and wait for a bounded time: a module that hangs costs its callers that time once, and from
then on they are refused at once (``token_not_available``) until it answers. What was given up
before it began is never begun. The thread is a daemon: a hanging module does not keep the process.
A library is loaded by the process that uses it, and a child does not inherit it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from pkcs11 import _pkcs11
from pkcs11.exceptions import PKCS11Error
from pkcs11.types import Slot

from xgate.errors import Fault
from xgate.signer.cryptoki import Cryptoki, ckr_name
from xgate.signer.devices import ModuleSettings

__all__ = ["PATIENCE", "Library", "open_library"]

PATIENCE = 30.0
"""Seconds that a caller waits for a module: as long as a slow card takes to make a key."""

T = TypeVar("T")
_LIB: Any = _pkcs11.lib  # its stub does not tell what __new__ takes


class _Call(Generic[T]):
    """Work that waits for the thread; whoever comes first, it or the caller's patience, has it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._taken = threading.Lock()
        self.done = threading.Event()
        self.result: T | None = None
        self.error: BaseException | None = None

    def take(self) -> bool:
        """Begin it or give it up; False when the other has done so."""
        return self._taken.acquire(blocking=False)

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001  it is the caller's
            self.error = error
        self.done.set()


class Library:
    """A loaded module. All but ``call`` and ``close`` are for work on its thread."""

    def __init__(self, settings: ModuleSettings, patience: float) -> None:
        self.path = settings.library
        self.generation = 0
        self.patience = patience
        self.users = 0
        self._name = Path(settings.library).name
        self._threads = (settings.library_cant_create_os_threads, settings.os_locking_ok)
        self._process = os.getpid()
        self._queue: SimpleQueue[_Call[Any] | None] = SimpleQueue()
        self._busy_since: float | None = None
        self._closed = False
        self._cryptoki: Cryptoki | None = None
        self._slots: _pkcs11.lib | None = None
        name = f"pkcs11 {self._name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], T]) -> T:
        """Let the thread do ``work`` and wait for what it gives, or raise what it raises.

        :raises Fault: ``token_not_available``: the module did not answer in time.
        """
        if os.getpid() != self._process:
            raise Fault("token_not_available", f"{self._name} was loaded by another process")
        if self._closed:
            raise self._unusable("it is no longer in use here")
        if self.hangs:
            raise self._unanswered()
        call = _Call(work)
        self._queue.put(call)
        if not call.done.wait(self.patience) and (call.take() or not call.done.is_set()):
            raise self._unanswered()
        if call.error is not None:
            raise call.error
        return call.result  # type: ignore[return-value]  # it is set when there is no error

    @property
    def hangs(self) -> bool:
        """A call has lasted longer than anybody waits."""
        busy = self._busy_since
        return busy is not None and time.monotonic() - busy > self.patience

    @property
    def cryptoki(self) -> Cryptoki:
        """The functions of the module, which is loaded and started when it is not yet.

        :raises Fault: ``token_not_available``.
        """
        if self._cryptoki is None:
            self._load()
        assert self._cryptoki is not None
        return self._cryptoki

    def slots(self) -> list[Slot]:
        """The slots in which there is a token. :raises PKCS11Error: as the module says."""
        if self._slots is None:
            self._load()
        assert self._slots is not None
        return self._slots.get_slots(token_present=True)

    def reload(self) -> None:
        """End the module and start it again; every session is gone (signer 4).

        :raises Fault: ``token_not_available``.
        """
        cryptoki = self.cryptoki
        try:
            cryptoki.finalize()
        except PKCS11Error as error:
            if ckr_name(error) != "CKR_CRYPTOKI_NOT_INITIALIZED":
                raise self._unusable(ckr_name(error)) from None
        self._start(cryptoki)

    def close(self) -> None:
        """End the module and its thread; a module that hangs is left to itself."""
        self._closed = True
        self._queue.put(None)
        self._thread.join(self.patience)

    def _run(self) -> None:
        while (call := self._queue.get()) is not None:
            if call.take():
                self._busy_since = time.monotonic()
                call.run()
                self._busy_since = None
            del call  # what it holds is free before the next comes
        if self._cryptoki is not None:
            try:
                self._cryptoki.finalize()
            except PKCS11Error:
                return  # nobody is left who could use it

    def _load(self) -> None:
        try:
            cryptoki = Cryptoki(self.path)
            # Made without its __init__, which would start the module without arguments.
            slots: _pkcs11.lib = _LIB.__new__(_LIB, self.path)
        except (OSError, PKCS11Error) as error:
            raise self._unusable(f"{self.path} cannot be loaded: {error}") from None
        self._start(cryptoki)
        self._cryptoki, self._slots = cryptoki, slots

    def _start(self, cryptoki: Cryptoki) -> None:
        self.generation += 1
        no_os_threads, os_locking = self._threads
        try:
            cryptoki.initialize(no_os_threads=no_os_threads, os_locking=os_locking)
        except PKCS11Error as error:
            raise self._unusable(f"C_Initialize gave {ckr_name(error)}") from None

    def _unanswered(self) -> Fault:
        return self._unusable(f"it has not answered for {self.patience:g} s")

    def _unusable(self, why: str) -> Fault:
        return Fault("token_not_available", f"The PKCS#11 module {self._name} is not usable: {why}")


_open: dict[str, Library] = {}
_lock = threading.Lock()


def open_library(
    settings: ModuleSettings, patience: float = PATIENCE
) -> tuple[Library, Callable[[], None]]:
    """The library of a module, which others may have open too, and what gives it back."""
    path = os.path.realpath(settings.library)
    with _lock:
        library = _open.get(path) or Library(settings, patience)
        library.users += 1
        _open[path] = library
    return library, lambda: _give_back(path)


def _give_back(path: str) -> None:
    with _lock:
        library = _open[path]
        library.users -= 1
        if not library.users:
            del _open[path]
            library.close()
