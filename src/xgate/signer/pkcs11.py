"""The PKCS#11 modules of ``devices.ini``, and the tokens in their slots, which come and go.

The rule: a token is known by its id, made of the format in its module's section; the same id is the
same object for as long as the module is open, also when the token left its slot and came back. Of
two slots that give one id the first counts. When a module shows no slots, or refuses at a look,
it is ended and started again, as the reference does (signer 4). One module hurts no other; the file
is read again when it has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pkcs11.exceptions import PKCS11Error
from pkcs11.types import Slot

from xgate.errors import Fault
from xgate.signer.cryptoki import TokenFacts, ckr_name
from xgate.signer.cryptoki_thread import PATIENCE, open_library
from xgate.signer.devices import ModuleSettings, read_devices
from xgate.signer.pkcs11_facts import fault_of, pin_status
from xgate.signer.pkcs11_token import Pkcs11Token
from xgate.signer.token import KeyParameters

__all__ = ["Pkcs11Devices", "Pkcs11Module"]


class Pkcs11Module:
    """One module; see ``tokens.TokenModule``. Its library is loaded at the first look."""

    def __init__(
        self,
        settings: ModuleSettings,
        parameters: KeyParameters | None = None,
        *,
        patience: float = PATIENCE,
    ) -> None:
        """:param parameters: of new keys. :param patience: seconds that one call may take."""
        self.settings = settings
        self._parameters = parameters or KeyParameters()
        self._library, self._give_back = open_library(settings, patience)
        self._tokens: dict[str, Pkcs11Token] = {}
        self._looked = False

    def tokens(self) -> Sequence[Pkcs11Token]:
        """The tokens that have been seen; those that are not there now are not available."""
        if not self._looked:
            with suppress(Fault):  # told by ``refresh``
                self.refresh()
        return tuple(self._tokens.values())

    def refresh(self) -> None:
        """Look into the slots; start the module again if it is out of order.

        :raises Fault: ``token_not_available``: the module, or one of its tokens, cannot be used.
        """
        self._looked = True
        self._library.call(self._refresh)

    def close(self) -> None:
        """Log out of every token, and end the module if nobody else uses its library."""
        try:
            self._library.call(self._end)
        except Fault:
            pass  # it hangs, and is left alone
        finally:
            self._give_back()

    def _end(self) -> None:
        for token in self._tokens.values():
            token.end()

    def _refresh(self) -> None:
        try:
            if not self._take_what_is_there():
                self._take(self._again())
        except PKCS11Error as error:
            raise fault_of(error, "token_not_available", self.settings.type) from None

    def _take_what_is_there(self) -> bool:
        """False when the module is out of order; a wrong PIN is no such thing."""
        try:
            seen = self._look()
            if not seen and not (self._library.users > 1 and self._library.slots()):
                return False  # but what others use is not taken from them
            self._take(seen)
        except PKCS11Error as error:
            if pin_status(error) is not None:
                raise
            return False
        return True

    def _again(self) -> dict[str, tuple[Slot, str, TokenFacts]]:
        """Start the module again and look once more."""
        self._library.reload()
        try:
            return self._look()
        except PKCS11Error as error:
            for token in self._tokens.values():
                token.vanish()
            raise Fault(
                "token_not_available", f"[{self.settings.type}] shows no slots: {ckr_name(error)}"
            ) from None

    def _look(self) -> dict[str, tuple[Slot, str, TokenFacts]]:
        """What is in the slots: by token id its slot, its name and its facts."""
        found: dict[str, tuple[Slot, str, TokenFacts]] = {}
        wanted = self.settings.slot_ids
        slots = [s for s in self._library.slots() if not wanted or s.slot_id in wanted]
        for position, slot in enumerate(slots):
            try:
                facts = self._library.cryptoki.token_facts(slot.slot_id)
            except PKCS11Error as error:
                if ckr_name(error) in _EMPTY:
                    continue  # it was pulled out a moment ago
                raise
            token_id = _token_id(self.settings, slot.slot_id, facts)
            found.setdefault(token_id, (slot, _name(self.settings, facts, position), facts))
        return found

    def _take(self, seen: dict[str, tuple[Slot, str, TokenFacts]]) -> None:
        """Tell every token where it is; a token that fails hides no other."""
        fault: Exception | None = None
        for token_id in self._tokens.keys() - seen.keys():
            self._tokens[token_id].vanish()
        for token_id, (slot, name, facts) in seen.items():
            token = self._tokens.get(token_id) or self._new(token_id)
            try:
                token.appear(slot, name, facts)
            except (Fault, PKCS11Error) as error:
                fault = fault or error
            self._tokens[token_id] = token
        if fault is not None:
            raise fault

    def _new(self, token_id: str) -> Pkcs11Token:
        return Pkcs11Token(token_id, self._library, self.settings, self._parameters)


_EMPTY = ("CKR_TOKEN_NOT_PRESENT", "CKR_DEVICE_REMOVED", "CKR_SLOT_ID_INVALID")


def _token_id(settings: ModuleSettings, slot_id: int, facts: TokenFacts) -> str:
    """Lower-case hex of what the format says (signer 4)."""
    told = settings.token_id_format
    for placeholder, value in (
        ("{moduleType}", settings.type),
        ("{slotIndex}", str(slot_id)),
        ("{serialNumber}", facts.serial),
        ("{label}", facts.label),
    ):
        told = told.replace(placeholder, value)
    return told.encode().hex()


def _name(settings: ModuleSettings, facts: TokenFacts, position: int) -> str:
    pieces = [settings.type, facts.serial, facts.label, str(position)]
    return "-".join(piece for piece in pieces if piece)


class Pkcs11Devices:
    """All modules of a ``devices.ini``, as one ``tokens.TokenModule`` that follows the file."""

    def __init__(
        self,
        path: Path,
        parameters: KeyParameters | None = None,
        note: Callable[[str], None] = lambda _: None,
        *,
        patience: float = PATIENCE,
    ) -> None:
        """:param note: told what is wrong with the file. :raises Fault: it cannot be read."""
        self._path = path
        self._parameters = parameters
        self._note = note
        self._patience = patience
        self._lock = threading.Lock()  # over the file and which modules are open
        self._read: tuple[int, int] | None = None
        self._modules: dict[str, Pkcs11Module] = {}
        self._follow()

    def tokens(self) -> Sequence[Pkcs11Token]:
        """The tokens of all modules."""
        modules = tuple(self._modules.values())
        return tuple(token for module in modules for token in module.tokens())

    def refresh(self) -> None:
        """Follow the file, and look into every module's slots.

        :raises Fault: ``token_not_available``: the first thing that cannot be used.
        """
        faults: list[Fault] = []

        def attempt(work: Callable[[], None]) -> None:
            try:
                work()
            except Fault as fault:
                faults.append(fault)

        attempt(self._follow)
        for module in tuple(self._modules.values()):  # those that the file names now
            attempt(module.refresh)
        if faults:
            raise faults[0]

    def close(self) -> None:
        """Close every module."""
        with self._lock:
            for module in self._modules.values():
                module.close()
            self._modules = {}

    def _follow(self) -> None:
        """Open what is new in the file, close what is gone; what runs keeps its settings."""
        with self._lock:
            seen = self._stamp()
            if seen is not None and seen == self._read:
                return
            devices = read_devices(self._path)
            self._read = seen
            for text in devices.notes:
                self._note(f"{self._path}: {text}")
            wanted = {settings.type: settings for settings in devices.modules}
            gone = [name for name in self._modules if name not in wanted]
            closing = [self._modules[name] for name in gone]
            kept = {n: m for n, m in self._modules.items() if n in wanted}
            for name, settings in wanted.items():
                if name not in kept:
                    kept[name] = Pkcs11Module(settings, self._parameters, patience=self._patience)
            self._modules = kept
            for module in closing:
                module.close()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino
