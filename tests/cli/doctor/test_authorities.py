"""CAs, their responders, and timestamping services: really asked, and really failing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.cli.doctor.conftest import Patient

from xgate.cli.doctor.authorities import moment_of
from xgate.clock import SystemClock
from xgate.globalconf.shared import CaInfo, CertificationService
from xgate.sandbox.publication import describe_country
from xgate.testing.pki import NOT_AFTER, NOT_BEFORE, issue, issue_tsa, make_ca
from xgate.testing.responders import GOOD, answer_ocsp, answer_timestamp
from xgate.trust.ocsp import write_ocsp_request


def test_a_ca_that_is_approved_no_more(patient: Patient) -> None:
    shared = describe_country(patient.country)
    (service,) = shared.certification_services
    other = CertificationService(
        "Other CA", CaInfo(make_ca("Other CA").certificate.der), service.profile
    )
    patient.publish(msgspec.structs.replace(shared, certification_services=(other,)))
    ran = patient.examine()
    check, observed, fix = ran.link
    assert check == "ca"
    assert observed.startswith("its issuer O=Test, CN=Sandbox CA is not approved")
    assert ran.report["first_broken"]["expected"] == "one of: O=Test, CN=Other CA"
    assert fix.startswith("Get a certificate of an approved CA")
    assert ran.of("ocsp")[0]["because"] == "ca"


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (datetime(2000, 1, 1, tzinfo=UTC), NOT_BEFORE),
        (datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)),
        (datetime(2050, 1, 1, tzinfo=UTC), NOT_AFTER),
    ],
)
def test_dates_are_not_the_cas_affair(now: datetime, then: datetime) -> None:
    assert moment_of(make_ca().certificate, now) == then


def test_a_responder_that_does_not_answer(patient: Patient) -> None:
    patient.forget_ocsp()
    patient.running.authority.away.add("ocsp")
    ran = patient.examine()
    check, observed, fix = ran.link
    url = f"http://127.0.0.1:{patient.country.ports.authority}/ocsp"
    assert (check, observed) == (
        "ocsp",
        f"{url} does not answer: the answer is 503 Service Unavailable",
    )
    assert fix == f"Check that this machine may reach {url} (name, firewall), and that it runs."
    assert ran.of("peers")[0]["because"] == "ocsp"


def test_a_certificate_that_was_revoked(patient: Patient) -> None:
    revoked = datetime(2026, 3, 1, 8, tzinfo=UTC)
    patient.running.authority.revoked[patient.place.auth.certificate.serial] = revoked
    ran = patient.examine()
    check, observed, fix = ran.link
    assert check == "ocsp"
    assert "status is REVOKED (date: 2026-03-01 08:00:00)" in observed
    assert fix == "Ask O=Test, CN=Sandbox CA why, and get a new certificate."
    assert [f["state"] for f in ran.of("ocsp")] == ["ok", "broken"]


def test_a_responder_whose_answers_are_stale(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    country = patient.country

    def stale(request: bytes) -> tuple[str, bytes]:
        then = SystemClock().now() - timedelta(hours=2)
        answer = answer_ocsp(
            request,
            country.ocsp,
            country.ca.certificate,
            lambda serial: GOOD,
            then,
            certificates=(country.ocsp.certificate,),
        )
        return "application/ocsp-response", answer

    monkeypatch.setitem(patient.running.authority._doors, "/ocsp", stale)
    check, observed, fix = patient.examine().link
    assert check == "ocsp"
    assert "gives no proof: OCSP response is too old" in observed
    assert fix.startswith("Ask whoever runs http://127.0.0.1:")


def test_a_certificate_that_nobody_answers_for(patient: Patient) -> None:
    shared = describe_country(patient.country)
    (service,) = shared.certification_services
    mute = msgspec.structs.replace(service, top=CaInfo(patient.country.ca.certificate.der))
    patient.publish(msgspec.structs.replace(shared, certification_services=(mute,)))
    assert patient.examine().link[:2] == (
        "ocsp",
        "no responder is known for it (prioritization = 'none')",
    )


def test_a_timestamping_service_that_does_not_answer(patient: Patient) -> None:
    patient.running.authority.away.add("tsa")
    ran = patient.examine()
    check, observed, fix = ran.link
    url = f"http://127.0.0.1:{patient.country.ports.authority}/tsa"
    assert (check, observed) == (
        "timestamping",
        "it does not answer: the answer is 503 Service Unavailable",
    )
    assert ran.report["first_broken"]["about"] == url
    assert url in fix


def test_one_that_signs_by_another_certificate_than_the_approved(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = issue_tsa(make_ca("Other CA"), "Other TSA")

    def forge(request: bytes) -> tuple[str, bytes]:
        answer = answer_timestamp(request, other, SystemClock().now(), 1)
        return "application/timestamp-reply", answer

    monkeypatch.setitem(patient.running.authority._doors, "/tsa", forge)
    check, observed, fix = patient.examine().link
    assert check == "timestamping"
    assert observed == (
        "its timestamp proves nothing: Could not find TSP certificate for timestamp"
    )
    assert fix.startswith("Ask whoever runs it")


def test_one_whose_certificate_will_expire(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = SystemClock().now() + timedelta(days=5, hours=1)
    old = issue(
        patient.country.ca,
        [(NameOID.COMMON_NAME, "Old TSA")],
        patient.country.tsa.key,
        extensions=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True)],
        not_after=soon,
    )
    shared = describe_country(patient.country)
    (tsa,) = shared.timestamping_services
    listed = msgspec.structs.replace(tsa, certificate=old.certificate.der)
    patient.publish(msgspec.structs.replace(shared, timestamping_services=(listed,)))

    def stamp(request: bytes) -> tuple[str, bytes]:
        answer = answer_timestamp(request, old, SystemClock().now(), 1)
        return "application/timestamp-reply", answer

    monkeypatch.setitem(patient.running.authority._doors, "/tsa", stamp)
    ran = patient.examine("--only", "timestamping")
    (found,) = ran.of("timestamping")
    assert (ran.code, found["state"]) == (0, "warning")
    assert found["observed"].endswith("by CN=Old TSA, whose certificate ends in 5 days")


def test_services_that_the_settings_name_and_nobody_approves(patient: Patient) -> None:
    patient.edit("interval-seconds", 'services = ["http://tsa.example/"]\ninterval-seconds')
    ran = patient.examine("--only", "timestamping")
    check, observed, _ = ran.link
    assert check == "timestamping"
    assert observed.startswith("no service can be asked (approved: http://127.0.0.1:")
    assert ran.of("timestamping")[1]["about"] == "http://tsa.example/"


def test_one_of_two_services_is_away(patient: Patient) -> None:
    shared = describe_country(patient.country)
    (tsa,) = shared.timestamping_services
    away = msgspec.structs.replace(tsa, url="http://127.0.0.9:1/")
    patient.publish(msgspec.structs.replace(shared, timestamping_services=(away, tsa)))
    ran = patient.examine("--only", "timestamping")
    assert ran.code == 0
    assert [f["state"] for f in ran.of("timestamping")] == ["warning", "ok"]


def keep_answer(patient: Patient, *, age: timedelta = timedelta()) -> None:
    """As if the server had kept responses that were made some time ago."""
    country = patient.country
    folder = patient.folder / "ocsp-cache"
    folder.mkdir(exist_ok=True)
    for credential in (patient.place.sign, patient.place.auth):
        answer = answer_ocsp(
            write_ocsp_request(credential.certificate, country.ca.certificate),
            country.ocsp,
            country.ca.certificate,
            lambda serial: GOOD,
            SystemClock().now() - age,
            certificates=(country.ocsp.certificate,),
        )
        (folder / f"{credential.certificate.sha1}.ocsp").write_bytes(answer)


def test_what_was_kept_carries_on_while_responders_are_away(patient: Patient) -> None:
    keep_answer(patient)
    patient.running.authority.away.add("ocsp")
    ran = patient.examine()
    assert ran.link[0] == "ocsp"
    assert ran.states("ocsp") == {"broken"}
    assert ran.states("peers") == {"ok"}


def test_a_server_that_asks_no_responder(patient: Patient) -> None:
    patient.add("\n[ocsp]\nfetch = false\n")
    patient.forget_ocsp()
    ran = patient.examine("--only", "ocsp")
    check, observed, fix = ran.link
    assert check == "ocsp"
    assert observed.startswith("no responder is asked, and none is kept: Cannot read ")
    assert fix.startswith("Set [ocsp] fetch = true, or put one there: ")
    keep_answer(patient, age=timedelta(minutes=20))
    ran = patient.examine("--only", "ocsp")
    assert {f["observed"] for f in ran.of("ocsp")} == {
        "good by a response that is kept, fresh for 40 min"
    }
    keep_answer(patient, age=timedelta(minutes=70))
    assert "OCSP response is too old" in patient.examine("--only", "ocsp").link[1]
