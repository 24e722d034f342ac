"""Every fuzz target for a while, all at a time; and what is found can be told and run again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

BENCHES = Path(__file__).resolve().parents[2] / "benches"
SECONDS = 60


@pytest.fixture(autouse=True)
def beside_the_benches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHES))


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(BENCHES / "fuzz.py"), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.fuzz
def test_nothing_but_refusals_comes_out_of_any_parser(tmp_path: Path) -> None:
    from fuzz_targets import TARGETS

    common = ("--json", "--seconds", str(SECONDS), "--crashes", str(tmp_path))
    running = {name: start(name, *common) for name in TARGETS}
    for name, process in running.items():
        said, why = process.communicate(timeout=SECONDS * 4)
        assert process.returncode == 0, why
        result = json.loads(said)
        assert (result["target"], result["found"]) == (name, {})
        assert result["inputs"] > 100
        assert result["kinds"] > 2
    assert list(tmp_path.iterdir()) == []


def test_every_seed_is_understood_however_it_is_cut() -> None:
    from fuzz import check
    from fuzz_targets import TARGETS

    for target in TARGETS.values():
        for seed in target.seeds:
            check(target, [seed[i : i + 1] for i in range(len(seed))])


def test_the_same_seed_gives_the_same_inputs_within_the_limit() -> None:
    from fuzz_mutate import cut, mutate

    def inputs() -> list[list[bytes]]:
        random, base = Random(5), b"some octets to be changed"
        changed = [mutate(random, base, b"other", [b"word"], 40) for _ in range(200)]
        return [cut(random, one) for one in changed]

    first = inputs()
    assert first == inputs()
    assert max(len(b"".join(pieces)) for pieces in first) == 40
    assert len({b"".join(pieces) for pieces in first}) > 150


def test_borders_that_matter_errors_and_slowness_are_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fuzz
    from fuzz_targets import Target

    def matters(pieces: object) -> tuple[object, ...]:
        return (pieces,)

    def fails(pieces: object) -> tuple[object, ...]:
        raise KeyError("not a refusal")

    def hangs(pieces: object) -> tuple[object, ...]:
        while True:
            pass

    monkeypatch.setattr(fuzz, "_SECONDS", 0.1)
    for run, why in ((matters, "the borders"), (fails, "KeyError"), (hangs, "more than 0.1 s")):
        with pytest.raises(fuzz.WrongError, match=why):
            fuzz.check(Target(run, (b"ab",), (b"c",)), [b"a", b"b"])


def test_a_finding_is_written_to_a_file_that_runs_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fuzz
    from fuzz_targets import TARGETS, Target

    def fails_on_much(pieces: Sequence[bytes]) -> tuple[object, ...]:
        if len(b"".join(pieces)) > 5:
            raise KeyError("too much")
        return ()

    monkeypatch.setitem(TARGETS, "xml", Target(fails_on_much, (b"abc",), (b"d",)))
    result = fuzz.fuzz("xml", 0.3, 1, tmp_path / "found")
    ((why, path),) = result["found"].items()
    assert why == "KeyError: 'too much'"
    done = start("--replay", path)  # another process, in which the target is what it should be
    assert done.communicate(timeout=60)[0]
    assert done.returncode == 0
    said = json.loads(Path(path).read_text())
    assert (said["target"], "too much" in said["why"]) == ("xml", True)
