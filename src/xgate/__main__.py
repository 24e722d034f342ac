"""``python -m xgate``: the same as the ``xgate`` command."""

from xgate.cli import main

main()
