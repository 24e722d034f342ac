"""Throws what nobody would send at a parser: ``python fuzz.py --help``.

The rule: only a refusal may come out, the same however the input is cut, in bounded time and
memory. Inputs are good ones, changed; one that brings out something new is changed further. A
seed decides all of it. What goes wrong is written to a file, and ``--replay`` runs it again.
"""

from __future__ import annotations

import argparse
import base64
import json
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from fuzz_mutate import cut, mutate
from fuzz_targets import TARGETS, Target

__all__ = ["WrongError", "check", "fuzz"]

_MOST = 1 << 16  # octets of an input
_CORPUS = 2000
_SECONDS = 2.0  # of CPU for one input
_KB = 64 << 10  # by which one input may raise the process's peak of memory
_GENTLE = 0.2  # how often a good input is taken as it is, to be cut only


class WrongError(Exception):
    """An input that does what none may do."""


def check(target: Target, pieces: Sequence[bytes]) -> object:
    """The outcome for one input, whole and in ``pieces``.

    :raises WrongError: they differ, something else than a refusal came out, or it cost too much.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with _in_time():
        whole = _run(target, [b"".join(pieces)])
        apart = _run(target, pieces)
    if whole != apart:
        raise WrongError(f"the borders matter: {whole!r:.500} and in pieces {apart!r:.500}")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if grown > _KB:
        raise WrongError(f"it took {grown} KB of memory")
    return whole


def _run(target: Target, pieces: Sequence[bytes]) -> object:
    try:
        return target.run(pieces)
    except WrongError:
        raise
    except Exception as error:
        trace = "".join(traceback.format_exception(error)[-6:])
        raise WrongError(f"{type(error).__name__}: {error}\n{trace}") from error


@contextmanager
def _in_time() -> Iterator[None]:
    def give_up(number: int, frame: FrameType | None) -> None:
        raise WrongError(f"it took more than {_SECONDS} s")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def fuzz(name: str, seconds: float, seed: int, crashes: Path) -> dict[str, Any]:
    """Run one target for some time; what happened."""
    target, random = TARGETS[name], Random(f"{seed}/{name}")
    corpus = list(target.seeds)
    seen: set[str] = set()
    found: dict[str, str] = {}
    inputs = octets = 0
    for good in target.seeds:  # also loads what is loaded with the first use
        seen.add(_kind(check(target, [good, b""])))
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        base = random.choice(corpus)
        data = base
        if random.random() > _GENTLE:
            data = mutate(random, base, random.choice(corpus), target.words, _MOST)
        pieces = cut(random, data)
        inputs += 1
        octets += len(data)
        try:
            kind = _kind(check(target, pieces))
        except WrongError as wrong:
            cause = str(wrong).split("\n", 1)[0][:80]
            if cause not in found:
                found[cause] = _write(crashes, name, seed, inputs, pieces, str(wrong))
            continue
        if kind not in seen and len(corpus) < _CORPUS:
            seen.add(kind)
            corpus.append(data)
    return {
        "target": name,
        "seed": seed,
        "seconds": seconds,
        "inputs": inputs,
        "octets": octets,
        "kinds": len(seen),
        "found": found,
    }


def _kind(outcome: object) -> str:
    """What an outcome is like: its types and codes, not its octets."""
    match outcome:
        case tuple():
            return "(" + ",".join(map(_kind, outcome[:12])) + ")"
        case str():
            return outcome[:40]
        case _:
            return type(outcome).__name__


def _write(
    crashes: Path, name: str, seed: int, number: int, pieces: Sequence[bytes], why: str
) -> str:
    crashes.mkdir(parents=True, exist_ok=True)
    path = crashes / f"{name}-{seed}-{number}.json"
    octets = [base64.b64encode(piece).decode() for piece in pieces]
    path.write_text(json.dumps({"target": name, "pieces": octets, "why": why}, indent=1))
    print(f"{name}: {why}\nwritten to {path}", file=sys.stderr, flush=True)
    return str(path)


def _replay(path: Path) -> int:
    said = json.loads(path.read_text())
    pieces = [base64.b64decode(piece) for piece in said["pieces"]]
    try:
        print(check(TARGETS[said["target"]], pieces))
    except WrongError as wrong:
        print(f"still wrong: {wrong}")
        return 1
    return 0


def main() -> int:
    """Fuzz or replay; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Formatter)
    parser.add_argument("target", nargs="?", choices=sorted(TARGETS), help="what is fuzzed")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crashes", type=Path, default=Path("fuzz-crashes"), help="a folder")
    parser.add_argument("--replay", type=Path, help="a file of that folder; no target is named")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.replay is not None:
        return _replay(options.replay)
    if options.target is None:
        parser.error("name a target, or a file to replay")
    result = fuzz(options.target, options.seconds, options.seed, options.crashes)
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:10} {value}")
    return 1 if result["found"] else 0


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    pass


if __name__ == "__main__":
    sys.exit(main())
