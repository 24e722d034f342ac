"""Places that publish nothing, something else, or something old."""

from __future__ import annotations

from datetime import timedelta

from tests.cli.doctor.conftest import Patient

from xgate.clock import SystemClock
from xgate.globalconf.anchor import Anchor, AnchorSource, read_anchor
from xgate.globalconf.generate import write_anchor
from xgate.testing.pki import make_ca


def test_an_anchor_with_another_key(patient: Patient) -> None:
    patient.forget_configuration()
    anchor = read_anchor(patient.anchor.read_bytes())
    other = make_ca("Somebody else").certificate.der
    source = AnchorSource(anchor.sources[0].url, (other,))
    patient.anchor.write_bytes(write_anchor(Anchor("XG", (source,), anchor.generated_at)))
    check, observed, fix = patient.examine().link
    assert check == "configuration"
    assert "global_conf_missing_verification_cert" in observed
    assert fix.startswith("Get the current anchor")


def test_a_configuration_that_has_expired(patient: Patient) -> None:
    patient.forget_configuration()
    yesterday = SystemClock().now() - timedelta(days=1)
    patient.publish(at=yesterday, valid_for=timedelta(hours=20))
    ran = patient.examine()
    check, observed, fix = ran.link
    assert check == "configuration"
    assert "global_conf_outdated: The configuration expired on" in observed
    assert fix == "Ask the operator of the central server whether it still publishes."
    assert ran.of("ocsp")[0]["because"] == "configuration"


def test_one_that_only_seems_so_because_our_clock_is_wrong(patient: Patient) -> None:
    patient.forget_configuration()
    patient.clock.by = -timedelta(days=2)
    patient.publish(at=patient.clock.now(), valid_for=timedelta(days=1))
    check, observed, fix = patient.examine().link
    assert check == "configuration"
    assert "its clock is 2 days from this machine's" in observed
    assert fix.startswith("Set this machine's clock")


def test_an_older_configuration_that_is_played_again(patient: Patient) -> None:
    patient.publish(valid_for=timedelta(days=3))
    ran = patient.examine()
    check, observed, _ = ran.link
    assert check == "configuration"
    assert "before the one in use" in observed
    assert ran.states("ocsp") == {"ok"}  # by the one in use, as the server does


def test_a_source_that_does_not_answer(patient: Patient) -> None:
    patient.running.authority.away.add("conf")
    ran = patient.examine()
    check, observed, fix = ran.link
    url = f"http://127.0.0.1:{patient.country.ports.authority}/internalconf"
    assert check == "configuration"
    assert observed == f"{url}?version=6 answers with status 503"
    assert fix == f"Try from this machine: curl -v {url}"
    assert ran.states("registration") == {"ok"}  # by what was kept


def test_one_of_two_places_is_away(patient: Patient) -> None:
    anchor = read_anchor(patient.anchor.read_bytes())
    (source,) = anchor.sources
    away = AnchorSource("http://127.0.0.9:1/internalconf", source.certificates)
    patient.anchor.write_bytes(write_anchor(Anchor("XG", (away, source))))
    ran = patient.examine("--only", "configuration")
    assert ran.code == 0
    assert [f["state"] for f in ran.of("configuration")] == ["ok", "warning"]
    assert ran.of("configuration")[1]["about"] == "127.0.0.9:1"


def test_a_part_that_was_changed(patient: Patient) -> None:
    patient.forget_configuration()
    for file in patient.country.web_root.rglob("shared-params.xml"):
        file.write_bytes(file.read_bytes().replace(b"Harbour", b"Arbour "))
    check, observed, _ = patient.examine().link
    assert check == "configuration"
    assert "global_conf_part_downloaded_file_integrity_failure" in observed


def test_an_older_one_is_taken_if_the_operator_says_so(patient: Patient) -> None:
    patient.publish(valid_for=timedelta(days=3))
    patient.edit('use = "http"', 'use = "http"\naccept-older = true')
    (found,) = patient.examine("--only", "configuration").of("configuration")
    assert "(for 3 days)" in found["observed"]
