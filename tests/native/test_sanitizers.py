"""Every C file under ASan and UBSan: seeds, seeded damage, protected pages, failing allocations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

MUTATIONS = 3000


def test_a_target_survives_its_seeds_and_their_damage(
    target: Path, seeds: Path, standalone: Callable[..., str]
) -> None:
    files = sorted(seeds.iterdir())
    said = standalone(target, str(MUTATIONS), "1", *files)
    assert said == f"{len(files)} files, {MUTATIONS} mutations\n"


@pytest.mark.reference
def test_signatures_and_messages_of_the_reference_are_canonicalised_cleanly(
    golden: Path, standalone: Callable[..., str]
) -> None:
    files = sorted(golden.glob("signatures/**/*.xml")) + sorted(golden.glob("messages/soap/**/*"))
    files = [path for path in files if path.is_file() and path.stat().st_size < 100_000]
    target = Path(__file__).resolve().parents[2] / "csrc" / "fuzz" / "fuzz_c14n.c"
    said = standalone(target, "0", "1", *files)
    assert said == f"{len(files)} files, 0 mutations\n"


def test_the_driver_sees_what_it_is_there_to_see(
    tmp_path: Path, standalone: Callable[..., str]
) -> None:
    seed = tmp_path / "seed"
    seed.write_bytes(b"x")
    for name, body, expected in [
        ("over", "return p[n] == 7;", "SEGV"),
        ("under", "return p[-1] == 7;", "SEGV"),
        ("leak", "volatile char *q = malloc(n); return p && !q;", "LeakSanitizer"),
        ("careless", "char *q = malloc(n + 1); q[0] = 1; free(q); return !p;", "null pointer"),
        ("signed", "int i = 2147483647; return p[0] + (i += (int)n);", "signed integer overflow"),
    ]:
        target = tmp_path / f"{name}.c"
        target.write_text(
            "#include <stdlib.h>\n#include <stdint.h>\n"
            "int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);\n"
            f"int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {{ (void)n; {body} }}\n"
        )
        with pytest.raises(AssertionError, match=expected):
            standalone(target, "0", "1", seed)
