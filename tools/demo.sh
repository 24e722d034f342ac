#!/bin/sh
# Sets everything up and runs the demo; arguments go to `xgate demo` (--keep, --json).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$here/setup.sh" run
exec "$here/../.venv/bin/xgate" demo "$@"
