"""Who this server is towards information systems: its own certificate, now.

The rule: files that are named are read at the start and whenever they change; what cannot be used
then leaves what was there. Without files a certificate is made at every start.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from xgate.clock import Clock
from xgate.errors import Fault
from xgate.net.context import (
    TlsContext,
    TlsIdentity,
    information_system_context,
    service_context,
)
from xgate.net.errors import TlsError
from xgate.securityserver.internal_certificate import new_key, self_signed
from xgate.securityserver.section import SettingsError
from xgate.securityserver.tls_settings import TlsSettings

__all__ = ["InternalIdentity", "load_internal_identity"]

_LIFETIME = timedelta(days=365 * 20)


class InternalIdentity:
    """The certificate of now, and the TLS contexts that show it.

    :ivar paths: the files that it is read from. :ivar for_callers: the context of the HTTPS port.
    :ivar for_services: of calls to services, which may ask who calls.
    """

    for_callers: TlsContext
    for_services: TlsContext

    def __init__(self, settings: TlsSettings, folder: Path, clock: Clock) -> None:
        """:raises SettingsError: the files, or what is in them, cannot be used."""
        self._settings = settings
        self._folder = folder
        self._clock = clock
        named = (settings.certificate, settings.key) if settings.certificate else ()
        self.paths = tuple(folder / name for name in named)
        try:
            self._read()
        except TlsError as error:
            raise SettingsError(f"[tls] {error}") from None

    @property
    def certificate(self) -> bytes:
        """DER of the certificate itself."""
        return self._identity.chain[0]

    def renew(self) -> None:
        """Read the files anew; for threads.

        :raises Fault: ``incorrect_certificate``; everything is as it was.
        """
        try:
            self._read()
        except (SettingsError, TlsError) as error:
            raise Fault("incorrect_certificate", str(error)) from None

    def _read(self) -> None:
        identity = load_internal_identity(self._settings, self._folder, self._clock.now())
        contexts = information_system_context(identity), service_context(identity)
        self.for_callers, self.for_services = contexts
        self._identity = identity


def load_internal_identity(settings: TlsSettings, folder: Path, now: datetime) -> TlsIdentity:
    """The certificate shown to information systems; a fresh self-signed one if none is named.

    :raises SettingsError: the files cannot be used.
    """
    if not settings.certificate:
        key = new_key("ec")
        made = self_signed(key, ["xgate"], now, _LIFETIME)
        return TlsIdentity(key, (made.public_bytes(Encoding.DER),))
    try:
        chain = x509.load_pem_x509_certificates((folder / settings.certificate).read_bytes())
        key = load_pem_private_key((folder / settings.key).read_bytes(), None)  # type: ignore[assignment]  # the context refuses other keys by name
    except OSError as error:
        mend = "xgate tls generate makes both files"
        raise SettingsError(f"[tls] {error.filename}: {error.strerror}; {mend}") from None
    except (ValueError, TypeError) as error:
        raise SettingsError(f"[tls] the certificate or the key cannot be read: {error}") from None
    return TlsIdentity(key, tuple(c.public_bytes(Encoding.DER) for c in chain))
