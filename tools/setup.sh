#!/bin/sh
# Prepares this checkout on a Debian machine: packages of the system, a virtual environment in .venv,
# xgate in it with its C core built. Does only what is missing; says what it does.
#   tools/setup.sh run    what running needs        tools/setup.sh test   what testing needs as well
set -eu
cd "$(dirname "$0")/.."
want=${1:-run}
python=${PYTHON:-python3}

say() { printf '%s\n' "[setup] $*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=""
need() { missing="$missing $*"; }

has_header() { printf '#include <%s>\n' "$1" | cc -E - >/dev/null 2>&1; }

command -v cc >/dev/null || need gcc libc6-dev
command -v openssl >/dev/null || need openssl
has_header openssl/evp.h || need libssl-dev
"$python" -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
"$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || need python3-dev
if [ "$want" = test ]; then
    command -v xmlsec1 >/dev/null || need xmlsec1
    command -v javac >/dev/null || need openjdk-17-jdk-headless
    [ -e /usr/share/java/xmlsec.jar ] || need libxml-security-java
    command -v unzip >/dev/null || need unzip
    command -v bsdtar >/dev/null || need libarchive-tools
    command -v softhsm2-util >/dev/null || need softhsm2
    { command -v gpg && command -v gpg-agent; } >/dev/null || need gnupg
    # Tests start a server of their own; the package must not start another.
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need postgresql
fi
if [ -n "$missing" ]; then
    say "installing Debian packages:$missing"
    as_root apt-get update -qq
    case "$missing" in *postgresql*)
        as_root mkdir -p /etc/postgresql-common
        [ -e /etc/postgresql-common/createcluster.conf ] ||
            echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    esac
    # shellcheck disable=SC2086  # a list of names
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

[ -x .venv/bin/python ] || { say "making .venv"; "$python" -m venv .venv; }
extra=""
[ "$want" = test ] && extra="[test]"
# The stamp names all that decides what is installed: when it is unchanged, there is nothing to do.
stamp=$(cat pyproject.toml setup.py src/xgate/_native/build.py csrc/*.c csrc/*.h | cksum)
if [ "$(cat .venv/xgate-stamp-"$want" 2>/dev/null)" != "$stamp" ]; then
    say "installing xgate and what it needs into .venv"
    .venv/bin/python -m pip install -q --disable-pip-version-check -e ".$extra"
    printf '%s' "$stamp" > .venv/xgate-stamp-"$want"
fi
