"""Descriptions of services on their way to callers: WSDL and OpenAPI 3, without the real addresses.

The rule: a description is handed on as its provider wrote it but for where the service lives, as
far as the reference hides it: addresses of SOAP 1.1, and the servers of a whole OpenAPI document;
those of other bindings and of single paths are the provider's to keep out. A document is small and
is refused otherwise; nothing in it is fetched, and no YAML type but the plain ones is taken
(metaservices 3 and 5).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec
import yaml
from lxml import etree

from xgate.errors import Fault
from xgate.wire import xml
from xgate.wire.yaml_nodes import merging_nodes, read_yaml, text_of, write_yaml

__all__ = [
    "DESCRIPTION_LIMIT",
    "hide_openapi_servers",
    "hide_wsdl_addresses",
    "is_json",
]

DESCRIPTION_LIMIT = 4 * 1024 * 1024
"""The largest description that is handed on, in octets."""
_ADDRESS = "{http://schemas.xmlsoap.org/wsdl/soap/}address"
_PLACEHOLDER = "http://example.org/xroad-endpoint"


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
    return _hide_in_json(octets, url) if is_json(content_type, url) else _hide_in_yaml(octets, url)


def is_json(content_type: str, url: str) -> bool:
    """Whether a document is JSON, by what its server calls it, or else by its name."""
    kind = content_type.lower()
    if "application/json" in kind:
        return True
    if kind.strip() == "application/x-yaml":
        return False
    return urlsplit(url).path.endswith(".json")


def _hide_in_json(octets: bytes, url: str) -> bytes:
    try:
        document: Any = msgspec.json.decode(octets)
    except (ValueError, RecursionError):
        raise _unreadable(url) from None
    if not isinstance(document, dict):
        raise _unreadable(url)
    _check_version(document.get("openapi", "3."))
    servers = document.get("servers")
    for server in servers if isinstance(servers, list) else ():
        if isinstance(server, dict) and isinstance(server.get("url"), str):
            server["url"] = _path_only(server["url"])
    return msgspec.json.encode(document)


def _hide_in_yaml(octets: bytes, url: str) -> bytes:
    """As in JSON; in whatever mapping stands for the root or a server: it may be merged of some."""
    try:
        root = read_yaml(octets)
    except ValueError:
        raise _unreadable(url) from None
    if not isinstance(root, yaml.MappingNode):
        raise _unreadable(url)
    fields = [field for node in merging_nodes(root, set()) for field in node.value]
    for key, version in fields:
        if key.value == "openapi":
            _check_version(text_of(version) or version.value, text=text_of(version) is not None)
    seen: set[int] = set()
    for key, servers in fields:
        if key.value == "servers" and isinstance(servers, yaml.SequenceNode):
            for server in servers.value:
                _hide_server(server, seen)
    try:
        return write_yaml(root)
    except ValueError:
        raise _unreadable(url) from None


def _hide_server(server: yaml.Node, seen: set[int]) -> None:
    for node in merging_nodes(server, seen):
        for key, address in node.value:
            if key.value == "url" and (text := text_of(address)) is not None:
                address.value = _path_only(text)


def _check_version(version: object, *, text: bool = True) -> None:
    if not text or not isinstance(version, str) or not version.startswith("3."):
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
