"""The order of parts is a table; these are the things that must be true of it."""

from __future__ import annotations

from xgate.wire.transport_parts import HASH_CHAIN, OCSP_RESPONSE, ORDERS, SIGNATURE


def test_only_requests_carry_ocsp_responses() -> None:
    for (sender, _), order in ORDERS.items():
        allowed = any(content_type == OCSP_RESPONSE for _, content_type in order)
        assert allowed == (sender == "client")


def test_nothing_follows_a_signature_or_a_fault() -> None:
    for order in ORDERS.values():
        ends = {kind for kind, stage in order.values() if stage == "end"}
        assert ends == {"signature", "fault"}
        assert not any(stage == "end" for stage, _ in order)


def test_a_chain_needs_its_result_and_a_result_its_chain() -> None:
    for order in ORDERS.values():
        assert [stage for stage, content_type in order if content_type == HASH_CHAIN] == ["chain"]
        assert ("chain", SIGNATURE) not in order


def test_every_kind_of_part_comes_once_except_ocsp_responses() -> None:
    for order in ORDERS.values():
        for (stage, _), (kind, after) in order.items():
            assert (stage == after) == (kind == "ocsp")
