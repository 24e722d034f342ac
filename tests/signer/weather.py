"""SoftHSM2 behind a module with weather (``weather.c``): it refuses, hides and hangs on demand."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import cffi

FUNCTIONS = {
    "C_Initialize": 0,
    "C_Finalize": 1,
    "C_GetSlotList": 4,
    "C_GetTokenInfo": 6,
    "C_OpenSession": 12,
    "C_GetSessionInfo": 15,
    "C_Login": 18,
    "C_Logout": 19,
    "C_Sign": 43,
}
NOTHING, ALL = 2**64 - 1, 2**64 - 2


def build_weather(folder: Path) -> Path:
    """Compile it."""
    library = folder / "weather.so"
    source = Path(__file__).with_name("weather.c")
    command = ["cc", "-O1", "-Wall", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library


class Weather:
    """The module's knobs; the same shared object is loaded by whoever uses the module."""

    def __init__(self, library: Path, real: Path) -> None:
        """:param library: as ``build_weather`` gives it. :param real: what is behind it."""
        self.library = library
        os.environ["XG_REAL_MODULE"] = str(real)
        ffi = cffi.FFI()
        ffi.cdef(
            "void weather_refuse(int, unsigned long, int, int); int weather_calls(int);"
            "void weather_hide(unsigned long); void weather_flags(unsigned long);"
            "unsigned long weather_init_flags(void); void weather_hang(int);"
            "int weather_hung(void); void weather_clear(void);"
        )
        self._so: Any = ffi.dlopen(str(self.library))
        self.clear()

    def refuse(self, function: str, code: int, *, after: int = 0, times: int = 1) -> None:
        """Give this code instead of the call, so many times, after so many good ones."""
        self._so.weather_refuse(FUNCTIONS[function], code, after, times)

    def calls(self, function: str) -> int:
        """How often it was called since ``clear``."""
        return int(self._so.weather_calls(FUNCTIONS[function]))

    def hide(self, slot: int) -> None:
        """Pull the token out of this slot; ``NOTHING``: put it back; ``ALL``: show no slots."""
        self._so.weather_hide(slot)

    def flags(self, more: int) -> None:
        """Let every token show these flags as well."""
        self._so.weather_flags(more)

    def init_flags(self) -> int:
        """The flags of the last C_Initialize, and 0x100; 0 when it came without arguments."""
        return int(self._so.weather_init_flags())

    def hang(self, on: bool) -> None:
        """Let C_Sign not return as long as this is on."""
        self._so.weather_hang(on)

    def hung(self) -> bool:
        """Somebody is in C_Sign."""
        return bool(self._so.weather_hung())

    def clear(self) -> None:
        """Fine weather."""
        self._so.weather_clear()
