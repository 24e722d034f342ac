"""The request target as a front HTTP server lets it through: what is refused before X-Road looks.

The rule: a path that two servers could read differently never enters. It is refused here with a
plain HTTP 400 (no fault document); what passes is kept octet for octet. The query is opaque.
Source: rest-protocol 1 (the front server's own refusals) and its trap 13.
"""

from __future__ import annotations

import re
from typing import NoReturn
from urllib.parse import unquote_to_bytes

import msgspec

from xgate.errors import Fault

__all__ = ["BadTarget", "Target", "read_target"]


class BadTarget(Fault):
    """A request that the front server answers with HTTP 400 by itself, without a fault document.

    It takes no prefix: no part of X-Road has seen the request.
    """

    status = 400

    def __init__(self, text: str) -> None:
        super().__init__("bad_request", text)

    def under(self, prefix: str) -> Fault:
        """Itself: no prefix changes it."""
        return self


class Target(msgspec.Struct, frozen=True):
    """Path and query exactly as received; the query is None when there is no ``?`` at all."""

    path: str
    query: str | None

    def __str__(self) -> str:
        return self.path if self.query is None else f"{self.path}?{self.query}"


def read_target(target: str, host: str | None) -> Target:
    """Path and query of a request target in origin form, or in absolute form of the same host.

    :param target: the request target, one character for each octet.
    :param host: the value of the Host header, None without one.
    :raises BadTarget: for every form and character that the front server does not take.
    """
    if not _VISIBLE.fullmatch(target):
        _refuse("the request target holds octets that must be escaped")
    if "#" in target:
        _refuse("the request target has a fragment")
    if not target.startswith("/"):
        target = _without_authority(target, host)
    path, mark, query = target.partition("?")
    _check_characters(path)
    _check_segments(path[1:].split("/"))
    return Target(path, query if mark else None)


def _without_authority(target: str, host: str | None) -> str:
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        _refuse("the request target is not a path")
    if host is None or absolute[1].lower() != host.lower():
        _refuse("the request target names another host")
    rest = absolute[2]
    return rest if rest.startswith("/") else "/" + rest


def _check_characters(path: str) -> None:
    if not _PATH.fullmatch(path):
        _refuse("the path has a character that must be escaped, or a malformed escape")
    if _REFUSED_ESCAPE.search(path):
        _refuse("the path has an escaped percent sign or backslash")
    try:
        decoded = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        _refuse("the path has escapes that are not UTF-8")
    if _CONTROL.search(decoded):
        _refuse("the path has an escaped control character")


def _check_segments(segments: list[str]) -> None:
    depth = 0
    for number, segment in enumerate(segments, 1):
        name, parameters, _ = segment.partition(";")
        if not name and number < len(segments):
            _refuse("the path has an empty segment")
        dots = name.lower().replace("%2e", ".")
        if dots in (".", "..") and (dots != name or parameters):
            _refuse("the path has an ambiguous dot segment")
        if name == "..":
            depth -= 1
        elif name not in ("", "."):
            depth += 1
        if depth < 0:
            _refuse("the path leads above the root")


_VISIBLE = re.compile(r"[\x21-\x7e]+")
_ABSOLUTE = re.compile(r"(?i:https?)://([^/?@]+)((?:[/?].*)?)")
_PATH = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
_REFUSED_ESCAPE = re.compile(r"%(?:25|5[Cc])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _refuse(text: str) -> NoReturn:
    raise BadTarget(text)
