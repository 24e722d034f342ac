"""``xgate verify``: containers and archives before the judge, one verdict for each.

The rule: every file gets its verdict, also after one that failed; the exit code is 0 only when all
containers are valid, all archives are sound and the archives of a folder continue each other. Any
number of containers takes the same memory, and all processors work on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

import msgspec

from xgate.cli.archive import (
    Archived,
    ArchiveVerdict,
    ArchiveWalk,
    Found,
    archive_rows,
    is_archive,
    judge_archived,
)
from xgate.cli.configuration import open_configuration
from xgate.cli.container import judge_file, verdict_rows
from xgate.cli.output import (
    Unusable,
    path_text,
    print_error,
    print_json,
    print_line,
    print_rows,
    with_progress,
)
from xgate.cli.workers import in_order
from xgate.globalconf.conf import GlobalConf
from xgate.trust.anchors import Trust
from xgate.trust.archive_chain import Break, judge_chains, list_archives
from xgate.trust.linking import Link

__all__ = ["verify"]

_MOST_TOLD = 1000  # containers of archives that one object names
_GAP = "archive_chain_gap"


def verify(
    files: list[Path],
    /,
    *,
    globalconf: Path,
    previous: str | None = None,
    tree: bool = False,
    json: bool = False,
) -> int:
    """Verify ASiC-E containers, and archives of the message log: who signed what, and when.

    :param files: Containers, archives (.zip), or folders: those mean all .asice files and archives
        below them, and that the archives continue each other without a gap.
    :param globalconf: A configuration folder (/etc/xroad/globalconf), or a verificationconf folder
        or zip file from a security server.
    :param previous: The link (hex) that the one archive must continue, or "first" if it must be the
        first of its chain.
    :param tree: Show every step that was checked, of valid containers too, and every container of
        an archive.
    :param json: Print one JSON object: ok, valid and invalid (how many), files, archives, breaks
        (where archives do not continue each other) and encrypted (archives passed over). Without
        --tree, files has only the first 1000 of an archive's containers that are not valid.
    """
    containers, archives, in_folders = _sort(files)
    conf = open_configuration(globalconf)
    for note in conf.warnings:
        print_error(f"note: {note}")
    walk = ArchiveWalk(archives + in_folders, _link(previous, archives), in_folders)
    report = _Report(tree=tree, hold=json or not (containers or tree))
    _judge(containers, walk, globalconf, conf, report)
    found = walk.verdicts(report.valid, report.invalid)
    breaks = judge_chains(
        list(walk.archives.values()), refused=walk.refused, encrypted=walk.encrypted
    )
    if not in_folders:  # what comes before a file that was named may lie elsewhere
        for gap in (one for one in breaks if one.code == _GAP):
            print_error(f"note: {gap.file_name}: {gap.text}")
        breaks = tuple(one for one in breaks if one.code != _GAP)
    for other in walk.others:
        print_error(f"note: {other} holds no containers, and is passed over")
    ok = not (report.invalid or breaks) and all(archive.sound for archive in found)
    if json:
        _tell_scripts(report, found, breaks, walk.encrypted, ok=ok)
    else:
        _tell_people(report, found, breaks, walk.encrypted)
    return 0 if ok else 1


class _Report:
    """The verdicts on containers: shown as they come, or held for the end."""

    def __init__(self, *, tree: bool, hold: bool) -> None:
        self.tree = tree
        self.hold = hold
        self.held: list[Found] = []
        self.left_out = 0
        self.valid: Counter[str] = Counter()
        self.invalid: Counter[str] = Counter()

    def add(self, found: Found) -> None:
        """Take one verdict."""
        valid = found.verdict.valid
        (self.valid if valid else self.invalid)[found.archive or ""] += 1
        wanted = self.tree or found.archive is None
        if not wanted and valid:
            return
        if not self.hold:
            _show(found, tree=self.tree)
        elif wanted or len(self.held) < _MOST_TOLD:
            self.held.append(found)
        else:
            self.left_out += 1


def _judge(
    containers: Sequence[Path],
    walk: ArchiveWalk,
    globalconf: Path,
    conf: GlobalConf,
    report: _Report,
) -> None:
    items: Iterator[Path | Archived] = chain(containers, walk.containers())
    tool = partial(open_configuration, globalconf)
    total = len(containers) + walk.count()
    with closing(in_order(items, _judge_one, tool, size=_size, here=conf)) as judging:
        for found in with_progress(judging, "Verifying", total, silent=report.hold):
            report.add(found)


def _judge_one(trust: Trust, item: Path | Archived) -> Found:
    if isinstance(item, Archived):
        return judge_archived(trust, item)
    return Found(judge_file(trust, item))


def _size(item: Path | Archived) -> int:
    if isinstance(item, Archived):
        return len(item.octets)
    try:
        return item.stat().st_size
    except OSError:
        return 0  # it has gone; the judge says so


def _tell_scripts(
    report: _Report,
    archives: Sequence[ArchiveVerdict],
    breaks: Sequence[Break],
    encrypted: Sequence[str],
    *,
    ok: bool,
) -> None:
    print_json(
        {
            "ok": ok,
            "valid": report.valid.total(),
            "invalid": report.invalid.total(),
            "files": [_told(found) for found in report.held],
            "archives": archives,
            "breaks": breaks,
            "encrypted": encrypted,
        }
    )


def _tell_people(
    report: _Report,
    archives: Sequence[ArchiveVerdict],
    breaks: Sequence[Break],
    encrypted: Sequence[str],
) -> None:
    for found in report.held:
        _show(found, tree=report.tree)
    if report.left_out:
        print_line(f"NOT VALID  {report.left_out} more containers")
    for archive in archives:
        print_line(f"{'sound' if archive.sound else 'NOT SOUND'}  {archive.file}")
        print_rows(archive_rows(archive))
    for one in breaks:
        print_line(f"BROKEN  {one.file_name}")
        print_rows([("code", one.code), ("cause", one.text)])
    for file in encrypted:
        print_line(f"encrypted, not looked into  {file}")
    if len(archives) > 1 and not breaks and all(archive.sound for archive in archives):
        print_line(f"{len(archives)} archives are sound, and no chain of them is broken")
    valid, total = report.valid.total(), report.valid.total() + report.invalid.total()
    if total > 1:
        print_line(f"{valid} of {total} containers are valid")


def _told(found: Found) -> dict[str, object]:
    """A verdict for a script; with its place, if it is in an archive."""
    told: dict[str, object] = msgspec.structs.asdict(found.verdict)
    if found.archive is not None:
        told |= {"archive": found.archive, "place": found.place}
    return told


def _sort(files: Sequence[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """Containers, archives that were named, and archives that lie in folders that were named."""
    containers: list[Path] = []
    named: list[Path] = []
    in_folders: list[Path] = []
    for path in files:
        if path.is_dir():
            inner = sorted(found for found in path.rglob("*.asice") if found.is_file())
            archives = [found for found in list_archives(path) if is_archive(found)]
            if not inner and not archives:
                raise Unusable(f"There is no .asice file and no archive below {path_text(path)}")
            containers += inner
            in_folders += archives
        elif not path.exists():
            raise Unusable(f"There is no file {path_text(path)}")
        elif path.suffix == ".gpg":
            raise Unusable(f"{path_text(path)} is encrypted; decrypt it first (gpg --decrypt)")
        else:
            (named if is_archive(path) else containers).append(path)
    return containers, named, in_folders


def _link(previous: str | None, archives: Sequence[Path]) -> Link | Literal["any"] | None:
    if previous is None:
        return "any"
    if len(archives) != 1:
        raise Unusable("--previous is about one archive, named as a file")
    if previous == "first":
        return None
    return Link(previous, "the one that --previous names")


def _show(found: Found, *, tree: bool) -> None:
    verdict = found.verdict
    place = "" if found.place is None else f"  (at octet {found.place} of the archive)"
    print_line(f"{'valid' if verdict.valid else 'NOT VALID'}  {verdict.file}{place}")
    print_rows(verdict_rows(verdict, tree=tree))
