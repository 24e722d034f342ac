"""Which timestamping services to ask, and in which order.

The rule: only those that the own instance's configuration approves of: a token of another would
prove nothing. Among them the operator's list chooses, if there is one, and then the operator's
order of cost, which a configuration knows from version 6 on (messagelog 3.2, globalconf 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.shared import CostType

__all__ = ["TsaOrder", "choose_tsas", "unapproved_tsas"]

TsaOrder = Literal["listed", "free-first", "paid-first", "only-free", "only-paid"]
"""In which order services that cost money are asked, and whether at all."""

_RANKS: Mapping[TsaOrder, Mapping[CostType, int]] = {
    "listed": {},
    "free-first": {"FREE": 0, "PAID": 1},
    "paid-first": {"PAID": 0, "FREE": 1},
    "only-free": {"FREE": 0},
    "only-paid": {"PAID": 0},
}
_STRICT: frozenset[TsaOrder] = frozenset({"only-free", "only-paid"})
_FIRST_WITH_COST = 6


def choose_tsas(conf: GlobalConf, listed: Sequence[str], order: TsaOrder) -> list[str]:
    """The URLs of the services to ask, the first one first; empty if there is none.

    :param listed: the operator's choice and order; empty: all approved, in the configuration's
        order. Services of unknown cost come after those of known cost, or not at all.
    :raises Fault: ``internal_error`` without shared parameters of the own instance.
    """
    costs: dict[str, CostType] = {}
    for tsa in conf.tsas():
        costs.setdefault(tsa.url, tsa.cost_type or "UNDEFINED")
    urls = [url for url in dict.fromkeys(listed or costs) if url in costs]
    if conf.version < _FIRST_WITH_COST:
        return urls
    ranks = _RANKS[order]
    if order in _STRICT:
        return [url for url in urls if costs[url] in ranks]
    return sorted(urls, key=lambda url: ranks.get(costs[url], len(ranks)))


def unapproved_tsas(conf: GlobalConf, listed: Sequence[str]) -> list[str]:
    """Those of the operator's list that the configuration does not approve of.

    :raises Fault: as ``choose_tsas``.
    """
    approved = {tsa.url for tsa in conf.tsas()}
    return [url for url in dict.fromkeys(listed) if url not in approved]
