"""What is shown of keys: the same for a person and for a script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xgate.cli.keys_shown import TokenRow, show_keys
from xgate.signer.entries import KeyEntry, StoredCertificate, StoredRequest
from xgate.signer.token import TokenState
from xgate.testing.authority import Authority

TOKENS = [
    TokenRow("0", TokenState("softToken-0", "softToken", "ok", True, True)),
    TokenRow("6b", TokenState("hsm-1", "hsm", "pin-final-try", False, False)),
]


def entries(authority: Authority) -> list[KeyEntry]:
    der = authority.ca.certificate.der
    return [
        KeyEntry(
            "K1",
            "one",
            "SIGNING",
            (StoredCertificate(der, "XG/COM/1", active=False, problem="revoked"),),
            token="6b",
            requests=(StoredRequest("R1", "XG/COM/1", (("C", "FI"), ("O", "A, B"))),),
        ),
        KeyEntry("K2", "", None),
    ]


def test_for_a_person(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    show_keys(Path("k"), TOKENS, entries(authority), ocsp=lambda _: "good", json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "token 0  softToken-0, logged in",
        "token 6b  hsm-1, not there, pin final try, not logged in",
        "K1  SIGNING  one  on token 6b",
    ]
    assert lines[-5:] == [
        "  OCSP         good",
        "  problem      revoked",
        "  request      R1 of XG/COM/1",
        "               C=FI, O=A, B",
        "K2  not used yet  -",
    ]


def test_for_a_script(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    show_keys(Path("k"), TOKENS, entries(authority), json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["store"] == "k"
    assert [token["state"]["active"] for token in said["tokens"]] == [True, False]
    first = said["keys"][0]
    assert first["certificates"][0]["problem"] == "revoked"
    assert first["requests"][0]["subject"] == [["C", "FI"], ["O", "A, B"]]
