"""A server's own configuration as text: TOML to keep, and facts to compare.

The rule: what stands at its default is not written, and what was written is read back the same; a
fact is a name that says what it is about, and a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import tomlkit

from xgate.cli.output import Unusable, path_text
from xgate.errors import Fault
from xgate.securityserver.client_settings import (
    AllowSettings,
    ClientSettings,
    DescriptionSettings,
    Document,
    ReadService,
    ServiceSettings,
)
from xgate.securityserver.section import SettingsError, read_table
from xgate.trust.certificate import Certificate
from xgate.trust.pem import write_pem

__all__ = ["facts_of_document", "read_document_file", "with_certificates", "write_document_text"]

_Fact = tuple[str, str]


def read_document_file(path: Path) -> Document:
    """A document from a TOML file; certificates that are files stay names.

    :raises Unusable: it cannot be read, or says something unknown or impossible.
    """
    try:
        return read_table(path, Document)
    except SettingsError as error:
        raise Unusable(str(error)) from None


def with_certificates(document: Document, folder: Path) -> Document:
    """The document with its certificates in it, instead of their files' names.

    :raises Unusable: a certificate cannot be read.
    """
    clients = tuple(
        msgspec.structs.replace(
            client, certificates=tuple(_pem(name, folder) for name in client.certificates)
        )
        for client in document.client
    )
    return msgspec.structs.replace(document, client=clients)


def write_document_text(document: Document) -> str:
    """The document in TOML, for people and for ``xgate apply``.

    What cannot be printed stands in it as TOML's own escapes, so no terminal needs to change it.
    """
    text = tomlkit.dumps(_table(document))
    return "".join(c if c.isprintable() or c == "\n" else f"\\U{ord(c):08X}" for c in text)


def facts_of_document(document: Document) -> dict[str, str]:
    """Every fact, by its name."""
    facts: dict[str, str] = {}
    if document.timestamping_services is not None:
        facts["timestamping services"] = ", ".join(document.timestamping_services)
    for client in document.client:
        facts |= {f"client {client.id}{what}": value for what, value in _of_client(client)}
    return facts


def _pem(name: str, folder: Path) -> str:
    written = name.startswith("-----BEGIN")
    which = "What is written as PEM" if written else name  # it may be a key
    try:
        octets = name.encode() if written else (folder / name).read_bytes()
        return write_pem("CERTIFICATE", Certificate.load(octets).der)
    except OSError as error:
        raise Unusable(f"Cannot read {path_text(folder / name)}: {error.strerror}") from None
    except ValueError:
        raise Unusable(f"{which!r} cannot be a file's name") from None
    except Fault as fault:
        raise Unusable(f"{which} is no certificate: {fault.text}") from None


def _table(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        defaults = {f.name: f.default for f in msgspec.structs.fields(value)}
        return {
            key: _table(getattr(value, field))
            for field, key in names
            if getattr(value, field) not in (None, defaults[field])
        }
    if isinstance(value, tuple):
        return [_table(item) for item in value]
    return value


def _of_client(client: ClientSettings) -> Iterator[_Fact]:
    yield " authentication", client.authentication
    for name in client.certificates:
        yield f" certificate {_digest(name)}", ""
    for service in client.service:
        yield from _of_service(service)
    for description in client.description:
        yield from _of_description(description)
    for group in client.group:
        yield f" group {group.code}", ""
        for member in group.members:
            yield f" group {group.code} member {member}", ""


def _of_service(service: ServiceSettings) -> Iterator[_Fact]:
    what = f" service {_named(service)}"
    yield f"{what} url", service.url
    yield f"{what} type", service.type
    yield f"{what} timeout", f"{service.timeout_seconds:g} s"
    yield f"{what} TLS verified", str(service.verify_tls).lower()
    if service.disabled is not None:
        yield f"{what} disabled", service.disabled
    if service.description:
        yield f"{what} description", service.description
    for endpoint in service.endpoints:
        yield f"{what} endpoint {endpoint}", ""
    yield from _of_rights(what, service.allow)


def _of_description(description: DescriptionSettings) -> Iterator[_Fact]:
    what = f" description {description.url}"
    yield f"{what} type", description.type
    yield f"{what} timeout", f"{description.timeout_seconds:g} s"
    yield f"{what} TLS verified", str(description.verify_tls).lower()
    if description.disabled is not None:
        yield f"{what} disabled", description.disabled
    if description.service_url:
        yield f"{what} service-url", description.service_url
    if description.code:
        yield f"{what} service {description.code}", description.service_url or description.read_url
    for service in description.services:
        yield f"{what} service {_named(service)}", service.url
    for endpoint in description.endpoints:
        yield f"{what} endpoint {endpoint}", ""
    yield from _of_rights(what, description.allow)


def _of_rights(what: str, allowed: tuple[str | AllowSettings, ...]) -> Iterator[_Fact]:
    for allow in allowed:
        right = AllowSettings(allow) if isinstance(allow, str) else allow
        yield f"{what} allows {right.subject}: {right.method} {right.path}", ""


def _named(service: ServiceSettings | ReadService) -> str:
    """Unlike any other: a dot may stand in a code."""
    return service.code if service.version is None else f"{service.code} version {service.version}"


def _digest(name: str) -> str:
    if not name.startswith("-----BEGIN"):
        return name
    return f"sha256 {hashlib.sha256(Certificate.load(name.encode()).der).hexdigest()}"
