"""Every fuzz target under libFuzzer for a moment: it builds, and finds nothing at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def test_a_target_finds_nothing_in_a_moment(
    target: Path, seeds: Path, libfuzzer: Callable[..., str], tmp_path: Path
) -> None:
    dictionary = target.parent / f"{seeds.name}.dict"
    said = libfuzzer(
        target,
        *([f"-dict={dictionary}"] if dictionary.exists() else []),
        "-max_total_time=2",
        "-max_len=4096",
        f"-artifact_prefix={tmp_path}/",
        tmp_path,  # new inputs go here, not into the corpus
        seeds,
    )
    assert "Done " in said
