"""Builds ``xgate._native._xg`` from ``csrc/`` through cffi; all else is in pyproject.toml."""

from setuptools import setup

setup(cffi_modules=["src/xgate/_native/build.py:ffibuilder"])
