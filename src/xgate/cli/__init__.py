"""The command line: ``xgate serve``, ``demo``, ``verify``, ``keys`` and ``globalconf``."""

from xgate.cli.app import main

__all__ = ["main"]
