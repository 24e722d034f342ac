"""Federation: which partners' configurations are wanted, and what is taken of them.

The rule: partners are those whose anchors stand in our own private parameters, in their order, if
this server allows them; of a partner only its shared parameters are taken, under the instance of
its anchor. Nothing is transitive, and whatever is wrong with a partner harms nobody but it
(federation 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xgate.globalconf.anchor import Anchor
from xgate.globalconf.private import PrivateParameters

__all__ = ["ALL", "NONE", "allowed_partners", "allows"]

NONE, ALL = "none", "all"
"""Words of the list that are no instance: nobody, wherever it stands; and everybody."""


def allows(allowed: Iterable[str], instance: str) -> bool:
    """Whether the list lets a partner in, in whatever case it is written (federation 3.1)."""
    words = {word.strip().casefold() for word in allowed}
    if not words or NONE in words:
        return False
    return ALL in words or instance.casefold() in words


def allowed_partners(
    own: str, private: PrivateParameters | None, allowed: Iterable[str]
) -> Sequence[Anchor]:
    """The anchors of the partners to ask, in the order of the private parameters.

    An anchor of the own instance, or a second one of a partner, is passed over: what it would give
    is there already.
    """
    if private is None:
        return ()
    words = tuple(allowed)
    found: dict[str, Anchor] = {}
    for anchor in private.anchors:
        if anchor.instance != own and allows(words, anchor.instance):
            found.setdefault(anchor.instance, anchor)
    return tuple(found.values())
