"""Our signatures before Apache Santuario, the library that the reference verifies with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from xgate.algorithms import SIGNATURES
from xgate.trust.xades import with_timestamp

PROGRAM = Path(__file__).with_name("VerifySignature.java")
JARS = [Path("/usr/share/java") / name for name in ("xmlsec.jar", "slf4j-api.jar", "slf4j-nop.jar")]
DATA = b"<message>raw octets, never canonicalised</message>\r\n"
FORMS = [
    (algorithm.uri, kind, reference)
    for algorithm in SIGNATURES.values()
    if algorithm.digest.size >= 32
    for kind in (("P-256", "P-384") if algorithm.kind == "ecdsa" else ("RSA",))
    for reference in ("/message.xml", "/sig-hashchainresult.xml")
]
Case = tuple[bytes, str, bytes]
Sign = Callable[[str, str, str, bytes], tuple[bytes, bytes]]


@pytest.fixture
def santuario(tool: Callable[..., str], tmp_path: Path) -> Callable[[list[Case]], list[str]]:
    """What Santuario says of documents that refer to a URI with these octets; one JVM for all."""
    java = tool("java")
    for jar in JARS:
        tool(jar.name, str(jar) if jar.exists() else None)

    def run(cases: list[Case]) -> list[str]:
        lines = []
        for number, (document, reference, data) in enumerate(cases):
            (tmp_path / f"{number}.xml").write_bytes(document)
            (tmp_path / f"{number}.data").write_bytes(data)
            lines.append(f"{number}.xml\t{reference}\t{number}.data\n")
        done = subprocess.run(
            [java, "-XX:TieredStopAtLevel=1", "-cp", ":".join(map(str, JARS)), str(PROGRAM)],
            cwd=tmp_path,
            input="".join(lines),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_it_takes_our_signatures(santuario: Callable[[list[Case]], list[str]], sign: Sign) -> None:
    cases = [(sign(*form, DATA)[0], form[2], DATA) for form in FORMS]
    verdicts = santuario(cases)
    assert dict(zip(FORMS, verdicts, strict=True)) == dict.fromkeys(FORMS, "valid")


def test_it_sees_what_was_changed_and_that_a_time_stamp_changes_nothing(
    santuario: Callable[[list[Case]], list[str]], sign: Sign
) -> None:
    form = next(form for form in FORMS if form[0].endswith("rsa-sha512"))
    document, _ = sign(*form, DATA)
    later = document.replace(b"2024-12-05T", b"2024-12-06T")
    assert santuario(
        [
            (document, form[2], DATA),
            (document, form[2], DATA + b" "),
            (later, form[2], DATA),
            (with_timestamp(document, b"token"), form[2], DATA),
        ]
    ) == ["valid", "invalid", "invalid", "valid"]
