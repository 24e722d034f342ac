"""``xgate verify``: every file gets its verdict, for people and for scripts."""

from __future__ import annotations

import gc
import io
import json
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from xgate.trust.archive_name import write_archive_name
from xgate.trust.linking import (
    LINKING_INFO,
    Chain,
    Heading,
    Link,
    linking_digest,
    write_heading,
    write_line,
)
from xgate.trust.zip_writer import ZipWriter

Run = Callable[..., Any]
Batch = Callable[..., bytes]


@pytest.fixture
def folder(tmp_path: Path, plain: bytes, batch: Batch) -> Path:
    """Two valid containers, a damaged one further down, and what is none."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.asice").write_bytes(plain)
    (tmp_path / "b.asice").write_bytes(batch())
    (tmp_path / "inner" / "c.asice").write_bytes(plain[:-30])
    (tmp_path / "notes.txt").write_text("no container")
    return tmp_path


def test_a_valid_container_tells_who_and_when(
    xgate: Run, folder: Path, configuration: Path
) -> None:
    ran = xgate("verify", folder / "a.asice", "--globalconf", configuration)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == f"valid  {folder / 'a.asice'}"
    assert "  signed by    XG/COM/777" in lines
    assert "  signature    of this message alone" in lines
    assert any(line.startswith("  time-stamp   2025-06-01 12:00:00 UTC by ") for line in lines)
    assert "  OCSP         good, produced 2025-06-01 12:00:00 UTC" in lines
    assert any(line.startswith("  part         /message.xml  verified  sha512 ") for line in lines)


def test_a_script_gets_one_object(xgate: Run, folder: Path, configuration: Path) -> None:
    ran = xgate("verify", folder, "--globalconf", configuration, "--json")
    assert ran.code == 1
    said = json.loads(ran.out)
    assert (said["ok"], said["valid"], said["invalid"]) == (False, 2, 1)
    alone, merged, damaged = said["files"]
    assert [file["valid"] for file in said["files"]] == [True, True, False]
    assert alone["signer"]["member"] == "XG/COM/777"
    assert alone["signer"]["certificate"]["serial"].isdigit()
    assert alone["timestamp"]["at"] == "2025-06-01T12:00:00Z"
    assert alone["ocsp"][0]["status"] == "good"
    assert (alone["kind"], merged["kind"]) == ("plain", "batch")
    assert [(p["name"], p["state"]) for p in merged["parts"]] == [
        ("/message.xml", "verified"),
        ("/attachment1", "missing"),
    ]
    assert damaged["reason"]["code"] == "asic_invalid_container"
    assert damaged["file"].endswith("inner/c.asice")


def test_a_folder_means_the_containers_below_it(
    xgate: Run, folder: Path, configuration: Path
) -> None:
    ran = xgate("verify", folder, "--globalconf", configuration)
    assert ran.code == 1
    heads = [line for line in ran.out.splitlines() if not line.startswith(" ")]
    assert [head[-7:] for head in heads[:-1]] == ["a.asice", "b.asice", "c.asice"]
    assert heads[-1] == "2 of 3 containers are valid"
    assert "  code         asic_invalid_container" in ran.out.splitlines()


def test_what_cannot_be_used_is_said_before_anything_is_judged(
    xgate: Run, folder: Path, configuration: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, cause in (
        ((folder / "a.asice", folder / "gone.asice", "--globalconf", configuration), "no file"),
        ((empty, "--globalconf", configuration), "There is no .asice file and no archive below"),
        ((folder, "--globalconf", tmp_path / "gone"), "is not a configuration"),
        ((folder, "--globalconf", empty), "is not a configuration"),
        ((folder,), "--globalconf requires an argument"),
        (("--globalconf", configuration), "FILES requires an argument"),
    ):
        ran = xgate("verify", *arguments)
        assert (ran.code, ran.out) == (2, ""), arguments
        assert cause in ran.err
        assert ran.err.count("\n") == 1


@pytest.mark.reference
def test_a_container_of_an_unknown_country_is_explained(
    xgate: Run, folder: Path, configuration: Path, golden: Path
) -> None:
    container = golden / "asic" / "valid-signed-message.asice"
    ran = xgate("verify", container, "--globalconf", configuration)
    assert ran.code == 1
    assert "of the same X-Road instance" in ran.out


def test_notes_about_the_configuration_go_to_standard_error(
    xgate: Run, folder: Path, configuration: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "conf"
    for file in configuration.rglob("*"):
        if file.is_file():
            target = copy / file.relative_to(configuration)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    (copy / "ZZ").mkdir()
    (copy / "ZZ" / "shared-params.xml").write_text("no XML")
    ran = xgate("verify", folder / "a.asice", "--globalconf", copy, "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["ok"] is True
    assert ran.err.startswith("xgate: note: shared-params.xml of ZZ is passed over")


def test_the_command_itself(folder: Path, configuration: Path) -> None:
    """As a process: standard output is what a script reads, whatever the terminal."""
    ran = subprocess.run(
        [sys.executable, "-m", "xgate", "verify", str(folder), "--globalconf", str(configuration)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.endswith("2 of 3 containers are valid\n")


def test_nobody_reads_to_the_end(folder: Path, configuration: Path) -> None:
    command = [sys.executable, "-m", "xgate", "verify", str(folder), "--globalconf"]
    with subprocess.Popen(
        [*command, str(configuration)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


@pytest.mark.reference
def test_the_reference_s_containers_get_their_verdicts(
    xgate: Run, golden: Path, configuration_of_cs: Path
) -> None:
    items = json.loads((golden / "expected.json").read_text())["items"]
    containers = [item for item in items if item["file"].startswith("asic/")]
    for conf, of_cs in ((configuration_of_cs, True), (golden / "globalconf" / "good2_v3", False)):
        mine = [item for item in containers if ("(instance CS)" in item["trust"]) == of_cs]
        files = [golden / item["file"] for item in mine]
        ran = xgate("verify", *files, "--globalconf", conf, "--json")
        said = json.loads(ran.out)
        assert len(said["files"]) == len(mine) > 3
        for item, file in zip(mine, said["files"], strict=True):
            failed = item["expect"].startswith("FAIL ")
            assert file["valid"] is not failed, item["file"]
            if failed:
                assert file["reason"]["code"] == item["expect"].split()[1]
                assert file["reason"]["meaning"]
            else:
                assert file["timestamp"]["at"] == item["time"]
        assert ran.code == (0 if of_cs else 1)


@pytest.mark.reference
def test_the_reference_s_verificationconf_as_a_zip(xgate: Run, golden: Path) -> None:
    conf = golden / "globalconf" / "verificationconf-2024-06.zip"
    ran = xgate("verify", golden / "asic" / "valid-batch-ts.asice", "--globalconf", conf)
    assert ran.code == 0
    assert "  signed by    DEV/COM/4321" in ran.out.splitlines()


@pytest.fixture
def archives(tmp_path: Path, plain: bytes, batch: Batch) -> Path:
    """Two archives, the second of which continues the first; three containers."""
    folder = tmp_path / "archives"
    folder.mkdir()
    first = archive_of(folder, [("a.asice", plain), ("b.asice", batch())], None)
    archive_of(folder, [("c.asice", plain)], first)
    return folder


def archive_of(folder: Path, files: list[tuple[str, bytes]], previous: Link | None) -> Link:
    heading = Heading(previous, linking_digest("SHA-512"))
    chain = Chain(heading)
    lines = [write_line(chain.add(octets), name) for name, octets in files]
    at = datetime(2025, 6, 1, 12, tzinfo=UTC)
    path = folder / write_archive_name(None, at, at, chain.last, encrypted=False)
    with path.open("wb") as out:
        writer = ZipWriter(out, io.BytesIO())
        for name, octets in [*files, (LINKING_INFO, write_heading(heading) + b"".join(lines))]:
            writer.add(name, octets, at)
        writer.finish()
    return Link(chain.last, path.name)


def in_order_of_the_chain(folder: Path) -> list[Path]:
    """The archive that begins it first."""
    return sorted(folder.iterdir(), key=lambda path: b"\n- - SHA" not in b"\n" + heading_of(path))


def heading_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(LINKING_INFO)


def test_a_folder_of_archives_is_proven_with_its_chain(
    xgate: Run, archives: Path, configuration: Path
) -> None:
    ran = xgate("verify", archives, "--globalconf", configuration)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[-2:] == [
        "2 archives are sound, and no chain of them is broken",
        "3 of 3 containers are valid",
    ]
    assert not any(line.startswith("valid") for line in lines)
    ran = xgate("verify", archives, "--globalconf", configuration, "--tree")
    assert sum(line.startswith("valid") for line in ran.out.splitlines()) == 3
    assert "  holds        signed parts: /message.xml" in ran.out.splitlines()


def test_a_missing_archive_breaks_the_chain_of_a_folder(
    xgate: Run, archives: Path, configuration: Path
) -> None:
    first, second = in_order_of_the_chain(archives)
    first.unlink()
    ran = xgate("verify", archives, "--globalconf", configuration)
    assert ran.code == 1
    assert f"BROKEN  {second}" in ran.out
    assert "  code         archive_chain_gap" in ran.out
    # By itself it is sound: what comes before it may lie elsewhere.
    ran = xgate("verify", second, "--globalconf", configuration)
    assert ran.code == 0
    assert f"It continues '{first.name}', which is missing" in ran.err


def test_an_archive_may_be_told_what_it_must_continue(
    xgate: Run, archives: Path, configuration: Path
) -> None:
    first, second = in_order_of_the_chain(archives)
    conf = ("--globalconf", configuration)
    said = json.loads(xgate("verify", first, *conf, "--previous", "first", "--json").out)
    assert said["ok"] is True
    (archive,) = said["archives"]
    link = archive["last_link"]
    assert xgate("verify", second, *conf, "--previous", link).code == 0
    ran = xgate("verify", second, *conf, "--previous", "first")
    assert ran.code == 1
    assert "archive_previous_digest_mismatch" in ran.out
    ran = xgate("verify", first, second, *conf, "--previous", "first")
    assert (ran.code, ran.out) == (2, "")
    assert "--previous is about one archive" in ran.err


def test_scripts_are_told_of_what_fails_and_where_it_is(
    xgate: Run, tmp_path: Path, plain: bytes, configuration: Path
) -> None:
    forged = plain.replace(b"mimetype", b"mimetypo")
    archive_of(tmp_path, [("a.asice", plain), ("bad.asice", forged)], None)
    ran = xgate("verify", tmp_path, "--globalconf", configuration, "--json")
    assert ran.code == 1
    said = json.loads(ran.out)
    assert (said["ok"], said["valid"], said["invalid"]) == (False, 1, 1)
    ((bad,), (archive,)) = said["files"], said["archives"]
    assert bad["file"].endswith(": bad.asice")
    assert bad["place"] > len(plain)
    assert bad["checks"][-1]["element"] == "the zip file and its entries"
    assert (archive["sound"], archive["valid"], archive["invalid"]) == (True, 1, 1)
    said = json.loads(
        xgate("verify", tmp_path, "--globalconf", configuration, "--json", "--tree").out
    )
    assert [file["valid"] for file in said["files"]] == [True, False]


def test_a_bundle_of_containers(
    xgate: Run, tmp_path: Path, plain: bytes, configuration: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "download.zip", "w") as bundle:
        bundle.writestr("a.asice", plain)
    ran = xgate("verify", tmp_path / "download.zip", "--globalconf", configuration)
    assert ran.code == 0
    assert "of which some might be missing" in ran.out


def test_encrypted_archives_are_named(
    xgate: Run, archives: Path, configuration: Path, tmp_path: Path
) -> None:
    sealed = archives / "mlog-x.zip.gpg"
    sealed.write_bytes(b"?")
    ran = xgate("verify", archives, "--globalconf", configuration)
    assert ran.code == 0
    assert f"encrypted, not looked into  {sealed}" in ran.out.splitlines()
    ran = xgate("verify", sealed, "--globalconf", configuration)
    assert (ran.code, ran.out) == (2, "")
    assert "decrypt it first" in ran.err


def test_many_containers_on_all_processors(
    xgate: Run, tmp_path: Path, plain: bytes, configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same verdicts, from processes of their own."""
    monkeypatch.setattr("xgate.cli.workers.processor_count", lambda: 2)
    forged = plain.replace(b"mimetype", b"mimetypo")
    files = [(f"{n}.asice", forged if n == 30 else plain) for n in range(60)]
    archive_of(tmp_path, files, None)
    said = json.loads(xgate("verify", tmp_path, "--globalconf", configuration, "--json").out)
    assert (said["valid"], said["invalid"]) == (59, 1)
    assert said["files"][0]["file"].endswith(": 30.asice")


def test_a_zip_bomb_harms_nobody(xgate: Run, tmp_path: Path, configuration: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb,
        bomb.open("bomb.asice", "w", force_zip64=True) as file,
    ):
        for _ in range(300):
            file.write(b"\0" * (1 << 20))
    gc.collect()  # what others left behind is not to end while we measure
    tracemalloc.start()
    ran = xgate("verify", tmp_path / "bomb.zip", "--globalconf", configuration)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ran.code == 1
    assert "is larger than" in ran.out
    assert peak < 50 << 20


@pytest.mark.reference
def test_the_reference_s_archives(xgate: Run, golden: Path, configuration_of_cs: Path) -> None:
    conf = ("--globalconf", configuration_of_cs, "--json")
    first = golden / "archive" / "message-archive-0.zip"
    ran = xgate("verify", first, *conf, "--previous", "first")
    assert ran.code == 0
    (archive,) = json.loads(ran.out)["archives"]
    items = json.loads((golden / "expected.json").read_text())["items"]
    (expected,) = (i for i in items if i["file"] == "archive/message-archive-0.zip")
    assert archive["last_link"] in expected["expect"]
    assert (archive["valid"], archive["invalid"]) == (1, 0)
    for name, code in (
        ("mlog-NO_ASIC_CONTAINERS.zip", "archive_no_containers"),
        ("mlog-EXCESSIVE_FILES_IN_LINKINGINFO.zip", "archive_file_names_differ"),
        ("mlog-WITH_LINKINGINFO.zip", None),
    ):
        said = json.loads(xgate("verify", golden / "archive" / name, *conf).out)
        (archive,) = said["archives"]
        assert archive["sound"] is (code is None)
        assert (archive["reason"] or {}).get("code") == code
    assert archive["invalid"] == 1  # its one container has no timestamp that anybody knows
