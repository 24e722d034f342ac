"""A small country of our own, a key to sign its configuration with, and a clock that stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from xgate.globalconf.generate import DirectorySigner, register_server, software_signer
from xgate.globalconf.private import ManagementService, PrivateParameters
from xgate.globalconf.shared import (
    AcmeServer,
    CaInfo,
    CertificationService,
    GlobalGroup,
    Member,
    MemberClass,
    OcspInfo,
    SharedParameters,
    Source,
    Subsystem,
    TimestampingService,
)
from xgate.ids import ClientId


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def self_signed(common_name: str, serial: int = 1) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(1970, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(1970, 1, 25, tzinfo=UTC))  # nobody may look at it
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(Encoding.DER)


@pytest.fixture(scope="session")
def new_signer() -> Callable[[str], DirectorySigner]:
    def make(common_name: str) -> DirectorySigner:
        return software_signer(*self_signed(common_name))

    return make


@pytest.fixture(scope="session")
def signer(new_signer: Callable[[str], DirectorySigner]) -> DirectorySigner:
    return new_signer("internal")


@pytest.fixture(scope="session")
def ca() -> bytes:
    """DER of a CA's certificate."""
    return self_signed("Our CA", 7)[1]


@pytest.fixture(scope="session")
def country(ca: bytes, signer: DirectorySigner) -> SharedParameters:
    """Two members on two servers, one of them in maintenance."""
    gov, com = MemberClass("GOV", "Government"), MemberClass("COM", "Companies")
    provider = ClientId("XX", "GOV", "1")
    consumer = ClientId("XX", "COM", "2")
    return SharedParameters(
        instance="XX",
        sources=(Source("cs.example.org", (signer.certificate,), (ca,)),),
        certification_services=(
            CertificationService(
                "Our CA",
                CaInfo(ca, (OcspInfo("http://ocsp", ca, "FREE"), OcspInfo("http://o2"))),
                "ee.ria.xroad.common.certificateprofile.impl.FiVRKCertificateProfileInfoProvider",
                (CaInfo(self_signed("Below")[1]),),
                csr_format="DER",
                acme=AcmeServer("http://acme", "10.0.0.1", "1", "2"),
            ),
        ),
        timestamping_services=(TimestampingService("Our TSA", "http://tsa", ca, "PAID"),),
        members=(
            Member(gov, "1", "Register & Co <ÕÄ>", (Subsystem("data", "The data"),)),
            Member(com, "2", "Shop", (Subsystem("web"), Subsystem("app", ""))),
        ),
        servers=(
            register_server(
                provider,
                "S1",
                "ss1",
                (b"auth 1",),
                (ClientId("XX", "GOV", "1", "data"), ClientId("XX", "COM", "2", "web")),
            ),
            register_server(
                consumer,
                "S2",
                "ss2",
                (b"auth 2", b"auth 3"),
                (ClientId("XX", "COM", "2", "web"), provider),
                maintenance="until noon",
            ),
        ),
        groups=(GlobalGroup("all", "Everybody", (provider, ClientId("XX", "COM", "2", "web"))),),
        member_classes=(gov, com),
        ocsp_freshness_seconds=600,
    )


@pytest.fixture(scope="session")
def private_parameters(ca: bytes) -> PrivateParameters:
    service = ManagementService(
        "https://cs:4001/managementservice/", ClientId("XX", "GOV", "1"), ca
    )
    return PrivateParameters("XX", service, 60)


@pytest.fixture(scope="session")
def expires(now: datetime) -> datetime:
    return now + timedelta(minutes=10)
