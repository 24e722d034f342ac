"""Members written as nearly always, taken out of a document before a parser builds a tree of it.

The rule: what is taken is whole elements without a namespace, an escape or a character that XML
has a word to say about, so it could mean nothing else; an empty element is left in its place, and
so the parser judges everything around it and whether an element may be there. In doubt nothing is
taken. Of a country's file four fifths are such members, and by a tree they take twice the time.
"""

from __future__ import annotations

import re

from xgate.wire import xml

__all__ = ["MARK", "Plain", "PlainSubsystem", "cut_members"]

MARK = "members-that-were-taken-out"
"""The name of the element that is left for members taken one after the other."""

PlainSubsystem = tuple[str | None, str, str | None]
"""Reference, code, name."""
Plain = tuple[str | None, str, str, str, str, list[PlainSubsystem]]
"""Reference of a member, class and its description, code, name, subsystems."""

_BLANKS = r"[ \t\n]*+"
# Without what XML forbids, and without the end of a CDATA section.
_TEXT = r"[^<&>\x00-\x08\x0b-\x1f\ufffe\uffff]*+"
_ID = r'id="([A-Za-z0-9_.:-]++)"'


def _element(name: str) -> str:
    return rf"<{name}>({_TEXT})</{name}>{_BLANKS}"


_CLASS = (
    rf"<memberClass>{_BLANKS}{_element('code')}{_element('description')}</memberClass>{_BLANKS}"
)
_SUBSYSTEM = (
    rf"<subsystem {_ID}>{_BLANKS}"
    rf"{_element('subsystemCode')}(?:{_element('subsystemName')})?+</subsystem>{_BLANKS}"
)
_FURTHER = re.sub(r"\((?!\?)", "(?:", _SUBSYSTEM)
_SUBSYSTEMS = re.compile(_SUBSYSTEM)
_MEMBERS = re.compile(
    rf"<member {_ID}>{_BLANKS}{_CLASS}{_element('memberCode')}{_element('name')}"
    rf"(?:{_SUBSYSTEM})?+((?:{_FURTHER})*+)</member>{_BLANKS}"
)


def cut_members(data: bytes) -> tuple[bytes, list[list[Plain]]]:
    """Take plain members out of a document; what is left, and the members for each mark in it.

    Whether the marks are where members mean something is for the caller to see.
    """
    if not xml.is_plain(data):
        return data, []
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data, []
    if MARK in text:
        return data, []
    # All at once: what was before each of them, its nine texts, ..., what is behind.
    pieces = _MEMBERS.split(text)
    del text
    left: list[str] = []
    run: list[Plain] = []
    runs: list[list[Plain]] = []
    width = 1 + _MEMBERS.groups
    columns = [pieces[at:-1:width] for at in range(width)]
    for before, ident, of, told, code, name, sub, sub_code, sub_name, further in zip(
        *columns, strict=True
    ):
        if before or not runs:
            left += before, f"<{MARK}/>"
            run = []
            runs.append(run)
        subsystems: list[PlainSubsystem] = [] if sub is None else [(sub, sub_code, sub_name)]
        if further:
            subsystems += [(one[1], one[2], one[3]) for one in _SUBSYSTEMS.finditer(further)]
        run.append((ident, of, told, code, name, subsystems))
    left.append(pieces[-1])
    return "".join(left).encode(), runs
