"""Builds what is in C; all else is in pyproject.toml.

``csrc/`` becomes ``xgate._native._xg`` through cffi. ``csrc/provider/`` becomes a provider that
OpenSSL loads: no Python module, though it is built like one.
"""

from pathlib import Path

from setuptools import Extension, setup

setup(
    cffi_modules=["src/xgate/_native/build.py:ffibuilder"],
    ext_modules=[
        Extension(
            "xgate._native._provider",
            sources=[str(path) for path in sorted(Path("csrc/provider").glob("*.c"))],
            depends=["csrc/provider/provider.h"],
            extra_compile_args=["-std=c11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra"],
        )
    ],
)
