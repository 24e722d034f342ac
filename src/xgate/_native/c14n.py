"""Canonical XML of one element, by ``csrc/c14n.c``: what a signature's digest is taken over.

The rule: the document is untrusted and checked from end to end in the same pass; whatever cannot be
canonicalised with certainty is refused. ``twin_c14n`` is the same in plain Python, for the tests.
"""

from __future__ import annotations

from collections.abc import Sequence

from xgate._native._xg import ffi, lib
from xgate._native.check import check

__all__ = ["canonicalise"]


def canonicalise(
    document: bytes,
    element: int = 0,
    *,
    exclusive: bool = False,
    comments: bool = False,
    prefixes: Sequence[str] = (),
) -> bytes:
    """The canonical octets of one element's subtree, in the context of its document.

    Canonical XML 1.0, or Exclusive XML Canonicalization 1.0 (signature 3). Inherited namespace
    declarations count; without ``exclusive`` the element takes over its ancestors' ``xml:``
    attributes. Comments and instructions outside the root element are never part of the result.

    :param document: UTF-8 XML 1.0 without DOCTYPE, up to 10 MiB and 100 elements deep.
    :param element: index in document order, counting elements only; 0 is the root element.
    :param comments: keep comments ("WithComments").
    :param prefixes: InclusiveNamespaces PrefixList of the exclusive form, "#default" included.
    :raises Fault: ``invalid_xml``, with the cause and the octet where it was found.
    """
    octets = ffi.from_buffer("uint8_t[]", document)
    names = [ffi.from_buffer("uint8_t[]", prefix.encode()) for prefix in prefixes]
    spans = ffi.new("xg_span[]", [(name, len(name)) for name in names])
    options = ffi.new("xg_c14n_options *", (element, exclusive, comments, spans, len(names)))
    out, cause = ffi.new("xg_buf *"), ffi.new("xg_cause *")
    try:
        err = lib.xg_c14n_write(out, cause, (octets, len(octets)), options)
        if err:
            check(err, "invalid_xml", "XML document", _words(cause))
        return bytes(ffi.buffer(out.p, out.n))
    finally:
        lib.xg_buf_free(out)


def _words(cause: ffi.CData) -> str:
    if not cause.text:
        return ""
    return f"{ffi.string(cause.text).decode()}, at octet {cause.at}"
