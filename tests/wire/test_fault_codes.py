"""Fault codes in both spellings: the reference's table, and what is not in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.wire.fault_codes import CODES, new_code, old_code


@pytest.mark.reference
def test_the_references_table(golden: Path) -> None:
    pairs = json.loads((golden / "error-codes.json").read_text())["codes"]
    both = [(pair["v7_7"], pair["v7_8"]) for pair in pairs if pair["v7_7"] and pair["v7_8"]]
    assert len(both) > 100
    assert [(old_code(new), new_code(old)) for old, new in both] == both
    only_new = [pair["v7_8"] for pair in pairs if not pair["v7_7"]]
    assert [code for code in only_new if old_code(code) != code] == ["unknown_host"]
    assert {new_code(code) for code in only_new} == set(only_new)


@pytest.mark.reference
def test_nothing_but_the_references_table(golden: Path) -> None:
    pairs = json.loads((golden / "error-codes.json").read_text())["codes"]
    pieces = {piece for pair in pairs for piece in (pair["v7_8"] or "").split(".")}
    assert set(CODES) <= pieces | {"server"}


def test_whole_paths() -> None:
    new = "server.serverproxy.service_failed.ssl_authentication_failed"
    old = "Server.ServerProxy.ServiceFailed.SslAuthenticationFailed"
    assert (old_code(new), new_code(old)) == (old, new)
    assert new_code("SERVER.serverProxy.ACCESS_denied") == "server.serverproxy.access_denied"


@pytest.mark.parametrize("code", ["soap:Server", "", "Env.Weird", "mlog.tsp_certificate_not_found"])
def test_strangers_stay_as_they_are(code: str) -> None:
    assert new_code(code) == code
    assert old_code(code) == code


def test_an_unknown_host_was_a_network_error() -> None:
    assert old_code("server.serverproxy.unknown_host") == "Server.ServerProxy.NetworkError"


PIECES = st.one_of(st.sampled_from([*CODES, *CODES.values()]), st.text(max_size=20))


@given(st.lists(PIECES, max_size=8).map(".".join))
def test_any_text_has_one_spelling_of_each_kind(code: str) -> None:
    new = new_code(code)
    assert new_code(new) == new
    assert new_code(old_code(code).replace("NetworkError", "unknown_host")) == new.replace(
        "network_error", "unknown_host"
    )
    assert code.count(".") == new.count(".") == old_code(code).count(".")
