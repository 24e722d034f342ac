"""The chain through the containers of an archive, and from one archive to the next.

The rule: every link hashes the hex text of the link before it and of the container's own digest, in
the order of the zip; the first one continues the last link of the archive before it. An archive
says all of this in its last file, ``linkinginfo``, one line for each container. Lines are in the
order of the containers here, so both can be read side by side and none need be kept; the reference
writes them so, though it would take others. Source: asic 3 and trap 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from xgate.algorithms import Digest, digest_named
from xgate.errors import Fault

__all__ = [
    "LINKING_INFO",
    "Chain",
    "Heading",
    "Link",
    "check_previous",
    "linking_digest",
    "read_heading",
    "read_line",
    "split_lines",
    "write_heading",
    "write_line",
]

LINKING_INFO = "linkinginfo"
"""The name of the last file in an archive."""
_ALGORITHMS = ("SHA-256", "SHA-384", "SHA-512")
_MOST_NAME = 1000
_MOST_LINE = 2000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Link(msgspec.Struct, frozen=True):
    """The end of an archive, which the next one continues: the last digest and the archive's name.

    :param digest: lower-case hex. :param file_name: with its ``.gpg``, if it is encrypted.
    """

    digest: str
    file_name: str


class Heading(msgspec.Struct, frozen=True):
    """The first line of ``linkinginfo``: what is continued (None: nothing), and the algorithm."""

    previous: Link | None
    digest: Digest


class Chain:
    """The links of one archive, growing container by container."""

    def __init__(self, heading: Heading) -> None:
        self._digest = heading.digest
        self.last = "" if heading.previous is None else heading.previous.digest

    def add(self, container: bytes) -> str:
        """Link the next container; the new ``last``, lower-case hex."""
        state = self._digest.new()
        state.update(container)
        return self.add_digest(state)

    def add_digest(self, state: Any) -> str:
        """The same for a ``hashlib`` object (of the heading's algorithm) that has seen it all."""
        own: str = state.hexdigest()
        self.last = self._digest.of((self.last + own).encode("ascii")).hex()
        return self.last


def linking_digest(name: str) -> Digest:
    """The algorithm of this name: SHA-256, SHA-384 or SHA-512.

    :raises Fault: ``archive_digest_not_supported``.
    """
    found = digest_named(name) if name in _ALGORITHMS else None
    if found is None:
        raise Fault("archive_digest_not_supported", f"'{name[:40]}' is no digest for archives")
    return found


def write_heading(heading: Heading) -> bytes:
    """The first line."""
    previous = heading.previous or Link("-", "-")
    return f"{previous.digest} {previous.file_name} {heading.digest.name}\n".encode()


def write_line(digest: str, name: str) -> bytes:
    """The line of one container."""
    return f"{digest} {name}\n".encode()


def read_heading(line: bytes) -> Heading:
    """Read the first line; a file name may have blanks in it, as a member's code may.

    :raises Fault: ``archive_invalid_linkinginfo``, ``archive_digest_not_supported``.
    """
    previous, _, rest = _text(line).partition(" ")
    name, _, algorithm = rest.rpartition(" ")
    if not name or len(name) > _MOST_NAME:
        raise _invalid("its first line does not tell what it continues")
    digest = linking_digest(algorithm)
    if previous == "-" or name == "-":
        if previous != name:
            raise _invalid("its first line names only half of what it continues")
        return Heading(None, digest)
    if not _is_hex(previous):
        raise _invalid("its first line has no digest")
    # A chain may pass on to another algorithm, so the size is not this one's.
    return Heading(Link(previous.lower(), name), digest)


def read_line(line: bytes, digest: Digest) -> tuple[str, str]:
    """Read the line of one container: its link (lower-case hex) and its name.

    :raises Fault: ``archive_invalid_linkinginfo``.
    """
    link, _, name = _text(line).partition(" ")
    if len(link) != 2 * digest.size or not _is_hex(link):
        raise _invalid("a line does not begin with a digest")
    if not name or len(name) > _MOST_NAME:
        raise _invalid("a line names no container")
    return link.lower(), name


def split_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, without LF (or CR LF), of octets that come in pieces of any size.

    The last one may lack its LF.

    :raises Fault: ``archive_invalid_linkinginfo`` for a line longer than any can be.
    """
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if max(map(len, (*lines, rest))) > _MOST_LINE:
            raise _invalid("a line is too long")
        for line in lines:
            yield line.removesuffix(b"\r")
    if rest:
        yield rest.removesuffix(b"\r")


def check_previous(heading: Heading, previous: Link | None) -> None:
    """Check that an archive continues this link; None: that it is the first of its chain.

    The name is not compared: a file may have been decrypted or moved, the digest is what counts.

    :raises Fault: ``archive_previous_digest_mismatch``.
    """
    told = None if heading.previous is None else heading.previous.digest
    wanted = None if previous is None else previous.digest.lower()
    if told != wanted:
        raise Fault(
            "archive_previous_digest_mismatch",
            f"The archive continues {_named(heading.previous)}, not {_named(previous)}",
        )


def _named(link: Link | None) -> str:
    return "nothing" if link is None else f"'{link.file_name}' with digest {link.digest[:16]}…"


def _text(line: bytes) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise _invalid("it is not UTF-8") from None
    if _CONTROL.search(text):
        raise _invalid("it has control characters in it")
    return text


def _is_hex(text: str) -> bool:
    return re.fullmatch("(?:[0-9A-Fa-f]{2})+", text) is not None


def _invalid(cause: str) -> Fault:
    return Fault("archive_invalid_linkinginfo", f"The archive's linkinginfo is unusable: {cause}")
