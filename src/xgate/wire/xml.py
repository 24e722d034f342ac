"""The one door for XML from outside: ``parse`` builds a tree, ``scan`` reads a stream of events.

The rule: a document that declares a DOCTYPE is refused by looking at its prolog, before a parser
sees it; so there are no entities to expand and nothing to fetch. The encoding is decided here and
told to the parser, so two parsers can not read one document in two ways. Size, depth, the number
of nodes and the length of namespace names are bounded, so time is too: parsers name every element
in full. Sources: libraries.md finding 2, soap-protocol 3 and 5.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn, Protocol
from xml.parsers import expat

import msgspec
from lxml import etree

from xgate.errors import Fault

__all__ = [
    "DEPTH",
    "LIMIT",
    "NAMESPACE",
    "NODES",
    "TOLD",
    "Bounds",
    "Scanner",
    "check_size",
    "find_utf16",
    "is_plain",
    "parse",
    "scan",
]

LIMIT = 10 * 1024 * 1024
"""The largest document taken unless the caller says otherwise, in octets."""
DEPTH = 100
"""How deep elements may be nested unless the caller says otherwise; the root has depth 1."""
NODES = 1_000_000
"""How many tags, comments and attributes a document may have together, unless the caller says
otherwise."""
TOLD = 10_000
"""How many elements a scanner is told of; more are no message, for those inside are passed over."""
NAMESPACE = 512
"""How long the name of a namespace may be, in characters."""


class Bounds(msgspec.Struct, frozen=True):
    """What the form of a message may cost a scanner, whatever its size.

    :param depth: see ``DEPTH``. :param nodes: see ``NODES``. :param told: see ``TOLD``.
    :param namespace: see ``NAMESPACE``.
    """

    depth: int = DEPTH
    nodes: int = NODES
    told: int = TOLD
    namespace: int = NAMESPACE


_DEFAULT = Bounds()


class Scanner(Protocol):
    """What ``scan`` tells about a document, in document order."""

    def start(self, name: str, attributes: dict[str, str], offset: int) -> bool:
        """An element opens; ``offset`` is the place of its ``<`` in the octets.

        False passes over it: nothing inside is told, nor its end.
        """

    def end(self, name: str, offset: int) -> None:
        """An element closes; ``offset`` is the place of ``</``, or just past the ``/>`` of an
        element written empty.
        """

    def text(self, text: str) -> None:
        """Character data; one text may come in several pieces."""


def parse(
    data: bytes,
    *,
    limit: int = LIMIT,
    depth: int = DEPTH,
    nodes: int = NODES,
    layout: bool = True,
) -> etree._Element:
    """The root element of an XML document; comments and processing instructions are kept.

    Encodings: UTF-8 (with or without BOM), US-ASCII, ISO-8859-x.

    :param limit: the largest document taken, in octets. :param nodes: see ``NODES``.
    :param layout: False: blanks between elements may be left out, where that is safe to tell from
        the octets; they are a third of a configuration's tree. The text of an element that holds
        only text is the same either way.
    :raises Fault: ``invalid_xml`` for anything that is too big, too deep, not well-formed, in
        another encoding, or has a DOCTYPE.
    """
    check_size(data, limit=limit, nodes=nodes)
    encoding = _declared_encoding(data) or "UTF-8"
    if not _ASCII_COMPATIBLE.fullmatch(encoding):
        _refuse(f"the encoding {encoding} is not supported")
    _check_prolog(data)
    parser = etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_blank_text=not layout and is_plain(data),
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        raise Fault("invalid_xml", f"the document is not well-formed: {error}") from error
    if _deeper_than(depth)(root):
        _refuse(f"elements are nested deeper than {depth}")
    if _LONG_VALUE.search(data):
        _check_namespaces(root)
    # The prolog check lets neither happen; a parser that sees it otherwise must not win.
    if root.getroottree().docinfo.internalDTD is not None or any(True for _ in root.iter(_ENTITY)):
        _refuse(_DOCTYPE)
    return root


def scan(
    data: bytes,
    handler: Scanner,
    *,
    limit: int = LIMIT,
    bounds: Bounds = _DEFAULT,
    code: str = "invalid_xml",
) -> None:
    """Read a document as events, with the place of every tag in the original octets.

    Names are ``{namespace}local``, or ``local`` without a namespace; attributes likewise, without
    ``xmlns``. Encodings: UTF-8, UTF-16, US-ASCII, ISO-8859-x, windows-125x.

    :param code: the code of the refusal when the document itself is at fault (soap-protocol 5 row
        2 wants ``invalid_soap``); the first ``Fault`` of the handler passes as it is.
    :raises Fault: as said; also for a DOCTYPE, an undeclared prefix or a repeated attribute.
    """
    check_size(data, limit=limit, nodes=bounds.nodes, code=code)
    _check_prolog(_ascii_view(data), code)
    _Pass(handler, bounds, code).run(data)


def check_size(
    data: bytes, *, limit: int = LIMIT, nodes: int = NODES, code: str = "invalid_xml"
) -> None:
    """What ``parse`` and ``scan`` look at first: octets and nodes.

    :raises Fault: ``code`` for too many.
    """
    if len(data) > limit:
        _refuse(f"the document is larger than {limit} bytes", code)
    if data.count(b"<") + data.count(b"=") > nodes:
        _refuse(f"the document has more than {nodes} tags, comments and attributes", code)


def is_plain(data: bytes) -> bool:
    """Whether this is UTF-8, as it says itself, and no ``<`` in it anything but a tag's.

    Then all text of an element without children is one run, from its tag to the next. Where a
    comment, an instruction, a CDATA section or a carriage return divides it, libxml2 may take its
    first part for layout.

    :raises Fault: ``invalid_xml``: the XML declaration is malformed.
    """
    return (
        (_declared_encoding(data) or "UTF-8").upper() == "UTF-8"
        and b"\r" not in data
        and not _holds(data, b"<!", 0)
        and not _holds(data, b"<?", data.find(b">"))
    )


def _holds(data: bytes, pair: bytes, start: int) -> bool:
    """Whether these two are behind ``start``; one that is rare is found ten times as fast."""
    return data.find(pair[1:], start) >= 0 and data.find(pair, start) >= 0


def find_utf16(data: bytes) -> str | None:
    """Python's name of the UTF-16 that a document is in, by its first octets; None if in none."""
    return _WIDE.get(data[:2])


class _Pass:
    """One run of expat: names put together, depth counted, the handler called."""

    def __init__(self, handler: Scanner, bounds: Bounds, code: str) -> None:
        self._handler = handler
        self._bounds = bounds
        self._code = code
        self._depth = 0
        self._marked = False
        self._told = 0

    def run(self, data: bytes) -> None:
        self._marked = data.startswith(_BOM)
        self._parser = parser = expat.ParserCreate(None, "}")
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartNamespaceDeclHandler = self._namespace
        self._listen()
        try:
            parser.Parse(data, True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise Fault(self._code, f"the document is not well-formed: {error}") from error

    def _listen(self) -> None:
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._handler.text

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._told += 1
        if self._depth > self._bounds.depth:
            _refuse(f"elements are nested deeper than {self._bounds.depth}", self._code)
        if self._told > self._bounds.told:
            text = f"there are more than {self._bounds.told} elements where few are expected"
            _refuse(text, self._code)
        named = {_clark(key): value for key, value in attributes.items()} if attributes else {}
        if not self._handler.start(_clark(name), named, self._parser.CurrentByteIndex):
            self._pass_over()

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._handler.end(_clark(name), self._parser.CurrentByteIndex)

    def _pass_over(self) -> None:
        """Only count depth until the element that is open now has closed: most of a message is
        inside its body, and this is a third of the work.
        """
        depth, resumed, limit = self._depth, self._depth, self._bounds.depth

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > limit:
                _refuse(f"elements are nested deeper than {limit}", self._code)

        def end(name: str) -> None:
            nonlocal depth
            depth -= 1
            if depth < resumed:
                self._depth = depth
                self._listen()

        self._parser.StartElementHandler = start
        self._parser.EndElementHandler = end
        self._parser.CharacterDataHandler = None

    def _namespace(self, prefix: str | None, name: str | None) -> None:
        if name is not None and len(name) > self._bounds.namespace:
            _refuse(_long_namespace(self._bounds.namespace), self._code)

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is None:
            return
        if not _SCANNABLE.fullmatch(encoding):
            _refuse(f"the encoding {encoding} is not supported", self._code)
        if self._marked and encoding.lower() != "utf-8":
            _refuse(_CONTRADICTED, self._code)

    def _doctype(self, *_: object) -> None:
        _refuse(_DOCTYPE, self._code)


_DOCTYPE = "a document type declaration is not allowed"
_CONTRADICTED = "the XML declaration contradicts the byte order mark"
_ENTITY = etree.Entity
_BOM = b"\xef\xbb\xbf"
_WIDE = {
    b"\xff\xfe": "utf-16-le",
    b"<\0": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
    b"\0<": "utf-16-be",
}
_BLANKS = re.compile(rb"[ \t\r\n]*")
_ASCII_COMPATIBLE = re.compile(r"utf-8|us-ascii|iso-8859-([1-9]|1[0-6])", re.IGNORECASE)
_SCANNABLE = re.compile(
    r"utf-8|utf-16(le|be)?|us-ascii|iso-8859-([1-9]|1[0-6])|windows-125[0-8]", re.IGNORECASE
)
# What could be the value of an attribute that is too long; the content of an element as well.
_LONG_VALUE = re.compile(
    rb"""=[ \t\r\n]*(?:"[^"<]{%d}|'[^'<]{%d})""" % (NAMESPACE + 1, NAMESPACE + 1)
)
_PROLOG = 1000
_DECLARATION = re.compile(
    rb"""<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')"""
    rb"""(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*["']([A-Za-z][A-Za-z0-9._-]*)["'])?"""
    rb"""(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*["'](?:yes|no)["'])?[ \t\r\n]*\?>"""
)


def _declared_encoding(data: bytes) -> str | None:
    """The encoding that the XML declaration names; a declaration of another form is refused."""
    start = len(_BOM) if data.startswith(_BOM) else 0
    if not re.compile(rb"<\?xml[ \t\r\n]").match(data, start):
        return None
    declaration = _DECLARATION.match(data, start)
    if declaration is None:
        _refuse("the XML declaration is malformed")
    name = declaration[1]
    if start and name is not None and name.lower() != b"utf-8":
        _refuse(_CONTRADICTED)
    return None if name is None else name.decode("ascii")


def _check_namespaces(root: etree._Element) -> None:
    for _, (_, name) in etree.iterwalk(root, events=("start-ns",)):
        if len(name) > NAMESPACE:
            _refuse(_long_namespace(NAMESPACE))


def _long_namespace(most: int) -> str:
    return f"the name of a namespace is longer than {most} characters"


def _check_prolog(data: bytes, code: str = "invalid_xml") -> None:
    """Refuse a DOCTYPE: walk over blanks, comments and processing instructions to the root."""
    position = len(_BOM) if data.startswith(_BOM) else 0
    for _ in range(_PROLOG):
        blanks = _BLANKS.match(data, position)
        position = blanks.end() if blanks else position
        if data.startswith(b"<!--", position):
            position = data.find(b"-->", position + 4) + 3
        elif data.startswith(b"<?", position):
            position = data.find(b"?>", position + 2) + 2
        else:
            break
        if position < 4:
            _refuse("the document ends inside its prolog", code)
    else:
        _refuse("there is too much before the root element", code)
    if data.startswith(b"<!", position):
        _refuse(_DOCTYPE, code)


def _ascii_view(data: bytes) -> bytes:
    """The markup as ASCII whatever the encoding, good enough to find the root element."""
    wide = find_utf16(data)
    if wide is None:
        return data
    return data.decode(wide, "replace").removeprefix("\ufeff").encode("ascii", "replace")


@lru_cache(maxsize=16)
def _deeper_than(depth: int) -> etree.XPath:
    return etree.XPath("boolean(" + "/*" * (depth + 1) + ")")


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name


def _refuse(text: str, code: str = "invalid_xml") -> NoReturn:
    raise Fault(code, text)
