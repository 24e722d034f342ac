"""The path of a REST request: which service it names, and which endpoint a right must cover.

The rule: the raw path is what travels and what is signed; a decoded form exists only to be compared
with access rights. A path that a provider could decode to another endpoint has no decoded form, so
only a right to the whole service covers it; one that leads out of the service is refused whatever
rights exist. Sources: rest-protocol 1 and 8.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn
from urllib.parse import unquote

from xgate.errors import Fault
from xgate.ids import ClientId, ServiceId, decode_segment

__all__ = ["decode_service_path", "endpoint_matches", "read_reference", "read_service"]


def read_reference(line: str) -> tuple[str, str | None]:
    """Path and query, raw, of a reference that starts at the root, as java.net.URI takes it.

    A fragment is dropped.

    :raises Fault: ``internal_error`` for a scheme, an authority, or a character that is no URI's.
    """
    found = _REFERENCE.fullmatch(line)
    if found is None or line.startswith("//") or _NO_URI_CHARACTER.search(line):
        _refuse("Invalid request URI")
    return found["path"], found["query"]


def read_service(path: str) -> tuple[ServiceId, str]:
    """The service that a raw path ``/r1/INST/CLASS/CODE/SUB/SERVICE[/...]`` names, and the rest.

    The rest is the service path, raw: ``""``, or what follows from its slash on.

    :raises Fault: ``internal_error`` for another form, another version, or as ``decode_segment``.
    """
    root, *pieces = path.split("/", 7)
    if root or len(pieces) < 6:
        _refuse("Invalid request URI")
    version, *identifiers = pieces[:6]
    if not _VERSION.fullmatch(version):
        _refuse(f"Invalid protocol version {version}")
    if version != "r1":
        _refuse(f"Unsupported protocol version {version[1]}")
    *client, code = map(decode_segment, identifiers)
    return ServiceId(ClientId(*client), code), "/" + pieces[6] if len(pieces) == 7 else ""


def decode_service_path(path: str) -> str | None:
    """The service path as access rights see it, each segment decoded once.

    None when providers could differ about what it names: a decoded slash, backslash, ``%``, ``?``,
    ``#`` or control character, a dot segment in any spelling, an empty segment. Then nothing
    narrower than the whole service may match.

    :param path: raw, as ``read_service`` gives it.
    :raises Fault: ``internal_error`` when it can not be decoded; ``access_denied`` when it leads
        above its own root under any reading.
    """
    segments = [decode_segment(segment) for segment in path.split("/")]
    _check_inside(path)
    if "" in segments[1:-1]:
        return None
    for segment in segments:
        if _AMBIGUOUS.search(segment) or segment.partition(";")[0] in (".", ".."):
            return None
    return "/".join(segments)


def endpoint_matches(method: str, pattern: str, verb: str, path: str) -> bool:
    """Whether an endpoint (``method`` and ``pattern`` of a right) covers this verb and path.

    ``*`` stands for every method; in a pattern ``*`` stays inside a segment, ``**`` does not, and
    a backslash makes a star or a backslash literal. All else is literal and case sensitive.

    :param path: as ``decode_service_path`` gives it.
    """
    if method != "*" and method.upper() != verb.upper():
        return False
    return pattern == "**" or _compiled(pattern).fullmatch(path) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression that does not backtrack over more than one ``**``.

    Between two ``**`` the leftmost match is as good as any, because the later ``**`` takes what an
    earlier end leaves over; the same holds for the literals between two ``*``. So all but the last
    are atomic, and a hostile path costs at most the square of its length.
    """
    first, *rest = _split_on(_WIDE, pattern)
    expression = _chunk(first, last=not rest)
    for number, chunk in enumerate(rest, 1):
        last = number == len(rest)
        step = "[\\s\\S]*?" + _chunk(chunk, last=last)
        expression += step if last else f"(?>{step})"
    return re.compile(expression)


def _chunk(pattern: str, *, last: bool) -> str:
    first, *rest = _split_on("*", pattern)
    expression = re.escape(_literal(first))
    for number, text in enumerate(rest, 1):
        step = "[^/]*?" + re.escape(_literal(text))
        expression += step if last and number == len(rest) else f"(?>{step})"
    return expression


def _split_on(star: str, pattern: str) -> list[str]:
    """The pattern cut at each run of stars that is ``star``; escaped ones are no stars."""
    pieces = [""]
    for token in _TOKENS.findall(pattern):
        if star == (_WIDE if token.startswith(_WIDE) else token):
            pieces.append("")
        else:
            pieces[-1] += token
    return pieces


def _literal(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _check_inside(path: str) -> None:
    """Refuse a path above its root however often and however loosely a provider decodes it."""
    if ".." not in path and "%" not in path:
        return
    for _ in range(_ROUNDS):
        decoded = unquote(path, errors="replace")
        if decoded == path:
            break
        path = decoded
    else:
        raise Fault("access_denied", "Request is not allowed: its path is escaped too often")
    depth = 0
    for segment in _SLASHES.split(path):
        name = _CUT.split(segment, maxsplit=1)[0]
        depth += -1 if name == ".." else 0 if name in ("", ".") else 1
        if depth < 0:
            raise Fault(
                "access_denied", "Request is not allowed: its path leads out of the service"
            )


_CHARACTER = r"[A-Za-z0-9\-_.!~*'();/:@&=+$,]|%[0-9A-Fa-f]{2}|[^\x00-\x7f]"
_REFERENCE = re.compile(
    rf"(?P<path>/(?:{_CHARACTER})*)"
    rf"(?:\?(?P<query>(?:{_CHARACTER}|[?\[\]])*))?"
    rf"(?:#(?:{_CHARACTER}|[?\[\]])*)?"
)
# Beyond ASCII a URI has no control characters and no blanks of any kind.
_NO_URI_CHARACTER = re.compile(
    r"[\x80-\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
)
_WIDE = "**"
_ROUNDS = 4
_VERSION = re.compile(r"r[0-9]")
_TOKENS = re.compile(r"\\[*\\]|\*+|[^*\\]+|\\")
_ESCAPED = re.compile(r"\\([*\\])")
_AMBIGUOUS = re.compile(r"[/\\%?#\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SLASHES = re.compile(r"[/\\]+")
_CUT = re.compile(r"[;?#\x00]")


def _refuse(text: str) -> NoReturn:
    raise Fault("internal_error", text)
