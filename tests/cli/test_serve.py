"""``xgate serve``: it refuses settings that it cannot use, and stops when it is told to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xgate._native import provider
from xgate.cli.output import Unusable
from xgate.clock import SystemClock
from xgate.sandbox.country import Country, found_country

Run = Callable[..., Any]


@pytest.fixture
def founded(tmp_path: Path) -> Country:
    """A country whose consumer reads the configuration from disk, so that it runs alone."""
    country = found_country(tmp_path, SystemClock().now(), kind="P-256")
    settings = country.consumer.settings
    text = settings.read_text().replace('use = "http"', 'use = "disk"\ndirectory = "../globalconf"')
    settings.write_text(text)
    return country


@pytest.mark.parametrize("text", [None, "no TOML", "server = 1"])
def test_settings_that_cannot_be_used(xgate: Run, tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "xgate.toml"
    if text is not None:
        file.write_text(text)
    ran = xgate("serve", "--config", file)
    assert (ran.code, ran.out) == (2, "")
    assert str(file) in ran.err
    assert ran.err.count("\n") == 1


def test_a_file_that_the_settings_name_and_is_not_there(xgate: Run, founded: Country) -> None:
    (founded.consumer.folder / "pin").unlink()
    ran = xgate("serve", "--config", founded.consumer.settings)
    assert ran.code == 2
    assert "Cannot read the PIN file" in ran.err
    assert ran.err.count("\n") == 1


def test_a_key_store_that_does_not_open(xgate: Run, founded: Country) -> None:
    (founded.consumer.folder / "pin").write_text("wrong\n")
    ran = xgate("serve", "--config", founded.consumer.settings)
    assert ran.code == 1
    assert ran.err.startswith("xgate: pin_incorrect: ")


def test_a_port_that_is_taken(xgate: Run, founded: Country) -> None:
    with socket.socket() as taken:
        taken.bind((founded.consumer.address, founded.ports.client))
        taken.listen()
        ran = xgate("serve", "--config", founded.consumer.settings)
    assert ran.code == 2
    assert str(founded.ports.client) in ran.err
    assert ran.err.count("\n") == 1


def test_it_serves_until_it_is_told_to_stop(founded: Country) -> None:
    command = [sys.executable, "-m", "xgate", "serve", "--config", str(founded.consumer.settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        try:
            for line in process.stderr:
                if json.loads(line).get("event") == "serving":
                    break
            else:
                pytest.fail("it ended before it served")
            process.send_signal(signal.SIGTERM)
            rest = [json.loads(line) for line in process.stderr]
            assert process.wait() == 0
        finally:
            process.kill()
        assert rest[-1]["event"] == "stopped"
        assert process.stdout.read() == b""


def test_keys_in_a_signer_need_the_provider(
    xgate: Run, founded: Country, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = founded.consumer.settings
    settings.write_text(settings.read_text().replace("[keys]", '[keys]\nsigner = "s"'))
    monkeypatch.delenv("OPENSSL_CONF", raising=False)
    monkeypatch.setattr(provider, "_FOLDER", tmp_path)
    ran = xgate("serve", "--config", settings)
    assert ran.code == 2
    assert "[keys] signer: no OpenSSL provider in" in ran.err


def test_a_server_with_a_signer_starts_itself_again_with_the_provider(
    xgate: Run, founded: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = founded.consumer.settings
    settings.write_text(settings.read_text().replace("[keys]", '[keys]\nsigner = "s"'))
    monkeypatch.delenv("OPENSSL_CONF", raising=False)
    started: list[tuple[str, list[str], dict[str, str]]] = []

    def execve(*arguments: Any) -> None:
        started.append(arguments)
        raise Unusable("this process has gone")

    monkeypatch.setattr("os.execve", execve)
    assert "this process has gone" in xgate("serve", "--config", settings).err
    ((program, command, environment),) = started
    assert program == command[0] == sys.executable
    assert command[1:] == sys.orig_argv[1:]
    assert environment["OPENSSL_CONF"].endswith("provider.cnf")
