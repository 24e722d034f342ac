"""Descriptions of services on their way to callers: WSDL and OpenAPI 3, without the real addresses.

The rule: a description is handed on as its provider wrote it but for where the service lives, which
is the security server's secret. A document is small and is refused otherwise; nothing in it is
fetched, and no YAML type but the plain ones is built (metaservices 3 and 5).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec
import yaml
from lxml import etree

from xgate.errors import Fault
from xgate.wire import xml

__all__ = [
    "DESCRIPTION_LIMIT",
    "hide_openapi_servers",
    "hide_wsdl_addresses",
    "is_json",
    "load_yaml",
]

DESCRIPTION_LIMIT = 4 * 1024 * 1024
"""The largest description that is handed on, in octets."""
_ADDRESS = "{http://schemas.xmlsoap.org/wsdl/soap/}address"
_PLACEHOLDER = "http://example.org/xroad-endpoint"
_DEPTH = 100


def hide_wsdl_addresses(octets: bytes) -> bytes:
    """A WSDL with every SOAP 1.1 address replaced, in UTF-8.

    :raises Fault: ``invalid_xml``.
    """
    root = xml.parse(octets, limit=DESCRIPTION_LIMIT)
    for address in root.iter(_ADDRESS):
        address.set("location", _PLACEHOLDER)
    return etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)


def hide_openapi_servers(octets: bytes, content_type: str, url: str) -> bytes:
    """An OpenAPI 3 document whose servers are paths, in the form it has: JSON or YAML.

    :param content_type: what the document's server calls it. :param url: where it is.
    :raises Fault: ``internal_error``.
    """
    as_json = is_json(content_type, url)
    try:
        document: Any = msgspec.json.decode(octets) if as_json else load_yaml(octets)
    except (msgspec.DecodeError, yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise _unreadable(url) from None
    if not isinstance(document, dict):
        raise _unreadable(url)
    _check_version(document.get("openapi", "3."))
    servers = document.get("servers")
    for server in servers if isinstance(servers, list) else ():
        if isinstance(server, dict) and isinstance(server.get("url"), str):
            server["url"] = _path_only(server["url"])
    try:
        return msgspec.json.encode(document) if as_json else _dump_yaml(document)
    except (TypeError, ValueError, RecursionError, yaml.YAMLError):
        raise _unreadable(url) from None


def is_json(content_type: str, url: str) -> bool:
    """Whether a document is JSON, by what its server calls it, or else by its name."""
    kind = content_type.lower()
    if "application/json" in kind:
        return True
    if kind.strip() == "application/x-yaml":
        return False
    return urlsplit(url).path.endswith(".json")


def load_yaml(octets: bytes) -> Any:
    """Plain values only. Whoever refers to one node from many places gets it many times by
    reference, so the document in memory is never larger than what was read.
    """
    depth = 0
    for event in yaml.parse(octets, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise yaml.YAMLError
    return yaml.load(octets, Loader=_LOADER)  # noqa: S506  a safe loader, below


def _dump_yaml(document: Any) -> bytes:
    text = yaml.dump(document, Dumper=_DUMPER, allow_unicode=True, sort_keys=False)
    return str(text).encode()


def _check_version(version: object) -> None:
    if not isinstance(version, str) or not version.startswith("3."):
        raise Fault(
            "internal_error",
            "Incompatible openapi version. Openapi version 3 or greater expected. "
            f"Given openapi document is of version {version}",
        )


def _path_only(url: str) -> str:
    if "{" in url and "}" in url:
        return url
    try:
        return urlsplit(url).path
    except ValueError:
        raise Fault("internal_error", f"Can't parse url string: {url}") from None


def _unreadable(url: str) -> Fault:
    return Fault(
        "internal_error", f"Failed overwriting origin URL for the openapi servers for {url}"
    )


# The parser in C where the wheel has it: it is ten times faster.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
