"""What was checked, in order, and what the last step said when it did not hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.disk import read_disk
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse
from xgate.trust.trail import STEPS, Trail
from xgate.trust.verify import verify_container

NOW = datetime(2024, 12, 6, tzinfo=UTC)
Names = list[str]


def break_at(trail: Trail, fault: Fault) -> None:
    with trail.step("time-stamp") as say:
        say(NOW)
        raise fault


def test_a_step_holds_or_ends_it_and_the_fault_passes_through() -> None:
    trail = Trail()
    with trail.step("signer") as say:
        say("MEMBER:XG/COM/1")
    fault = Fault("malformed_signature", "no")
    with pytest.raises(Fault) as caught:
        break_at(trail, fault)
    assert caught.value is fault
    held, broken = trail.steps
    assert (held.name, held.said, held.fault) == ("signer", ("MEMBER:XG/COM/1",), None)
    assert (broken.name, broken.said, broken.fault) == ("time-stamp", (NOW,), fault)


def test_a_defect_is_no_step() -> None:
    trail = Trail()
    with pytest.raises(ZeroDivisionError), trail.step("signer"):
        _ = 1 / 0
    assert trail.steps == []


@pytest.fixture(scope="module")
def walk(golden: Path) -> Callable[[str], Trail]:
    trust: GlobalConf = read_disk(golden / "globalconf" / "good2_v3", NOW).conf

    def walked(name: str) -> Trail:
        trail = Trail()
        octets = (golden / "asic" / name).read_bytes()
        with suppress(Fault):
            verify_container(trust, octets, trail=trail)
        return trail

    return walked


PLAIN = [name for name in STEPS if not name.endswith("chain")]


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("valid-signed-message.asice", PLAIN),
        ("valid-batch-ts.asice", [name for name in STEPS if name != "hash chain"]),
        ("valid-signed-hashchain.asice", [name for name in STEPS if name != "time-stamp chain"]),
    ],
)
def test_a_sound_container_of_the_reference(
    walk: Callable[[str], Trail], name: str, steps: Names
) -> None:
    trail = walk(name)
    assert [step.name for step in trail.steps] == steps
    said = {step.name: step.said for step in trail.steps}
    assert all(step.fault is None for step in trail.steps)
    assert isinstance(said["time-stamp"][0], datetime)
    assert isinstance(said["certificate"][0], Certificate)
    assert isinstance(said["OCSP"][0], OcspResponse)
    assert said["signed parts"][0] in ("/message.xml", "/sig-hashchainresult.xml")


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("core-not-asic.asice", "container"),
        ("invalid-incorrect-references.asice", "signer"),
        ("invalid-signed-hashchain.asice", "hash chain"),
        ("invalid-digest.asice", "signed parts"),
    ],
)
def test_a_container_that_fails_ends_at_its_step(
    walk: Callable[[str], Trail], name: str, last: str
) -> None:
    trail = walk(name)
    assert trail.steps[-1].name == last
    assert trail.steps[-1].fault is not None
    assert all(step.fault is None for step in trail.steps[:-1])
