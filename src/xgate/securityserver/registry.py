"""From the settings file to what the server knows of itself (``ServerConf``).

The rule: an identifier, a URL or a certificate that cannot be used is refused at start, by its
place in the file; a client or service listed twice is refused too.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from xgate.errors import Fault
from xgate.ids import (
    ClientId,
    GlobalGroupId,
    LocalGroupId,
    ServiceId,
    Subject,
    parse_client,
    parse_short_client,
)
from xgate.securityserver.settings import (
    AllowSettings,
    ClientSettings,
    ServiceSettings,
    Settings,
    SettingsError,
)
from xgate.serverconf.model import Authentication, Client, Protocol, Right, ServerConf, Service
from xgate.trust.certificate import Certificate

__all__ = ["read_serverconf"]


def read_serverconf(settings: Settings, folder: Path) -> ServerConf:
    """The configuration of this server.

    :param folder: where relative certificate paths count from.
    :raises SettingsError: names the client or service and the cause.
    """
    clients: dict[ClientId, Client] = {}
    for section in settings.client:
        client = _read_client(section, folder)
        if client.id in clients:
            raise SettingsError(f"client {section.id} is listed twice")
        clients[client.id] = client
    return ServerConf(settings.server_id, clients)


def _read_client(section: ClientSettings, folder: Path) -> Client:
    identifier = _client_id(section.id)
    services: dict[tuple[str, str | None], Service] = {}
    rights: list[Right] = []
    for entry in section.service:
        service = _read_service(identifier, entry)
        name = (entry.code, entry.version)
        if name in services:
            raise SettingsError(f"service {service.id.short} is listed twice")
        services[name] = service
        rights.extend(_read_rights(entry))
    return Client(
        id=identifier,
        authentication=Authentication(section.authentication),
        certificates=frozenset(_read_certificates(section.certificates, folder)),
        services=services,
        rights=tuple(rights),
        groups={g.code: frozenset(map(_client_id, g.members)) for g in section.group},
    )


def _read_service(client: ClientId, entry: ServiceSettings) -> Service:
    identifier = ServiceId(client, entry.code, entry.version)
    if urlsplit(entry.url).scheme not in ("http", "https") or not urlsplit(entry.url).hostname:
        raise SettingsError(f"service {identifier.short}: url = {entry.url!r} is not http(s)://...")
    if entry.type == "REST" and entry.version is not None:
        raise SettingsError(f"service {identifier.short}: REST services have no version")
    return Service(
        id=identifier,
        protocol=Protocol(entry.type),
        url=entry.url,
        timeout=entry.timeout_seconds,
        verify_tls=entry.verify_tls,
        disabled=entry.disabled,
    )


def _read_rights(entry: ServiceSettings) -> Iterable[Right]:
    for allow in entry.allow:
        right = AllowSettings(allow) if isinstance(allow, str) else allow
        yield Right(_subject(right.subject), entry.code, right.method, right.path)


def _subject(text: str) -> Subject:
    kind, _, rest = text.partition(":")
    if kind == "local" and rest:
        return LocalGroupId(rest)
    if kind == "group":
        instance, _, code = rest.partition("/")
        if instance and code:
            return GlobalGroupId(instance, code)
        raise SettingsError(f"{text!r} is not group:INSTANCE/CODE")
    return _client_id(text)


def _client_id(text: str) -> ClientId:
    """As written; one with a ``%`` as in ``X-Road-Client``, for only so can a part hold ``/``."""
    try:
        return parse_client(text) if "%" in text else parse_short_client(text)
    except Fault:
        raise SettingsError(f"{text!r} is not INSTANCE/CLASS/MEMBER or .../SUBSYSTEM") from None


def _read_certificates(names: Iterable[str], folder: Path) -> Iterable[bytes]:
    for name in names:
        try:
            yield Certificate.load((folder / name).read_bytes()).der
        except OSError as error:
            raise SettingsError(f"certificate {name}: {error.strerror}") from None
        except Fault as fault:
            raise SettingsError(f"certificate {name}: {fault.text}") from None
