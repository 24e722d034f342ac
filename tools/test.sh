#!/bin/sh
# Sets everything up and runs all checks: lint, format, types, tests. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
tools/setup.sh test
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
exec .venv/bin/pytest "$@"
