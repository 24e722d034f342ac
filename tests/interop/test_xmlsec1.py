"""Our signatures before xmlsec1, which shares no code with us or with the reference."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

DATA = b"<message>raw octets, never canonicalised</message>\r\n"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SIGNED_PROPERTIES = "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"
FORMS = [
    (MORE + "rsa-sha256", "RSA"),
    (MORE + "rsa-sha384", "RSA"),
    (MORE + "rsa-sha512", "RSA"),
    (MORE + "ecdsa-sha256", "P-256"),
    (MORE + "ecdsa-sha512", "P-256"),
    (MORE + "ecdsa-sha384", "P-384"),
    (MORE + "ecdsa-sha512", "P-384"),
    # xmlsec1 knows RSA-PSS since 1.3 only; Santuario stands in for it.
]
Sign = Callable[[str, str, str, bytes], tuple[bytes, bytes]]


@pytest.fixture
def xmlsec1(tool: Callable[[str], str], tmp_path: Path) -> Callable[..., bool]:
    program = tool("xmlsec1")

    def run(document: bytes, certificate: bytes, reference: str, data: bytes) -> bool:
        for name, content in (("s.xml", document), ("c.der", certificate), ("data", data)):
            (tmp_path / name).write_bytes(content)
        arguments = [
            *(program, "--verify", "--trusted-der", "c.der"),
            *("--id-attr:Id", SIGNED_PROPERTIES, f"--url-map:{reference}", "data", "s.xml"),
        ]
        done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, timeout=60)
        report = done.stdout + done.stderr
        assert (b"OK" in report.split()) == (done.returncode == 0), report.decode()
        return done.returncode == 0

    return run


@pytest.mark.parametrize("reference", ["/message.xml", "/sig-hashchainresult.xml"])
@pytest.mark.parametrize(("algorithm", "kind"), FORMS)
def test_it_takes_our_signatures(
    xmlsec1: Callable[..., bool], sign: Sign, algorithm: str, kind: str, reference: str
) -> None:
    document, certificate = sign(algorithm, kind, reference, DATA)
    assert xmlsec1(document, certificate, reference, DATA)


def test_it_sees_what_was_changed(xmlsec1: Callable[..., bool], sign: Sign) -> None:
    document, certificate = sign(*FORMS[2], "/message.xml", DATA)
    assert not xmlsec1(document, certificate, "/message.xml", DATA + b" ")
    later = document.replace(b"2024-12-05T", b"2024-12-06T")
    assert not xmlsec1(later, certificate, "/message.xml", DATA)
