"""The configuration anchor: where an instance's configuration is found and whose signature counts.

The rule: an anchor is given by a person out of band, so it is small, strict and hashed for the eye.
Its certificates are octets here: they are compared by hash first and only a matching one is ever
parsed (globalconf 1, 11.2).
"""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

from xgate.errors import Fault
from xgate.globalconf.elements import Node, malformed_as, open_document
from xgate.globalconf.times import read_time

__all__ = ["Anchor", "AnchorSource", "anchor_hash", "read_anchor", "read_anchor_node"]

_MOST_OCTETS = 1024 * 1024
_MOST_SOURCES = 100


class AnchorSource(msgspec.Struct, frozen=True):
    """One place to download from; ``certificates`` as given, normally DER."""

    url: str
    certificates: tuple[bytes, ...]


class Anchor(msgspec.Struct, frozen=True):
    """The sources of one instance's configuration."""

    instance: str
    sources: tuple[AnchorSource, ...]
    generated_at: datetime | None = None


def read_anchor(data: bytes) -> Anchor:
    """Read an anchor file (globalconf 1).

    :raises Fault: ``malformed_anchor``.
    """
    with malformed_as("malformed_anchor", "configuration anchor"):
        if len(data) > _MOST_OCTETS:
            raise Fault("malformed_anchor", "the file is too large")
        return read_anchor_node(open_document(data, "configurationAnchor"))


def read_anchor_node(node: Node) -> Anchor:
    """Read an anchor that stands inside another document (private parameters).

    :raises Fault: ``malformed_global_conf``.
    """
    sources = node.nodes("source")
    if not 1 <= len(sources) <= _MOST_SOURCES:
        raise Fault("malformed_global_conf", f"an anchor has 1 to {_MOST_SOURCES} sources")
    instance = node.text("instanceIdentifier")
    if not instance.strip():
        raise Fault("malformed_global_conf", "the instance identifier is blank")
    generated = node.find_text("generatedAt")
    return Anchor(
        instance,
        tuple(map(_read_source, sources)),
        None if generated is None else read_time(generated, assume_utc=True),
    )


def anchor_hash(data: bytes) -> str:
    """The hash shown to people: SHA-224 of the file, ``AA:BB:…`` (globalconf 1)."""
    return hashlib.sha224(data).digest().hex(":").upper()


def _read_source(node: Node) -> AnchorSource:
    certificates = node.all_octets("verificationCert")
    if not certificates:
        raise Fault("malformed_global_conf", "a source has no verification certificate")
    return AnchorSource(node.text("downloadURL").strip(), certificates)
