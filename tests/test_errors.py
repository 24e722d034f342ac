"""A refusal and the prefixes it collects on its way out."""

from __future__ import annotations

import pytest

from xgate.errors import Fault, faults_under, first_cause


def test_prefixes_are_put_from_the_inside_out() -> None:
    with (
        pytest.raises(Fault) as refusal,
        faults_under("server.serverproxy"),
        faults_under("signature_verification"),
    ):
        raise Fault("invalid_hash_chain", "The chain is broken", detail="1-2", actor="x", limit="l")
    fault = refusal.value
    assert fault.code == "server.serverproxy.signature_verification.invalid_hash_chain"
    assert (fault.text, fault.detail, fault.actor) == ("The chain is broken", "1-2", "x")
    assert fault.limit == "l"


def test_a_prefix_is_not_put_twice() -> None:
    fault = Fault("client.invalid_soap", "no")
    assert fault.under("client") is fault
    assert Fault("client", "no").under("client").code == "client"
    assert Fault("clientish", "no").under("client").code == "client.clientish"


def test_a_relayed_fault_keeps_its_code() -> None:
    fault = Fault("soap:Server", "their words", raw=b"<Envelope/>")
    with pytest.raises(Fault) as refusal, faults_under("server.clientproxy"):
        raise fault
    assert refusal.value is fault


def test_the_first_cause_is_not_lost() -> None:
    with pytest.raises(Fault) as refusal, faults_under("client"):
        raise Fault("invalid_soap", "no")
    cause = refusal.value.__cause__
    assert isinstance(cause, Fault)
    assert cause.code == "invalid_soap"


def test_other_exceptions_pass_untouched() -> None:
    with pytest.raises(KeyError), faults_under("client"):
        raise KeyError("x")


def test_a_refusal_says_its_code_and_its_text() -> None:
    assert str(Fault("access_denied", "Not for you")) == "access_denied: Not for you"


def test_words_for_others_keep_its_own_as_the_cause() -> None:
    inner = Fault("database_error", "host 10.0.0.7 refused", limit="[a] b = 1")
    moved = inner.outwards("The log is away").under("logging_failed")
    assert str(moved) == "logging_failed.database_error: The log is away"
    assert (moved.cause, moved.limit) == ("host 10.0.0.7 refused", "[a] b = 1")


def test_of_a_group_the_first_counts() -> None:
    first, second = ValueError("first"), OSError("second")
    group = BaseExceptionGroup("", [ExceptionGroup("", [first, second]), KeyboardInterrupt()])
    assert first_cause(group) is first
    assert first_cause(second) is second
