"""Folders of archives: unbroken chains, and every way in which they may be broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf, Instance
from xgate.globalconf.shared import read_shared
from xgate.trust.archive_chain import judge_chains, verify_folder
from xgate.trust.archive_name import write_archive_name
from xgate.trust.archive_read import Archive
from xgate.trust.linking import Link
from xgate.trust.proof import ContainerProof

AT = datetime(2024, 12, 5, tzinfo=UTC)


def chain(count: int, group: str | None = None, seed: int = 0) -> list[Archive]:
    archives: list[Archive] = []
    previous = None
    for number in range(count):
        last = f"{seed:04x}{number:012x}" * 8
        at = AT + timedelta(days=number)
        name = write_archive_name(group, at, at, last, encrypted=False)
        archives.append(Archive(name, previous, last, "SHA-512", 1, 0))
        previous = Link(last, name)
    return archives


def broken(*archives: Archive, refused: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(b.code, b.file_name) for b in judge_chains(archives, refused=refused)]


def test_every_group_has_its_own_unbroken_chain_in_any_order() -> None:
    every = [*chain(3), *chain(3, "EE/GOV/1", 1), *chain(1, "EE/GOV/1/sub", 2)]
    assert judge_chains(every) == judge_chains(every[::-1]) == ()


def test_a_missing_archive_is_named() -> None:
    one, two, three = chain(3)
    (gap,) = judge_chains([one, three])
    assert (gap.code, gap.file_name) == ("archive_chain_gap", three.file_name)
    assert two.file_name in gap.text
    (gap,) = judge_chains([two, three])
    assert one.file_name in gap.text


def test_an_archive_that_is_there_but_not_sound_is_no_support() -> None:
    one, two, three = chain(3)
    (gap,) = judge_chains([one, three], refused=[f"folder/{two.file_name}"])
    assert "which is not sound" in gap.text


def test_an_encrypted_archive_fills_a_gap_by_its_name() -> None:
    one, two, three = chain(3)
    link = Link(two.last, two.file_name + ".gpg")
    three = Archive(three.file_name, link, three.last, "SHA-512", 1, 0)
    assert judge_chains([one, three], encrypted=["x/" + link.file_name]) == ()
    assert len(judge_chains([one, three], encrypted=["other.zip.gpg"])) == 1
    decrypted = [one, two, three]  # the link says .gpg, the file lies here in clear
    assert judge_chains(decrypted) == ()


def test_two_that_continue_the_same_are_a_fork() -> None:
    one, two, three = chain(3)
    fork = Archive("other.zip", two.previous, "ff" * 64, "SHA-512", 1, 0)
    assert broken(one, two, three, fork) == [("archive_chain_fork", "other.zip")]


def test_a_group_begins_once() -> None:
    again = chain(1, "EE/GOV/1", 7)[0]
    assert broken(*chain(2, "EE/GOV/1", 1), again) == [
        ("archive_chain_begins_again", again.file_name)
    ]


def test_a_copy_is_no_further_archive() -> None:
    one, two = chain(2)
    copy = Archive("copy/" + two.file_name, two.previous, two.last, "SHA-512", 1, 0)
    assert broken(one, two, copy) == [("archive_duplicate", copy.file_name)]


def test_a_chain_stays_in_its_group() -> None:
    (one,) = chain(1, "EE/GOV/1")
    other = chain(2, "EE/GOV/2", 1)[1]
    stray = Archive(
        other.file_name, Link(one.last, one.file_name), other.last, other.algorithm, 1, 0
    )
    assert broken(one, stray) == [("archive_group_mismatch", stray.file_name)]


def test_a_name_that_tells_another_digest_is_told() -> None:
    (one,) = chain(1)
    wrong = Archive(one.file_name, None, "ee" * 64, "SHA-512", 1, 0)
    assert broken(wrong) == [("archive_name_mismatch", one.file_name)]


def trust_of(golden: Path) -> GlobalConf:
    tree = golden / "globalconf-signed" / "v3-2024-04" / "V3"
    shared = read_shared(next(tree.glob("*/shared-params.xml")).read_bytes())
    return GlobalConf("CS", {"CS": Instance("CS", shared=shared, version=3)})


@pytest.mark.reference
def test_a_folder_is_proven_file_by_file(golden: Path) -> None:
    trust = trust_of(golden)
    told: list[tuple[str, str, bool]] = []

    def tell(file_name: str, container: str, found: ContainerProof | Fault) -> None:
        told.append((file_name, container, isinstance(found, Fault)))

    found = verify_folder(trust, golden / "archive", tell)
    assert [a.file_name for a in found.archives] == [
        "message-archive-0.zip",
        "mlog-WITH_LINKINGINFO.zip",
    ]
    assert {name: fault.code for name, fault in found.refused.items()} == {
        "mlog-EXCESSIVE_FILES_IN_LINKINGINFO.zip": "archive_file_names_differ",
        "mlog-NO_ASIC_CONTAINERS.zip": "archive_no_containers",
    }
    assert (found.breaks, found.encrypted, found.sound) == ((), (), False)
    assert [failed for _, _, failed in told] == [False, True, True]
