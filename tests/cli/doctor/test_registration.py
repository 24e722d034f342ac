"""Certificates, and what is registered of a server and its clients."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from tests.cli.doctor.conftest import Patient

from xgate.clock import SystemClock
from xgate.ids import ClientId
from xgate.sandbox.publication import describe_country
from xgate.testing.pki import issue, issue_auth, issue_sign


def test_a_certificate_that_has_expired(patient: Patient) -> None:
    yesterday = SystemClock().now() - timedelta(days=1)
    old = issue_auth(patient.country.ca, "consumer", not_after=yesterday)
    patient.hold(auth=old)
    ran = patient.examine()
    check, observed, fix = ran.link
    assert check == "certificates"
    assert observed == f"it expired on {yesterday:%Y-%m-%d %H:%M:%S} UTC"
    assert ran.report["first_broken"]["about"].endswith("authenticates")
    assert fix == "Get an authentication certificate from an approved CA and register it."


def test_one_that_is_not_valid_yet(patient: Patient) -> None:
    tomorrow = SystemClock().now() + timedelta(days=1)
    patient.hold(sign=issue_sign(patient.country.ca, patient.place.client, not_before=tomorrow))
    check, observed, _ = patient.examine().link
    assert check == "certificates"
    assert observed.startswith("it is valid only from")


def test_one_that_will_expire_is_a_warning(patient: Patient) -> None:
    soon = SystemClock().now() + timedelta(days=20, hours=1)
    patient.hold(sign=issue_sign(patient.country.ca, patient.place.client, not_after=soon))
    ran = patient.examine("--only", "certificates")
    assert ran.code == 0
    assert [f["state"] for f in ran.of("certificates")] == ["warning", "ok"]
    assert "(for 20 days)" in ran.of("certificates")[0]["observed"]
    assert patient.examine("--only", "certificates", "--days", 14).states("certificates") == {"ok"}


def test_one_of_another_member(patient: Patient) -> None:
    patient.hold(sign=issue_sign(patient.country.ca, ClientId("XG", "COM", "999")))
    ran = patient.examine()
    check, observed, fix = ran.link
    assert check == "certificates"
    assert "is of XG/COM/999" in observed
    assert ran.report["first_broken"]["expected"] == "XG/COM/100"
    assert fix == "Get a signing certificate for XG/COM/100 from an approved CA."


def test_one_that_may_not_sign(patient: Patient) -> None:
    patient.hold(sign=patient.place.auth)
    check, observed, _ = patient.examine().link
    assert (check, observed) == ("certificates", "Certificate is not a signing certificate")


def test_one_that_may_not_authenticate(patient: Patient) -> None:
    patient.hold(auth=issue(patient.country.ca, [], patient.place.auth.key, usages=("crl_sign",)))
    check, observed, _ = patient.examine().link
    assert (check, observed) == (
        "certificates",
        "its key may not be used for authentication (keyUsage: cRLSign)",
    )


def test_a_certificate_that_is_not_registered(patient: Patient) -> None:
    new = issue_auth(patient.country.ca, "renewed")
    patient.hold(auth=new)
    ran = patient.examine()
    check, observed, fix = ran.link
    assert check == "registration"
    assert observed == f"its hash {new.certificate.sha256.hex()} is registered for nobody"
    assert fix.startswith("Register this certificate for XG/COM/100/CONSUMER, and wait")
    assert ran.of("peers")[0]["because"] == "registration"


def test_one_that_is_registered_for_another_server(patient: Patient) -> None:
    patient.hold(auth=patient.country.provider.auth)
    check, observed, _ = patient.examine().link
    assert check == "registration"
    assert observed.endswith("is registered for XG/GOV/200/PROVIDER")


def test_a_server_that_the_configuration_does_not_know(patient: Patient) -> None:
    patient.edit("/CONSUMER", "/CONSUMED")
    check, observed, fix = patient.examine().link
    assert check == "registration"
    assert observed == "XG/COM/100/CONSUMED is not in the configuration of XG"
    assert fix.startswith("Correct 'server' in the settings; or register")


@pytest.mark.parametrize(
    ("client", "observed"),
    [
        ("XG/COM/100/unheard", "it is no member or subsystem of the configuration"),
        ("XG/GOV/200/registry", "it is not registered at XG/COM/100/CONSUMER"),
    ],
)
def test_a_client_that_is_not_registered(patient: Patient, client: str, observed: str) -> None:
    patient.add(f'\n[[client]]\nid = "{client}"\n')
    ran = patient.examine()
    assert ran.link[:2] == ("registration", observed)
    assert ran.report["first_broken"]["about"] == client


def test_a_client_that_nobody_signs_for(patient: Patient) -> None:
    shared = describe_country(patient.country)
    registry = patient.country.provider.client
    servers = [
        msgspec.structs.replace(server, clients=(*server.clients, registry))
        for server in shared.servers
    ]
    patient.publish(msgspec.structs.replace(shared, servers=tuple(servers)))
    patient.add(f'\n[[client]]\nid = "{registry.short}"\n')
    assert patient.examine().link[:2] == ("registration", "no key signs for it")


def test_what_is_registered_and_not_configured_is_a_warning(patient: Patient) -> None:
    patient.edit('id = "XG/COM/100/portal"', 'id = "XG/COM/100"')
    ran = patient.examine("--only", "registration")
    assert ran.code == 0
    (found,) = ran.of("registration")
    assert (found["state"], found["about"]) == ("warning", "XG/COM/100/portal")
