"""Writing blocks: the same octets for the same parameters, and what cannot be named is refused."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from xgate.errors import Fault
from xgate.globalconf.shared import (
    GlobalGroup,
    Member,
    MemberClass,
    SecurityServer,
    SharedParameters,
    Subsystem,
)
from xgate.globalconf.snapshot_writer import write_snapshot
from xgate.ids import ClientId

_CLASS = MemberClass("COM", "")


def test_the_same_parameters_give_the_same_octets(country: SharedParameters) -> None:
    assert write_snapshot(country, b"a file") == write_snapshot(country, b"a file")


@pytest.mark.parametrize(
    "change",
    [
        {"members": (Member(_CLASS, " ", "nobody"),)},
        {"members": (Member(_CLASS, "1", "", (Subsystem("\t"),)),)},
        {"servers": (SecurityServer(ClientId("XX", "COM", "1"), " "),)},
        {"groups": (GlobalGroup("", "nameless"),)},
    ],
    ids=["member", "subsystem", "server", "group"],
)
def test_a_blank_name_is_refused_as_everywhere(
    country: SharedParameters, change: dict[str, object]
) -> None:
    with pytest.raises(Fault, match="must not be blank"):
        write_snapshot(msgspec.structs.replace(country, **change), b"a file")


def test_a_block_that_could_not_be_searched_is_refused(
    country: SharedParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(write_snapshot(country, b"a file"))
    monkeypatch.setattr("xgate.globalconf.snapshot_writer.BLOCK", size)
    assert len(write_snapshot(country, b"a file")) == size
    monkeypatch.setattr("xgate.globalconf.snapshot_writer.BLOCK", size - 1)
    with pytest.raises(Fault, match=rf"come to {size} octets .* {size - 1} is the most"):
        write_snapshot(country, b"a file")


def test_writing_needs_no_certificates_and_no_sockets() -> None:
    code = (
        "import sys, xgate.globalconf.reader;"
        "print({'cryptography', 'OpenSSL', 'trio', 'socket', 'ssl'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
