"""Ways to other security servers, and to the services behind our own."""

from __future__ import annotations

import socket

import msgspec
import pytest
from tests.cli.doctor.conftest import Patient

from xgate.sandbox.publication import describe_country
from xgate.testing.pki import issue_auth


@pytest.mark.parametrize("name", ["XG/GOV/200/PROVIDER", "XG/GOV/200/registry", "XG/GOV/200"])
def test_a_peer_by_its_own_name_or_a_clients(patient: Patient, name: str) -> None:
    ran = patient.examine("--only", "peers", "--peer", name)
    assert ran.of("peers") == [
        {
            "check": "peers",
            "state": "ok",
            "observed": "reached, its certificate good and registered",
            "about": "XG/GOV/200/PROVIDER at 127.0.0.3",
        }
    ]


@pytest.mark.parametrize("name", ["XG/GOV/200/nobody", "XG"])
def test_a_peer_that_nobody_knows(patient: Patient, name: str) -> None:
    ran = patient.examine("--only", "peers", "--peer", name)
    assert ran.link[1] == "the configuration knows no such peer"
    assert ran.report["first_broken"]["about"] == name


def test_a_peer_that_is_down(patient: Patient) -> None:
    patient.add('\n[peers.hosts]\n"127.0.0.3" = "127.0.0.9"\n')
    ran = patient.examine("--peer", "XG/GOV/200/PROVIDER")
    check, observed, fix = ran.link
    port = patient.country.ports.server
    assert check == "peers"
    assert observed == (f"port {port}: cannot connect to 127.0.0.9 port {port}: Connection refused")
    assert fix == f"Check name and firewall of 127.0.0.9 port {port}, on both sides."


def test_one_that_was_drawn_by_lot_is_a_warning_while_others_are_there(patient: Patient) -> None:
    shared = describe_country(patient.country)
    provider = shared.servers[1]
    gone = msgspec.structs.replace(
        provider, server_code="GONE", address="127.0.0.9", auth_cert_hashes=()
    )
    patient.publish(msgspec.structs.replace(shared, servers=(*shared.servers, gone)))
    ran = patient.examine("--only", "peers")
    assert ran.code == 0
    assert sorted(f["state"] for f in ran.of("peers")) == ["ok", "warning"]


def test_a_peer_whose_ocsp_port_is_shut(patient: Patient) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.3", 0))
        shut = found.getsockname()[1]
    ocsp = patient.country.ports.ocsp
    patient.edit(f"\nocsp-port = {ocsp}\n\n[globalconf]", f"\nocsp-port = {shut}\n\n[globalconf]")
    ran = patient.examine("--peer", "XG/GOV/200/PROVIDER")
    check, observed, fix = ran.link
    assert check == "peers"
    assert observed.startswith(f"port {shut}: Could not get OCSP responses from server")
    assert fix.startswith(f"Check the firewall for port {shut}")


def test_a_peer_that_shows_a_certificate_of_nobody(patient: Patient) -> None:
    shared = describe_country(patient.country)
    other = issue_auth(patient.country.ca, "renewed").certificate
    consumer, provider = shared.servers
    provider = msgspec.structs.replace(provider, auth_cert_hashes=(other.sha256,))
    patient.publish(msgspec.structs.replace(shared, servers=(consumer, provider)))
    ran = patient.examine("--peer", "XG/GOV/200/PROVIDER")
    check, observed, _ = ran.link
    assert (check, observed) == (
        "peers",
        "it shows a certificate that is registered for nobody",
    )


def test_services_are_not_reached_unasked(patient: Patient) -> None:
    (found,) = patient.examine("--only", "services").of("services")
    assert found["state"] == "skipped"


SERVICE = """
[[client.service]]
code = "look"
type = "REST"
url = "{url}"
"""


def test_a_service_that_takes_connections(patient: Patient) -> None:
    patient.add(SERVICE.format(url=f"http://127.0.0.1:{patient.country.ports.services}/x"))
    (found,) = patient.examine("--only", "services", "--services").of("services")
    assert (found["state"], found["about"]) == ("ok", "XG/COM/100/portal/look")


def test_a_service_that_is_down(patient: Patient) -> None:
    patient.add(SERVICE.format(url="http://127.0.0.9:1/x"))
    check, observed, fix = patient.examine("--only", "services", "--services").link
    assert check == "services"
    assert observed == ("127.0.0.9 port 1: cannot connect to 127.0.0.9 port 1: Connection refused")
    assert fix.endswith("its url in the settings: http://127.0.0.9:1/x")


def test_a_service_whose_certificate_is_not_listed(patient: Patient) -> None:
    port = patient.country.ports.client_tls  # any TLS server will do, our own as well
    patient.add(SERVICE.format(url=f"https://127.0.0.3:{port}/x"))
    check, observed, fix = patient.examine("--only", "services", "--services").link
    assert check == "services"
    assert observed == "the certificate that it shows is not listed for its client"
    assert fix == "Add it to certificates of [[client]] XG/COM/100/portal."
