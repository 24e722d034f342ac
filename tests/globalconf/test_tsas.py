"""Who is asked for timestamps: whom the configuration approves of, in the operator's order."""

from __future__ import annotations

import msgspec
import pytest

from xgate.globalconf.conf import GlobalConf, Instance
from xgate.globalconf.shared import CostType, SharedParameters, TimestampingService
from xgate.globalconf.tsas import TsaOrder, choose_tsas, unapproved_tsas

COSTS: dict[str, CostType | None] = {
    "http://unknown/": None,
    "http://paid/": "PAID",
    "http://undefined/": "UNDEFINED",
    "http://free/": "FREE",
    "http://paid-too/": "PAID",
}
SHARED = SharedParameters(
    "XG",
    timestamping_services=tuple(
        TimestampingService(url, url, b"", cost) for url, cost in COSTS.items()
    ),
    ocsp_freshness_seconds=3600,
)


def conf(version: int = 6) -> GlobalConf:
    shared = msgspec.structs.replace(SHARED, timestamping_services=())
    own = Instance("XG", SHARED, version=version)
    return GlobalConf("XG", {"XG": own, "YY": Instance("YY", shared, version=version)})


def chosen(order: TsaOrder, listed: tuple[str, ...] = (), version: int = 6) -> list[str]:
    return [url[7:-1] for url in choose_tsas(conf(version), listed, order)]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("listed", ["unknown", "paid", "undefined", "free", "paid-too"]),
        ("free-first", ["free", "paid", "paid-too", "unknown", "undefined"]),
        ("paid-first", ["paid", "paid-too", "free", "unknown", "undefined"]),
        ("only-free", ["free"]),
        ("only-paid", ["paid", "paid-too"]),
    ],
)
def test_the_order_of_cost(order: TsaOrder, expected: list[str]) -> None:
    assert chosen(order) == expected


def test_the_operators_list_chooses_and_orders() -> None:
    listed = ("http://free/", "http://paid-too/", "http://paid/")
    assert chosen("listed", listed) == ["free", "paid-too", "paid"]
    assert chosen("paid-first", listed) == ["paid-too", "paid", "free"]
    assert chosen("only-free", listed) == ["free"]
    assert chosen("listed", (*listed, *listed)) == ["free", "paid-too", "paid"]


def test_one_that_is_not_approved_is_never_asked_and_can_be_named() -> None:
    listed = ("http://stranger/", "http://free/", "http://free", "http://stranger/")
    assert chosen("listed", listed) == ["free"]
    assert unapproved_tsas(conf(), listed) == ["http://stranger/", "http://free"]
    assert chosen("listed", ("http://stranger/",)) == []


def test_a_configuration_that_knows_no_costs_leaves_the_order() -> None:
    for order in ("free-first", "only-free", "only-paid"):
        assert chosen(order, version=5) == chosen("listed")
