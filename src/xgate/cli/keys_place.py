"""Which keys a command is about: those of a server's settings, or one key store by its name.

The rule: a command opens what it needs itself, beside a server that may be running; it asks for a
PIN only when it needs one: from where the options say, else the settings, else the terminal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from xgate.cli.configuration import open_servers_configuration
from xgate.cli.logstore import read_settings
from xgate.cli.output import Unusable, path_text, print_error, read_pin
from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, parse_short_client
from xgate.securityserver.keys import prepare_tokens
from xgate.securityserver.section import SettingsError
from xgate.securityserver.serverconf_source import open_configuration
from xgate.securityserver.settings import KeysSettings, Settings
from xgate.signer.admission import Terms
from xgate.signer.entries import SOFTWARE
from xgate.signer.hardening import harden_process
from xgate.signer.store import KeyStore, change_store, read_or_none
from xgate.signer.token import ManagedToken, TokenCertificate

__all__ = ["KeyPlace", "PinFrom", "WhichKeys", "ask_pin", "open_place", "read_member"]

_STORE = Path("keys.xgate")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WhichKeys:
    """The keys, by one of two.

    :param config: The settings file of a server: its key store, tokens, global configuration.
    :param store: A key store alone; keys.xgate if neither is given.
    """

    config: Path | None = None
    store: Path | None = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PinFrom:
    """The PIN; without these it is where the settings say, or asked for on the terminal.

    :param pin_file: A file whose first line is the token's PIN.
    :param pin_env: The environment variable that holds the PIN.
    """

    pin_file: Path | None = None
    pin_env: str | None = None


class KeyPlace:
    """The keys that a command is about.

    :ivar keys: the settings of the keys. :ivar folder: where their relative paths count from.
    """

    def __init__(self, which: WhichKeys) -> None:
        """:raises Unusable: the options or the settings cannot be used."""
        if which.config is not None and which.store is not None:
            raise Unusable("Say which keys: --config or --store, not both")
        self._config = which.config
        self._settings = None if which.config is None else read_settings(which.config)
        if self._settings is not None and which.config is not None:
            self.keys = self._settings.keys
            self.folder = which.config.resolve().parent
        else:
            self.keys = KeysSettings(store=str(which.store or _STORE))
            self.folder = Path()
        try:
            self.tokens = prepare_tokens(self.keys, self.folder, _tell)
        except SettingsError as error:
            raise Unusable(str(error)) from None

    @property
    def settings(self) -> Settings:
        """The server's. :raises Unusable: only a key store was named."""
        if self._settings is None:
            raise Unusable("This needs --config: the server's settings and global configuration")
        return self._settings

    def read(self) -> KeyStore:
        """The registry. :raises Unusable: it cannot be read."""
        try:
            return self.tokens.read()
        except Fault as fault:
            raise Unusable(str(fault)) from None

    def maybe_read(self) -> KeyStore | None:
        """The registry, if there is one. :raises Unusable: it cannot be read."""
        try:
            return read_or_none(self.tokens.store)
        except Fault as fault:
            raise Unusable(str(fault)) from None

    def change(self, edit: Callable[[KeyStore], KeyStore]) -> KeyStore:
        """Change the registry, or begin it.

        :raises Unusable: it cannot be read or written; and what ``edit`` raises.
        """
        self.maybe_read()
        try:
            return change_store(self.tokens.store, edit)
        except OSError as error:
            raise Unusable(
                f"Cannot write {path_text(self.tokens.store)}: {error.strerror}"
            ) from None

    def log_in(self, token: ManagedToken, pin: PinFrom) -> None:
        """Log in, unless that is done. :raises Fault: as ``ManagedToken.login``."""
        if token.state().active:
            return
        said = pin.pin_file is not None or pin.pin_env is not None
        if said or not self.tokens.login(token):
            token.login(ask_pin(token.id, pin))

    def log_in_everywhere(self) -> None:
        """To every other token by the settings' PINs, to see the keys that were never used here.

        One that refuses hides no other: it is told of.
        """
        for token in self.tokens.all():
            if token.id != SOFTWARE and not token.state().active:
                try:
                    self.tokens.login(token)
                except Fault as fault:
                    _tell(token.id, fault)

    def certificates_on_tokens(self) -> dict[str, tuple[str, TokenCertificate]]:
        """Those that lie beside keys of tokens that are logged in and are not in the registry, with
        their token's id; by SHA-256 in hex.
        """
        known = {_sha256(c.der) for entry in self.read().keys for c in entry.certificates}
        found: dict[str, tuple[str, TokenCertificate]] = {}
        for token in self.tokens.all():
            try:
                certificates = token.certificates() if token.state().active else ()
            except Fault as fault:
                _tell(token.id, fault)
                continue
            found.update((_sha256(c.der), (token.id, c)) for c in certificates)
        return {name: one for name, one in found.items() if name not in known}

    def configuration(self) -> GlobalConf:
        """The global configuration as the server has it. :raises Unusable: there is none."""
        _ = self.settings
        return open_servers_configuration(self._config or Path())

    def terms(self, conf: GlobalConf) -> Terms:
        """What certificates are judged by. :raises Unusable: only a key store was named."""
        now, anywhere = SystemClock().now(), self.keys.auth_on_any_token
        return Terms(conf, self.settings.server_id, self._clients(), now, anywhere)

    def _clients(self) -> tuple[ClientId, ...]:
        """Those of the server, wherever its configuration is kept."""
        chosen = self.settings.serverconf
        if chosen.use == "sqlite" and not (self.folder / chosen.path).exists():
            return ()  # nothing was applied, and whoever looks makes no store
        try:
            return tuple(open_configuration(self.settings, self.folder)().clients)
        except (SettingsError, Fault) as error:
            raise Unusable(str(error)) from None


def ask_pin(token_id: str, pin: PinFrom, what: str = "PIN") -> str:
    """A PIN as the options say, or from the terminal. :raises Unusable: there is none."""
    return read_pin(pin.pin_file, pin.pin_env, prompt=f"{what} of token {token_id}: ")


@contextmanager
def open_place(which: WhichKeys | None) -> Iterator[KeyPlace]:
    """The keys, while the block lasts.

    :raises Unusable: as ``KeyPlace``.
    """
    harden_process(lock=False)  # it ends before anything of it is swapped out
    place = KeyPlace(which or WhichKeys())
    try:
        yield place
    finally:
        place.tokens.close()


def read_member(text: str | None) -> ClientId | None:
    """A member or subsystem from the command line. :raises Unusable: it is none."""
    try:
        return None if text is None else parse_short_client(text)
    except Fault as fault:
        raise Unusable(fault.text) from None


def _sha256(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def _tell(whose: str, fault: Fault) -> None:
    print_error(f"token {whose}: {fault}")
