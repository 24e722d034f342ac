"""What python-pkcs11 does not reach of a PKCS#11 module: its start and end, its PIN, its facts.

The rule: python-pkcs11 finds slots and objects, makes keys and signs; it always starts a module
without arguments, logs in only while it opens a session (which it loses when the PIN is wrong), and
shows neither memory sizes nor whether a session is still logged in. These six functions are called
here, by the module's own function list; every refusal is an ``Error`` that knows its CKR name.
A PIN lies in octets that are overwritten after the call.
"""

from __future__ import annotations

import re
from typing import Any

import cffi
import msgspec
from pkcs11.exceptions import PKCS11Error

__all__ = ["LOGGED_IN", "CkrError", "Cryptoki", "TokenFacts", "ckr_name"]

LOGGED_IN = frozenset({1, 3})
"""The states of a session in which the user is logged in: read only, and read and write."""

_CDEF = """
typedef unsigned long CK_ULONG;
typedef struct { void *mutexes[4]; CK_ULONG flags; void *reserved; } CK_C_INITIALIZE_ARGS;
typedef struct {
    unsigned char label[32], manufacturer[32], model[16], serial[16];
    CK_ULONG flags, max_sessions, sessions, max_rw_sessions, rw_sessions, max_pin, min_pin;
    CK_ULONG total_public, free_public, total_private, free_private;
    unsigned char hardware[2], firmware[2], utc_time[16];
} CK_TOKEN_INFO;
typedef struct { CK_ULONG slot, state, flags, device_error; } CK_SESSION_INFO;
typedef struct {
    unsigned char version[2];
    CK_ULONG (*C_Initialize)(CK_C_INITIALIZE_ARGS *);
    CK_ULONG (*C_Finalize)(void *);
    void *from_info_to_slot_info[4];
    CK_ULONG (*C_GetTokenInfo)(CK_ULONG, CK_TOKEN_INFO *);
    void *from_mechanisms_to_close_all[8];
    CK_ULONG (*C_GetSessionInfo)(CK_ULONG, CK_SESSION_INFO *);
    void *operation_state[2];
    CK_ULONG (*C_Login)(CK_ULONG, CK_ULONG, unsigned char *, CK_ULONG);
    CK_ULONG (*C_Logout)(CK_ULONG);
} CK_FUNCTION_LIST;
CK_ULONG C_GetFunctionList(CK_FUNCTION_LIST **);
"""
_USER = 1
_NO_OS_THREADS, _OS_LOCKING = 1, 2

_NAMES = {
    0x02: "HOST_MEMORY",
    0x03: "SLOT_ID_INVALID",
    0x05: "GENERAL_ERROR",
    0x06: "FUNCTION_FAILED",
    0x07: "ARGUMENTS_BAD",
    0x09: "NEED_TO_CREATE_THREADS",
    0x0A: "CANT_LOCK",
    0x30: "DEVICE_ERROR",
    0x31: "DEVICE_MEMORY",
    0x32: "DEVICE_REMOVED",
    0x50: "FUNCTION_CANCELED",
    0x54: "FUNCTION_NOT_SUPPORTED",
    0xA0: "PIN_INCORRECT",
    0xA1: "PIN_INVALID",
    0xA2: "PIN_LEN_RANGE",
    0xA3: "PIN_EXPIRED",
    0xA4: "PIN_LOCKED",
    0xB0: "SESSION_CLOSED",
    0xB3: "SESSION_HANDLE_INVALID",
    0xE0: "TOKEN_NOT_PRESENT",
    0xE1: "TOKEN_NOT_RECOGNIZED",
    0xE2: "TOKEN_WRITE_PROTECTED",
    0x100: "USER_ALREADY_LOGGED_IN",
    0x101: "USER_NOT_LOGGED_IN",
    0x102: "USER_PIN_NOT_INITIALIZED",
    0x104: "USER_ANOTHER_ALREADY_LOGGED_IN",
    0x105: "USER_TOO_MANY_TYPES",
    0x190: "CRYPTOKI_NOT_INITIALIZED",
    0x191: "CRYPTOKI_ALREADY_INITIALIZED",
}
_UNLIKE = {  # python-pkcs11 calls these otherwise
    "AnotherUserAlreadyLoggedIn": "USER_ANOTHER_ALREADY_LOGGED_IN",
    "FunctionCancelled": "FUNCTION_CANCELED",
    "TokenNotRecognised": "TOKEN_NOT_RECOGNIZED",
}


class CkrError(PKCS11Error):
    """A refusal of one of the functions called here."""

    def __init__(self, code: int) -> None:
        self.name = "CKR_" + _NAMES.get(code, f"0x{code:08X}")
        super().__init__(self.name)


def ckr_name(error: PKCS11Error) -> str:
    """The refusal as PKCS#11 calls it: ``CKR_PIN_INCORRECT``; what it says if it has no name."""
    if isinstance(error, CkrError):
        return error.name
    name = type(error).__name__
    if type(error) is PKCS11Error:
        said = str(error)
        return "CKR_CRYPTOKI_NOT_INITIALIZED" if "not initialized" in said else said
    return "CKR_" + _UNLIKE.get(name, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper())


class TokenFacts(msgspec.Struct, frozen=True):
    """What a token says of itself; sizes in octets, None where it does not say."""

    label: str
    manufacturer: str
    model: str
    serial: str
    flags: int
    max_pin: int
    min_pin: int
    total_public: int | None
    free_public: int | None
    total_private: int | None
    free_private: int | None
    firmware: str


class Cryptoki:
    """The function list of one module; every call is made on the thread that owns it."""

    def __init__(self, path: str) -> None:
        """Load the shared object. :raises OSError: it cannot be loaded, or is none."""
        self._ffi: Any = cffi.FFI()
        self._ffi.cdef(_CDEF)
        self._library = self._ffi.dlopen(path)  # stays open as long as its functions are used
        functions = self._ffi.new("CK_FUNCTION_LIST **")
        try:
            _check(getattr(self._library, "C_GetFunctionList")(functions))  # noqa: B009  mypy
        except AttributeError:
            raise OSError(f"{path} is no PKCS#11 module") from None
        self._functions = functions[0]

    def initialize(self, *, no_os_threads: bool | None, os_locking: bool | None) -> None:
        """Start the module; without arguments when neither is said (signer 3)."""
        arguments = self._ffi.NULL
        if no_os_threads is not None or os_locking is not None:
            arguments = self._ffi.new("CK_C_INITIALIZE_ARGS *")
            arguments.flags = (no_os_threads or 0) * _NO_OS_THREADS
            arguments.flags |= (os_locking or 0) * _OS_LOCKING
        _check(self._functions.C_Initialize(arguments))

    def finalize(self) -> None:
        """End the module: every session is gone."""
        _check(self._functions.C_Finalize(self._ffi.NULL))

    def token_facts(self, slot: int) -> TokenFacts:
        """What the token in this slot says of itself now."""
        info = self._ffi.new("CK_TOKEN_INFO *")
        _check(self._functions.C_GetTokenInfo(slot, info))
        return TokenFacts(
            label=self._text(info.label),
            manufacturer=self._text(info.manufacturer),
            model=self._text(info.model),
            serial=self._text(info.serial),
            flags=info.flags,
            max_pin=info.max_pin,
            min_pin=info.min_pin,
            total_public=self._size(info.total_public),
            free_public=self._size(info.free_public),
            total_private=self._size(info.total_private),
            free_private=self._size(info.free_private),
            firmware=f"{info.firmware[0]}.{info.firmware[1]}",
        )

    def session_state(self, session: int) -> int:
        """The state of a session; see ``LOGGED_IN``."""
        info = self._ffi.new("CK_SESSION_INFO *")
        _check(self._functions.C_GetSessionInfo(session, info))
        return int(info.state)

    def login(self, session: int, pin: bytearray) -> None:
        """Log the user in."""
        given = self._ffi.new("unsigned char[]", len(pin))
        buffer = self._ffi.buffer(given)
        buffer[:] = pin
        try:
            _check(self._functions.C_Login(session, _USER, given, len(pin)))
        finally:
            buffer[:] = bytes(len(pin))

    def logout(self, session: int) -> None:
        """Log the user out, of every session of this token."""
        _check(self._functions.C_Logout(session))

    def _text(self, field: Any) -> str:
        octets = bytes(self._ffi.buffer(field))
        return octets.rstrip(b"\0").decode("utf-8", "replace").strip()

    @staticmethod
    def _size(value: int) -> int | None:
        return None if value >> 31 else int(value)  # all bits: not available


def _check(code: int) -> None:
    if code:
        raise CkrError(code)
