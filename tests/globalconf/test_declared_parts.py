"""Optional parts are declared one by one, and none can take another's place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.declared_parts import DeclaredPart, read_declared_parts


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def declared(identifier: str, file_name: str) -> bytes:
    return f"content-identifier = {identifier}\nfile-name = {file_name}\n".encode()


@pytest.mark.reference
def test_the_references_declarations(golden: Path) -> None:
    assert read_declared_parts(files_of(golden / "configuration-parts/OPT")) == (
        DeclaredPart("MESSAGECONVERTER", "messageconverter.xml"),
        DeclaredPart("TEST-CONFIGURATION-PART", "test-configuration-part.xml"),
    )


@pytest.mark.reference
def test_the_references_duplicates_are_refused(golden: Path) -> None:
    with pytest.raises(Fault, match=r"malformed_optional_parts_conf.*'test-conf"):
        read_declared_parts(files_of(golden / "configuration-parts/DUPLICATES"))


def test_what_is_not_whole_declares_nothing() -> None:
    files = {"a.ini": b"content-identifier = A\n", "b.ini": b"file-name = b.xml\n", "c.ini": b""}
    assert read_declared_parts(files) == ()


@pytest.mark.parametrize(
    ("identifier", "file_name", "cause"),
    [
        ("SHARED-PARAMETERS", "b.xml", "content identifier 'SHARED-PARAMETERS' is taken"),
        ("PRIVATE-PARAMETERS", "b.xml", "content identifier 'PRIVATE-PARAMETERS' is taken"),
        ("A", "b.xml", "content identifier 'A' is taken"),
        ("B", "a.xml", "file name 'a.xml' is taken"),
        ("B", "shared-params.xml", "file name 'shared-params.xml' is taken"),
        ("B", "../b.xml", "'../b.xml' is not the name of a file"),
        ("B", "..", "'..' is not the name of a file"),
    ],
)
def test_no_part_takes_anothers_place(identifier: str, file_name: str, cause: str) -> None:
    files = {"a.ini": declared("A", "a.xml"), "b.ini": declared(identifier, file_name)}
    with pytest.raises(Fault, match=rf"malformed_optional_parts_conf.*b\.ini: .*{cause}"):
        read_declared_parts(files)


_LINES = st.sampled_from(["content-identifier = A", "file-name = a.xml", "[section]", "=", ";", ""])


@given(st.dictionaries(st.sampled_from(["a.ini", "b.ini", "c.txt"]), st.lists(_LINES | st.text())))
def test_whatever_is_declared_takes_no_name_twice(files: dict[str, list[str]]) -> None:
    written = {name: "\n".join(lines).encode("utf-8", "replace") for name, lines in files.items()}
    parts: tuple[DeclaredPart, ...] = ()
    code = "malformed_optional_parts_conf"
    try:
        parts = read_declared_parts(written)
    except Fault as fault:
        code = fault.code
    assert code == "malformed_optional_parts_conf"
    assert len({part.identifier for part in parts}) == len(parts)
    assert len({part.file_name for part in parts}) == len(parts)
