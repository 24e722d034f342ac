"""From the settings file to what the server knows of itself (``ServerConf``).

The rule: an identifier, a URL or a certificate that cannot be used is refused at start, by its
place in the file; so is what is listed twice, and a right that no request could ever use.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

from xgate.errors import Fault
from xgate.ids import (
    ClientId,
    GlobalGroupId,
    LocalGroupId,
    ServerId,
    ServiceId,
    Subject,
    parse_client,
    parse_short_client,
)
from xgate.securityserver.client_settings import (
    AllowSettings,
    ClientSettings,
    DescriptionSettings,
    Document,
    ReadService,
    ServiceSettings,
)
from xgate.securityserver.section import SettingsError
from xgate.securityserver.settings import Settings
from xgate.serverconf.model import (
    Authentication,
    Client,
    Endpoint,
    Protocol,
    Right,
    ServerConf,
    Service,
)
from xgate.trust.certificate import Certificate
from xgate.wire.method_list import METASERVICES
from xgate.wire.rest import VERBS

__all__ = [
    "check_client",
    "read_certificates",
    "read_client_id",
    "read_document",
    "read_serverconf",
]

_CARRIED = re.compile(r"[\x21-\x7e]+")  # in a request line
# What a log, a terminal and a person can tell apart; the reference's server warns of the others.
_CODE = re.compile(r"(?=.*\S)[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028\u2029\ufeff]{1,255}")


def read_serverconf(settings: Settings, folder: Path) -> ServerConf:
    """The configuration of this server as its settings file has it.

    :param folder: where relative certificate paths count from.
    :raises SettingsError: names the client or service and the cause.
    """
    return read_document(Document(settings.client), settings.server_id, folder)


def read_document(document: Document, server: ServerId, folder: Path) -> ServerConf:
    """The configuration that a document is. Errors as ``read_serverconf``."""
    clients: dict[ClientId, Client] = {}
    for section in document.client:
        client = _read_client(section, folder)
        if client.id in clients:
            raise SettingsError(f"client {section.id} is listed twice")
        if client.id.instance != server.owner.instance:
            raise SettingsError(f"client {section.id}: this server is in {server.owner.instance}")
        clients[client.id] = client
    _check_timestamping(document.timestamping_services or ())
    return ServerConf(server, clients, document.timestamping_services)


def check_client(section: ClientSettings, folder: Path) -> None:
    """Refuse a client that cannot be one. Errors as ``read_serverconf``."""
    _read_client(section, folder)


def _read_client(section: ClientSettings, folder: Path) -> Client:
    identifier = read_client_id(section.id)
    services: dict[tuple[str, str | None], Service] = {}
    rights: dict[str, tuple[Right, ...]] = {}
    for entry in section.service:
        service = _read_service(identifier, entry)
        name = (entry.code, entry.version)
        if name in services:
            raise SettingsError(f"service {service.id.short} is listed twice")
        services[name] = service
        _add_rights(rights, entry, service)
    single = frozenset(services)
    for entry in _described(section):
        if (entry.code, entry.version) in single:
            continue
        service = _read_service(identifier, entry)
        if (entry.code, entry.version) in services:  # whose address would it be, and whose rights?
            raise SettingsError(f"service {service.id.short} is in two descriptions")
        services[entry.code, entry.version] = service
        _add_rights(rights, entry, service)
    allowed = tuple(chain.from_iterable(rights.values()))
    groups = _read_groups(section)
    _check_groups(section, allowed, groups)
    return Client(
        id=identifier,
        authentication=Authentication(section.authentication),
        certificates=frozenset(read_certificates(section.certificates, folder)),
        services=services,
        rights=allowed,
        groups=groups,
    )


def _read_groups(section: ClientSettings) -> dict[str, frozenset[ClientId]]:
    groups: dict[str, frozenset[ClientId]] = {}
    for group in section.group:
        if group.code in groups:
            raise SettingsError(f"client {section.id}: the group {group.code} is listed twice")
        _check_code(f"client {section.id}: the code of a group", group.code)
        groups[group.code] = frozenset(map(read_client_id, group.members))
    return groups


def _check_groups(section: ClientSettings, rights: Iterable[Right], groups: Iterable[str]) -> None:
    """A right for a group that is not there would let nobody in, silently."""
    known = list(groups)
    for right in rights:
        if isinstance(right.subject, LocalGroupId) and right.subject.group_code not in known:
            code = right.subject.group_code
            near = difflib.get_close_matches(code, known, n=1)
            hint = f"did you mean local:{near[0]}?" if near else "say [[client.group]]"
            raise SettingsError(
                f"client {section.id}: {right.service_code} allows local:{code}, "
                f"which is no group of it; {hint}"
            )


def _check_code(what: str, code: str) -> None:
    if not _CODE.fullmatch(code):
        raise SettingsError(f"{what} is {code!r}: it must be of 1 to 255 characters that show")


def _described(section: ClientSettings) -> Iterable[ServiceSettings]:
    """The services that the client's documents told of when they were last read."""
    urls = [document.url for document in section.description]
    for document in section.description:
        if urls.count(document.url) > 1:
            raise SettingsError(f"client {section.id}: {document.url} is described twice")
        if document.type == "OPENAPI3" and not document.code:
            raise SettingsError(f"client {section.id}: the description {document.url} needs a code")
        read = document.services if document.type == "WSDL" else _described_api(document)
        for service in read:
            yield ServiceSettings(
                service.code,
                service.url,
                "SOAP" if document.type == "WSDL" else "REST",
                service.version,
                document.timeout_seconds,
                document.verify_tls,
                document.disabled,
                document.url,
                document.endpoints,
                document.allow,
            )


def _described_api(document: DescriptionSettings) -> Iterable[ReadService]:
    url = document.service_url or document.read_url
    if url:  # else it was never read
        yield ReadService(document.code, url)


def _read_service(client: ClientId, entry: ServiceSettings) -> Service:
    _check_code(f"client {client.short}: the code of a service", entry.code)
    if entry.version is not None:
        _check_code(f"service {client.short}/{entry.code}: the version", entry.version)
    identifier = ServiceId(client, entry.code, entry.version)
    if entry.code in METASERVICES:
        raise SettingsError(f"service {identifier.short}: the code {entry.code} is reserved")
    _check_url(identifier, "url", entry.url)
    if entry.description:
        _check_url(identifier, "description", entry.description)
    if entry.type == "REST" and entry.version is not None:
        raise SettingsError(f"service {identifier.short}: REST services have no version")
    if entry.type == "SOAP" and entry.endpoints:
        raise SettingsError(f"service {identifier.short}: SOAP services have no endpoints")
    if entry.type == "REST" and not set("?#").isdisjoint(entry.url):
        raise SettingsError(
            f"service {identifier.short}: url = {entry.url!r} has a query or a fragment; "
            "callers add path and query to the address of a REST service, so it ends with its path"
        )
    return Service(
        id=identifier,
        protocol=Protocol(entry.type),
        url=entry.url,
        timeout=entry.timeout_seconds,
        verify_tls=entry.verify_tls,
        disabled=entry.disabled,
        description=entry.description,
        endpoints=_read_endpoints(identifier, entry.endpoints),
    )


def _check_timestamping(urls: tuple[str, ...]) -> None:
    for url in urls:
        if not _is_address(url):
            raise SettingsError(f"timestamping-services: {url!r} is not http(s)://host/...")
        if urls.count(url) > 1:
            raise SettingsError(f"timestamping-services: {url} is listed twice")


def _check_url(service: ServiceId, key: str, url: str) -> None:
    if not _is_address(url):
        raise SettingsError(
            f"service {service.short}: {key} = {url!r} is not http(s)://host[:port]/... "
            "in characters that a URL may have"
        )
    if "@" in urlsplit(url).netloc:
        raise SettingsError(
            f"service {service.short}: {key} names a user; nobody would be told of it: services "
            "know this server by its certificate (xgate tls show)"
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0  # reading a port that is none raises
    except ValueError:
        return False
    return named and parts.scheme in ("http", "https") and bool(_CARRIED.fullmatch(url))


def _read_endpoints(service: ServiceId, texts: tuple[str, ...]) -> tuple[Endpoint, ...]:
    endpoints = tuple(_read_endpoint(service, text) for text in texts)
    for text, endpoint in zip(texts, endpoints, strict=True):
        if endpoints.count(endpoint) > 1:
            raise SettingsError(f"service {service.short}: the endpoint {text!r} is listed twice")
    return endpoints


def _read_endpoint(service: ServiceId, text: str) -> Endpoint:
    method, _, path = text.partition(" ")
    if not _is_place(method, path):
        raise SettingsError(
            f"service {service.short}: the endpoint {text!r} is not METHOD /path, as in 'GET /a/*'"
        )
    return Endpoint(method.upper(), path)


def _is_place(method: str, path: str) -> bool:
    """Whether a request can be for it at all."""
    return path.startswith(("/", "**")) and (method == "*" or method.upper() in VERBS)


def _add_rights(
    rights: dict[str, tuple[Right, ...]], entry: ServiceSettings, service: Service
) -> None:
    """A right names a code and no version (pipeline 8): it would open the other versions too."""
    found = tuple(_read_rights(entry))
    if set(rights.setdefault(entry.code, found)) != set(found):
        raise SettingsError(
            f"service {service.id.short}: a right holds for every version of a service; "
            f"allow the same at each one of {entry.code}"
        )


def _read_rights(entry: ServiceSettings) -> Iterable[Right]:
    for allow in entry.allow:
        said = AllowSettings(allow) if isinstance(allow, str) else allow
        if not _is_place(said.method, said.path):
            raise SettingsError(
                f"service code {entry.code}: {said.subject} is allowed method = {said.method!r}, "
                f"path = {said.path!r}, which no request has; say for example 'GET' and '/a/*'"
            )
        right = Right(_subject(said.subject), entry.code, said.method.upper(), said.path)
        if entry.type == "SOAP" and not right.whole_service:
            raise SettingsError(
                f"service code {entry.code}: {said.subject} is allowed a method or path of it, but "
                "SOAP services have none: leave them out"
            )
        yield right


def _subject(text: str) -> Subject:
    kind, _, rest = text.partition(":")
    if kind == "local" and rest:
        return LocalGroupId(rest)
    if kind == "group":
        instance, _, code = rest.partition("/")
        if instance and code:
            return GlobalGroupId(instance, code)
        raise SettingsError(f"{text!r} is not group:INSTANCE/CODE")
    return read_client_id(text)


def read_client_id(text: str) -> ClientId:
    """A client as written in a settings file.

    One with a ``%`` is read as in ``X-Road-Client``, for only so can a part hold ``/``.

    :raises SettingsError: it is none.
    """
    try:
        return parse_client(text) if "%" in text else parse_short_client(text)
    except Fault:
        raise SettingsError(f"{text!r} is not INSTANCE/CLASS/MEMBER or .../SUBSYSTEM") from None


def read_certificates(names: Iterable[str], folder: Path) -> Iterable[bytes]:
    """DER of certificates: of files, or written where their names could be.

    :raises SettingsError: names the one that cannot be used.
    """
    for name in names:
        written = name.startswith("-----BEGIN")
        which = "in PEM" if written else name  # what is no certificate may be a key
        try:
            octets = name.encode() if written else (folder / name).read_bytes()
            yield Certificate.load(octets).der
        except OSError as error:
            raise SettingsError(f"certificate {which}: {error.strerror}") from None
        except ValueError:
            raise SettingsError(f"certificate {which!r} cannot be a file's name") from None
        except Fault as fault:
            raise SettingsError(f"certificate {which}: {fault.text}") from None
