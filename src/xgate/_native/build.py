"""Compiles ``csrc/*.c`` into ``xgate._native._xg`` (cffi, out of line, API mode).

The rule: ``csrc/xg.h`` is contract, manual and binding in one: the C compiler and cffi read the
same text, so it holds no preprocessor line.
"""

from __future__ import annotations

import os
from pathlib import Path

import cffi

ROOT = Path(__file__).resolve().parents[3]
CSRC = ROOT / "csrc"

ffibuilder = cffi.FFI()
ffibuilder.cdef((CSRC / "xg.h").read_text(encoding="utf-8"))
ffibuilder.set_source(
    "xgate._native._xg",
    '#include "inner.h"\n',
    sources=[os.path.relpath(path, ROOT) for path in sorted(CSRC.glob("*.c"))],
    depends=[os.path.relpath(path, ROOT) for path in sorted(CSRC.glob("*.h"))],
    include_dirs=["csrc"],
    libraries=["crypto"],
    extra_compile_args=["-std=c11", "-O3", "-fvisibility=hidden", "-Wall", "-Wextra"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
