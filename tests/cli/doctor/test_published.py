"""The anchor, and what is published where it leads."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from tests.cli.doctor.conftest import Patient

from xgate.clock import SystemClock
from xgate.globalconf.anchor import Anchor, AnchorSource, anchor_hash
from xgate.globalconf.generate import (
    PRIVATE_PARAMETERS,
    SHARED_PARAMETERS,
    Boundaries,
    software_signer,
    write_private,
    write_shared,
)
from xgate.globalconf.private import ManagementService, PrivateParameters
from xgate.globalconf.publish import PublishedPart, publish
from xgate.sandbox.publication import describe_country
from xgate.testing.pki import make_ca


def test_an_anchor_is_told_by_its_hash(patient: Patient) -> None:
    (found,) = patient.examine("--only", "anchor").of("anchor")
    assert f"instance XG, SHA-224 {anchor_hash(patient.anchor.read_bytes())}" in found["observed"]


@pytest.mark.parametrize(
    ("octets", "said"),
    [(None, "Cannot read "), (b"<anchor/>", "is no anchor: ")],
)
def test_no_anchor(patient: Patient, octets: bytes | None, said: str) -> None:
    patient.anchor.unlink()
    if octets is not None:
        patient.anchor.write_bytes(octets)
    ran = patient.examine()
    check, observed, fix = ran.link
    assert check == "anchor"
    assert said in observed
    assert fix.startswith("Get the anchor from the operator of the central server")
    assert ran.of("configuration")[0]["because"] == "anchor"


def test_the_anchor_of_another_instance(patient: Patient) -> None:
    patient.edit('server = "XG/', 'server = "YY/')
    ran = patient.examine("--only", "anchor")
    assert ran.link[1] == "it is of instance XG, and this server is YY/COM/100/CONSUMER"
    assert ran.report["first_broken"]["expected"] == "an anchor of instance YY"


def test_a_folder_that_another_program_keeps(patient: Patient) -> None:
    patient.edit('use = "http"', 'use = "disk"')
    ran = patient.examine("--only", "configuration", "--only", "anchor")
    assert ran.states("anchor") == {"skipped"}
    assert "version 6, valid until" in ran.of("configuration")[0]["observed"]
    patient.forget_configuration()
    ran = patient.examine("--only", "configuration")
    assert ran.link[0] == "configuration"


def test_another_packages_source_that_is_not_installed(patient: Patient) -> None:
    patient.edit('use = "http"', 'use = "mine"')
    check, observed, fix = patient.examine().link
    assert check == "configuration"
    assert observed.startswith("[globalconf] use = 'mine' is no source; known: disk, http")
    assert fix == "Correct [globalconf]."


def federate(patient: Patient, *, publish_theirs: bool) -> None:
    """Our central server gives a partner's anchor; theirs publishes on the same web root."""
    country, expires = patient.country, SystemClock().now() + timedelta(days=60)
    theirs, ours = make_ca("Their configuration"), country.configuration
    base = f"http://127.0.0.1:{country.ports.authority}"
    source = AnchorSource(f"{base}/externalconf", (theirs.certificate.der,))
    management = ManagementService("https://127.0.0.1:4001/", country.provider.client)
    private = PrivateParameters("XG", management, 60, (Anchor("YY", (source,)),))
    shared = describe_country(country)
    files = publish(
        "XG",
        [
            PublishedPart(PRIVATE_PARAMETERS, "private-params.xml", write_private(private)),
            PublishedPart(SHARED_PARAMETERS, "shared-params.xml", write_shared(shared)),
        ],
        software_signer(ours.key, ours.certificate.der),
        Boundaries("a" * 20, "b" * 20),
        generation="1",
        expires=expires,
    )
    if publish_theirs:
        octets = write_shared(msgspec.structs.replace(shared, instance="YY", servers=()))
        files |= publish(
            "YY",
            [PublishedPart(SHARED_PARAMETERS, "shared-params.xml", octets)],
            software_signer(theirs.key, theirs.certificate.der),
            Boundaries("c" * 20, "d" * 20),
            generation="2",
            expires=expires,
            name="externalconf",
        )
    for name, octets in files.items():
        path = country.web_root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)


def test_partners_that_are_there_are_named(patient: Patient) -> None:
    federate(patient, publish_theirs=True)
    patient.edit('use = "http"', 'use = "http"\nallowed-federations = ["YY"]')
    ran = patient.examine("--only", "configuration")
    (found,) = ran.of("configuration")
    assert (ran.code, found["state"]) == (0, "ok")
    assert found["observed"].endswith(", 2 servers, federated with YY")


def test_a_partner_that_does_not_answer_is_a_warning(patient: Patient) -> None:
    federate(patient, publish_theirs=False)
    patient.edit('use = "http"', 'use = "http"\nallowed-federations = ["all"]')
    ran = patient.examine("--only", "configuration")
    assert ran.code == 0
    told = [(f["state"], f.get("about")) for f in ran.of("configuration")]
    assert told == [("ok", None), ("warning", None), ("warning", "YY")]
    assert ran.of("configuration")[1]["observed"].startswith("partner YY is not refreshed: ")


def test_an_allowed_partner_that_is_none(patient: Patient) -> None:
    patient.edit('use = "http"', 'use = "http"\nallowed-federations = ["ZZ"]')
    ran = patient.examine("--only", "configuration")
    found = ran.of("configuration")[-1]
    assert (ran.code, found["state"], found["about"]) == (0, "warning", "ZZ")
    assert "allowed-federations names nobody" in found["observed"]
