"""Reading descriptions of services: which services a WSDL has, which endpoints an OpenAPI document.

The rule: read to register what is there; refused when something cannot be an identifier, or an
endpoint is there twice: what is registered decides who may call what. Nothing that a document
refers to is fetched. Sources: admin-api 3 and 6 (service descriptions), metaservices 3 and 5.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

import msgspec
from lxml import etree

from xgate.errors import Fault
from xgate.wire import xml
from xgate.wire.descriptions import DESCRIPTION_LIMIT, is_json
from xgate.wire.names import XROAD_NS
from xgate.wire.yaml_nodes import read_yaml, texts_of

__all__ = ["DescribedApi", "DescribedService", "read_openapi", "read_wsdl"]

_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_ADDRESSES = tuple(
    f"{{http://schemas.xmlsoap.org/wsdl/{soap}/}}address" for soap in ("soap", "soap12")
)
# The second is of the protocol's version before 6, and still in the field.
_VERSIONS = (f"{{{XROAD_NS}}}version", "{http://x-road.ee/xsd/x-road.xsd}version")
_MERGE = "<<"
_MOST_ENDPOINTS = 4000  # each message is held against all of them, on the event loop
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_IDENTIFIER = re.compile(r"[^:;/\\%\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028\u2029\ufeff]{1,255}")
_TEMPLATE = re.compile(r"\{[^{}/]*\}")


class DescribedService(msgspec.Struct, frozen=True):
    """One operation of a WSDL, as a service: its code, version if it has one, and address."""

    code: str
    version: str | None
    url: str


class DescribedApi(msgspec.Struct, frozen=True):
    """What an OpenAPI document says: where the service is, and its endpoints.

    :param url: of the first server, "" if none is said. :param endpoints: method and path pattern,
        in the order of the document; templates are ``*``.
    """

    url: str
    endpoints: tuple[tuple[str, str], ...]


def read_wsdl(octets: bytes) -> tuple[DescribedService, ...]:
    """The services of a WSDL 1.1, in the order of its ports; what is at several is at the first.

    :raises Fault: ``invalid_wsdl`` for what is none, or has no service;
        ``invalid_wsdl_service_identifier``.
    """
    try:
        root = xml.parse(octets, limit=DESCRIPTION_LIMIT)
    except Fault as fault:
        raise Fault("invalid_wsdl", f"The WSDL cannot be read: {fault.text}") from None
    if root.tag != f"{_WSDL}definitions":
        raise Fault("invalid_wsdl", f"It is no WSDL: its root is '{etree.QName(root).localname}'")
    bindings = {binding.get("name"): binding for binding in root.iterfind(f"{_WSDL}binding")}
    services: dict[tuple[str, str | None], DescribedService] = {}
    for port in root.iterfind(f"{_WSDL}service/{_WSDL}port"):
        for service in _of_port(port, bindings):  # takes a binding out: it counts once
            services.setdefault((service.code, service.version), service)
    if not services:
        raise Fault("invalid_wsdl", "The WSDL has no operation at a SOAP address")
    return tuple(services.values())


def read_openapi(octets: bytes, content_type: str, url: str) -> DescribedApi:
    """What an OpenAPI document of version 3.0 or 3.1.0 says.

    :param content_type: what the document's server calls it. :param url: where it is: a relative
        server counts from there.
    :raises Fault: ``openapi_parsing_error``, ``unsupported_openapi_version``.
    """
    try:
        document = _load(octets, is_json(content_type, url))
    except (ValueError, RecursionError) as error:
        _refuse(str(error).partition("\n")[0])
    if not isinstance(document, dict):
        _refuse("it is no object")
    version = document.get("openapi")
    if not isinstance(version, str):
        _refuse("it has no version: openapi must be a text")
    if not (version.startswith("3.0") or version == "3.1.0"):
        raise Fault("unsupported_openapi_version", f"OpenAPI {version} is not 3.0 or 3.1.0")
    endpoints = tuple(islice(_endpoints(document), _MOST_ENDPOINTS + 1))
    if len(endpoints) > _MOST_ENDPOINTS:
        _refuse(f"it has more than {_MOST_ENDPOINTS} endpoints")
    for endpoint, times in Counter(endpoints).items():
        if times > 1:
            _refuse(f"it has the endpoint {' '.join(endpoint)} twice")
    return DescribedApi(_base_url(document.get("servers"), url), endpoints)


def _of_port(
    port: etree._Element, bindings: dict[str | None, etree._Element]
) -> Iterator[DescribedService]:
    address = next((found for tag in _ADDRESSES for found in port.iterfind(tag)), None)
    if address is None:
        return  # of another protocol
    binding = bindings.pop((port.get("binding") or "").rpartition(":")[2], None)
    if binding is None:
        return  # there is none, or its services are at another port already
    for operation in binding.iterfind(f"{_WSDL}operation"):
        code = operation.get("name") or ""
        version = next((text for tag in _VERSIONS if (text := operation.findtext(tag))), None)
        for text in (code, *([] if version is None else [version])):
            if not _IDENTIFIER.fullmatch(text):
                raise Fault(
                    "invalid_wsdl_service_identifier",
                    f"'{text}' of {_named(code, version)} cannot be an identifier",
                )
        yield DescribedService(code, version, (address.get("location") or "").strip())


def _named(code: str, version: str | None) -> str:
    return code if version is None else f"{code}.{version}"


def _load(octets: bytes, as_json: bool) -> Any:
    if len(octets) > DESCRIPTION_LIMIT:
        raise ValueError(f"it is larger than {DESCRIPTION_LIMIT} octets")
    if as_json:
        return json.loads(octets, object_pairs_hook=_unique)
    return texts_of(read_yaml(octets))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _endpoints(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    paths = document.get("paths")
    for mapping in (document, paths):
        _check_whole(mapping)
    for path, item in paths.items() if isinstance(paths, dict) else ():
        if not path.startswith("/") or not isinstance(item, dict):
            continue
        _check_whole(item)
        for method in _METHODS:
            if method in item:
                yield method.upper(), _TEMPLATE.sub("*", path)


def _check_whole(mapping: Any) -> None:
    """What is merged from elsewhere would be endpoints that nobody sees here."""
    if isinstance(mapping, dict) and _MERGE in mapping:
        _refuse(f"it merges paths ('{_MERGE}'); write them out")


def _base_url(servers: Any, url: str) -> str:
    first = servers[0] if isinstance(servers, list) and servers else None
    said = first.get("url") if isinstance(first, dict) else None
    if not isinstance(said, str) or not said:
        return ""
    try:
        whole = said if "{" in said else urljoin(url, said)
        urlsplit(whole)
    except ValueError:
        _refuse(f"'{said}' is no address")
    return whole


def _refuse(why: str) -> NoReturn:
    raise Fault("openapi_parsing_error", f"The OpenAPI document cannot be used: {why}")
