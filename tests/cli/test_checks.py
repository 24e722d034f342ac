"""The steps of a proof as they are shown: with what each was checked, and where the last one is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xgate.cli.checks import check_rows, checks_of
from xgate.cli.configuration import open_configuration
from xgate.errors import Fault
from xgate.trust.trail import STEPS, Said, StepName, Trail
from xgate.trust.verify import verify_container

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


def trail_of(*held: StepName, broken: StepName | None = None, said: Said | None = None) -> Trail:
    trail = Trail()
    for name in held:
        with trail.step(name) as say:
            say(NOW)
    if broken is not None:
        with suppress(Fault):
            fail(trail, broken, said)
    return trail


def fail(trail: Trail, broken: StepName, said: Said | None) -> None:
    with trail.step(broken) as say:
        if said is not None:
            say(said)
        raise Fault("malformed_signature", "it is not")


def test_what_holds_says_with_what() -> None:
    checks = checks_of(trail_of("time-stamp"))
    assert check_rows(checks) == [("holds", "time-stamp: 2025-06-01 12:00:00 UTC")]
    (check,) = checks
    assert (check.what, check.holds, check.why, check.element) == ("time-stamp", True, None, None)


def test_what_fails_names_its_element_and_what_was_not_reached() -> None:
    checks = checks_of(trail_of("container", broken="signature value"))
    assert (checks[-1].why, checks[-1].element) == (
        "it is not",
        "SignatureValue in META-INF/signatures.xml",
    )
    assert [what for what, _ in check_rows(checks)] == ["holds", "FAILS", "", "not reached"]
    assert check_rows(checks)[-1][1] == "signed parts, certificate named, certificate path, OCSP"


@pytest.mark.parametrize(
    ("said", "element"),
    [
        ("/attachment1", "/attachment1"),
        (None, "SignedProperties in META-INF/signatures.xml"),
    ],
)
def test_a_part_that_is_not_what_was_signed_is_named(said: str | None, element: str) -> None:
    checks = checks_of(trail_of(broken="signed parts", said=said))
    assert checks[-1].element == element


@pytest.mark.parametrize("name", STEPS)
def test_every_step_may_fail(name: StepName) -> None:
    checks = checks_of(trail_of(broken=name))
    assert checks[-1].element
    assert check_rows(checks)[0] == ("FAILS", name)


def test_nothing_was_checked() -> None:
    assert check_rows(()) == []


def test_a_real_container(batch: Callable[..., bytes], configuration: Path) -> None:
    trail = Trail()
    verify_container(open_configuration(configuration), batch(), trail=trail)
    rows = [value for _, value in check_rows(checks_of(trail))]
    assert any(row.startswith("OCSP: good, produced 2025-06-01 12:00:00 UTC") for row in rows)
    assert any(row.startswith("certificate: ") for row in rows)
    assert "signed parts: /sig-hashchainresult.xml" in rows
