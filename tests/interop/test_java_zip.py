"""Our containers before Java's streaming zip reader, by which the reference reads them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from xgate.trust.asic import Container, write_container

PROGRAM = Path(__file__).with_name("ListZip.java")


def test_a_reader_that_streams_sees_every_entry(tool: Callable[[str], str], tmp_path: Path) -> None:
    java = tool("java")
    container = Container(
        message=b"m" * 1000,
        signature=b"s" * 2000,
        timestamp=b"t",
        timestamp_chain_result=b"r",
        timestamp_chain=b"c",
        attachments=(("attachment1", b"a" * 3000),),
    )
    path = tmp_path / "x.asice"
    path.write_bytes(write_container(container, datetime(2025, 6, 1, tzinfo=UTC)))

    done = subprocess.run(
        [java, str(PROGRAM), str(path)], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    sizes = dict(line.split() for line in done.stdout.splitlines())
    assert list(sizes) == [
        "mimetype",
        "message.xml",
        "META-INF/signatures.xml",
        "ts-hashchainresult.xml",
        "ts-hashchain.xml",
        "META-INF/manifest.xml",
        "META-INF/ASiCManifest.xml",
        "META-INF/timestamp.tst",
        "attachment1",
    ]
    assert (sizes["mimetype"], sizes["message.xml"], sizes["attachment1"]) == ("31", "1000", "3000")
