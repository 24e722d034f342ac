"""A whole configuration of our own making: the reference's octets where the reference made them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from xgate.algorithms import DIGESTS
from xgate.errors import Fault
from xgate.globalconf.directory import Directory, read_directory
from xgate.globalconf.generate import (
    Boundaries,
    DirectorySigner,
    describe_part,
    register_server,
    software_signer,
    write_directory,
)
from xgate.ids import ClientId


@pytest.mark.reference
def test_the_directory_of_env_dev_v6_octet_for_octet(golden: Path) -> None:
    stored = load_pkcs12(
        (golden / "env-dev-v6/globalconf-signing-key/internal.p12").read_bytes(), b"test"
    )
    assert isinstance(stored.key, rsa.RSAPrivateKey)
    assert stored.cert is not None
    signer = software_signer(stored.key, stored.cert.certificate.public_bytes(Encoding.DER))
    root = golden / "env-dev-v6/globalconf-initial"
    parts = [
        describe_part(
            identifier,
            "DEV",
            f"/V6/20251110170000548026000/{name}",
            (root / "V6/20251110170000548026000" / name).read_bytes(),
        )
        for identifier, name in (
            ("SHARED-PARAMETERS", "shared-params.xml"),
            ("PRIVATE-PARAMETERS", "private-params.xml"),
        )
    ]
    data = write_directory(
        parts,
        signer,
        Boundaries("lmyAPTb9i7P4fQ7MmpnZ", "CNo5S3hBEIHbDGmANPgi"),
        expires=datetime.fromisoformat("2035-11-11T03:07:40+00:00"),
        version=6,
    )
    theirs = (root / "V6/internalconf").read_bytes()
    assert len(theirs) == 1759
    assert data == theirs


def test_rsa_and_elliptic_keys_with_every_digest(signer: DirectorySigner, now: datetime) -> None:
    keys = (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1()))
    part = describe_part("SHARED-PARAMETERS", "XX", "/a/b.xml", b"")
    for digest in DIGESTS[2:]:
        for key in keys:
            other = software_signer(key, signer.certificate, digest)
            data = write_directory([part], other, Boundaries("a", "b"), expires=now, digest=digest)
            with pytest.raises(Fault, match="global_conf_signature_verification_failure"):
                read_directory(data, (signer.certificate,), now)  # the certificate is not the key's
    data = write_directory([part], signer, Boundaries("a", "b"), expires=now, version=4)
    assert read_directory(data, (signer.certificate,), now) == Directory(4, now, (part,))


@pytest.mark.parametrize("instance", ["", " X", "X\r\nY: z", "X;Y", 'X"Y', "X\0"])
def test_an_instance_that_would_break_the_header(
    signer: DirectorySigner, now: datetime, instance: str
) -> None:
    part = describe_part("SHARED-PARAMETERS", instance, "/a/b.xml", b"")
    with pytest.raises(Fault, match="cannot stand in a header"):
        write_directory([part], signer, Boundaries("a", "b"), expires=now)


@pytest.mark.parametrize("pair", [("same", "same"), ("", "b"), ("a b", "c"), ("a", "b\r\n")])
def test_boundaries_are_two_words(
    signer: DirectorySigner, now: datetime, pair: tuple[str, str]
) -> None:
    with pytest.raises(Fault, match="boundaries"):
        write_directory((), signer, Boundaries(*pair), expires=now)


def test_a_server_is_known_by_the_hash_of_its_version() -> None:
    owner = ClientId("XX", "GOV", "1")
    old = register_server(owner, "S", "ss", (b"der",), version=2)
    new = register_server(owner, "S", "ss", (b"der",), version=3)
    assert [len(value) for value in old.auth_cert_hashes + new.auth_cert_hashes] == [20, 32]
    assert new.serves(owner)
