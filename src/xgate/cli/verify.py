"""``xgate verify``: containers before the judge, one verdict for each file.

The rule: every file gets its verdict, also after one that failed; the exit code is 0 only when all
of them are valid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from xgate.cli.configuration import open_configuration
from xgate.cli.container import Verdict, judge_file, verdict_rows
from xgate.cli.output import (
    Unusable,
    path_text,
    print_error,
    print_json,
    print_line,
    print_rows,
    with_progress,
)

__all__ = ["verify"]


def verify(files: list[Path], /, *, globalconf: Path, json: bool = False) -> int:
    """Verify ASiC-E containers: who signed what, and when.

    :param files: Containers, or folders: those mean all .asice files below them.
    :param globalconf: A configuration folder (/etc/xroad/globalconf), or a verificationconf folder
        or zip file from a security server.
    :param json: Print one JSON object: ok, valid and invalid (how many), and files.
    """
    paths = list(_containers(files))
    conf = open_configuration(globalconf)
    for note in conf.warnings:
        print_error(f"note: {note}")
    verdicts = []
    for path in with_progress(paths, "Verifying", len(paths)):
        verdicts.append(judge_file(conf, path))
        if not json:
            _show(verdicts[-1])
    valid = sum(verdict.valid for verdict in verdicts)
    if json:
        invalid = len(verdicts) - valid
        print_json({"ok": not invalid, "valid": valid, "invalid": invalid, "files": verdicts})
    elif len(verdicts) > 1:
        print_line(f"{valid} of {len(verdicts)} containers are valid")
    return 0 if valid == len(verdicts) else 1


def _containers(files: Sequence[Path]) -> Iterator[Path]:
    for path in files:
        if path.is_dir():
            found = sorted(inner for inner in path.rglob("*.asice") if inner.is_file())
            if not found:
                raise Unusable(f"There is no .asice file below {path_text(path)}")
            yield from found
        elif path.exists():
            yield path
        else:
            raise Unusable(f"There is no file {path_text(path)}")


def _show(verdict: Verdict) -> None:
    print_line(f"{'valid' if verdict.valid else 'NOT VALID'}  {verdict.file}")
    print_rows(verdict_rows(verdict))
