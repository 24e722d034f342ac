"""The settings file: what it means, and how it refuses what it does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from xgate.securityserver.settings import Settings, SettingsError, load_settings
from xgate.trust.asic import SIZE_LIMIT

MINIMAL = 'server = "DEV/COM/1234/SS0"\n'


def load(folder: Path, text: str) -> Settings:
    path = folder / "xgate.toml"
    path.write_text(text)
    return load_settings(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, text)
    return str(caught.value)


def test_one_line_is_enough_and_ports_are_the_references(tmp_path: Path) -> None:
    settings = load(tmp_path, MINIMAL)
    listen = settings.listen
    assert (listen.client_http_port, listen.client_https_port) == (8080, 8443)
    assert (listen.server_port, listen.ocsp_port) == (5500, 5577)
    assert str(settings.server_id) == "SERVER:DEV/COM/1234/SS0"


def test_an_unknown_key_is_refused_by_name_with_a_suggestion(tmp_path: Path) -> None:
    said = refusal(tmp_path, MINIMAL + "[listen]\nclient-http-prot = 1\n")
    assert "[listen] unknown key 'client-http-prot'; did you mean 'client-http-port'?" in said


def test_an_unknown_key_at_the_top_is_refused_too(tmp_path: Path) -> None:
    assert "unknown key 'sever'; did you mean 'server'?" in refusal(tmp_path, 'sever = "x"\n')


def test_an_unknown_key_in_a_list_names_its_section(tmp_path: Path) -> None:
    text = MINIMAL + (
        '[[client]]\nid = "DEV/COM/1/a"\n[[client.service]]\ncode = "x"\n'
        'url = "http://h/"\nallows = []\n'
    )
    said = refusal(tmp_path, text)
    assert "[client.service] unknown key 'allows'; did you mean 'allow'?" in said


def test_a_key_unlike_any_other_lists_what_is_known(tmp_path: Path) -> None:
    said = refusal(tmp_path, MINIMAL + "[keys]\nzzz = 1\n")
    assert "known here: store, pin-file, pin-env" in said


def test_a_wrong_type_says_where(tmp_path: Path) -> None:
    said = refusal(tmp_path, MINIMAL + '[listen]\nserver-port = "x"\n')
    assert "server-port" in said
    assert "int" in said


@pytest.mark.parametrize("name", ["DEV/COM/1234", "DEV/COM/1234/SS0/x", "DEV//1234/SS0", ""])
def test_the_server_must_be_named_in_full(tmp_path: Path, name: str) -> None:
    assert "is not INSTANCE/CLASS/MEMBER/SERVERCODE" in refusal(tmp_path, f'server = "{name}"\n')


def test_a_file_that_is_not_there_or_not_toml(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Cannot read .*No such file"):
        load_settings(tmp_path / "none.toml")
    assert "is not TOML" in refusal(tmp_path, "server = \n")
    (tmp_path / "latin.toml").write_bytes(b'server = "\xe4"\n')
    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings(tmp_path / "latin.toml")


# timestamping and audit


def test_timestamping_is_in_batches_as_the_configuration_says_unless_told(tmp_path: Path) -> None:
    stamping = load(tmp_path, MINIMAL).messagelog.timestamping
    assert (stamping.mode, stamping.order, stamping.services) == ("batch", "listed", ())
    assert (stamping.interval_seconds, stamping.batch) == (0, 10_000)
    assert (stamping.retry_seconds, stamping.acceptable_failure_seconds) == (60, 14_400)
    assert (stamping.connect_seconds, stamping.answer_seconds) == (20, 60)
    audit = load(tmp_path, MINIMAL).messagelog.audit
    assert (audit.interval_seconds, audit.sample) == (60, 3)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('mode = "never"', "mode"),
        ('order = "cheapest"', "order"),
        ("batch = 0", "batch"),
        ("batch = 10001", "batch"),
        ("interval-seconds = -1", "interval-seconds"),
        ("interval-seconds = 86401", "interval-seconds"),
        ("retry-seconds = 0", "retry-seconds"),
        ("acceptable-failure-seconds = -1", "acceptable-failure-seconds"),
        ("connect-seconds = 0", "connect-seconds"),
        ("answer-seconds = inf", "answer-seconds"),
        ('services = "http://tsa/"', "services"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, line: str, said: str) -> None:
    text = refusal(tmp_path, f"{MINIMAL}[messagelog.timestamping]\n{line}\n")
    assert f"$.messagelog.timestamping.{said}" in text


def test_an_audit_is_bounded_and_can_be_off(tmp_path: Path) -> None:
    head = f"{MINIMAL}[messagelog.audit]\n"
    assert load(tmp_path, head + "interval-seconds = 0\n").messagelog.audit.interval_seconds == 0
    assert "$.messagelog.audit.sample" in refusal(tmp_path, head + "sample = 0\n")
    assert "did you mean 'sample'?" in refusal(tmp_path, head + "samples = 1\n")


def test_a_key_of_the_timestamping_section_is_suggested(tmp_path: Path) -> None:
    text = f"{MINIMAL}[messagelog.timestamping]\naccepted-failure-seconds = 1\n"
    assert "did you mean 'acceptable-failure-seconds'?" in refusal(tmp_path, text)


def test_the_message_log_is_whole_and_in_sqlite_unless_told_otherwise(tmp_path: Path) -> None:
    log = load(tmp_path, MINIMAL).messagelog
    assert (log.use, log.sqlite.path) == ("sqlite", "messagelog.sqlite")
    assert (log.body_logging, log.bodies, log.truncate_bodies) == (True, (), False)
    assert (log.encryption.current, log.encryption.keys) == ("", {})


def test_the_message_logs_keys_are_read(tmp_path: Path) -> None:
    text = """
[messagelog]
use = "postgres"
body-logging = false
truncate-bodies = true
max-body-bytes = 0
[messagelog.postgres]
conninfo = "dbname=log"
connect-seconds = 2
answer-seconds = 1.5
[messagelog.options]
anything = ["at", "all"]
[messagelog.encryption]
current = "2026"
[messagelog.encryption.keys]
2025 = "old.key"
2026 = "new.key"
[[messagelog.bodies]]
subsystem = "DEV/COM/1/a"
log = true
"""
    log = load(tmp_path, MINIMAL + text).messagelog
    assert (log.postgres.conninfo, log.postgres.answer_seconds) == ("dbname=log", 1.5)
    assert log.options == {"anything": ["at", "all"]}
    assert log.encryption.keys == {"2025": "old.key", "2026": "new.key"}
    assert [(section.subsystem, section.log) for section in log.bodies] == [("DEV/COM/1/a", True)]


def test_no_larger_body_may_be_logged_than_can_be_verified(tmp_path: Path) -> None:
    text = f"{MINIMAL}[messagelog]\nmax-body-bytes = {SIZE_LIMIT - (100 << 20)}\n"
    assert "messagelog.max-body-bytes" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[messagelog]\npath = "x"', "[messagelog] unknown key 'path'"),
        ("[messagelog]\nbody-loging = true", "did you mean 'body-logging'?"),
        ('[messagelog.sqlite]\npaht = "x"', "[messagelog.sqlite] unknown key 'paht'"),
        ("[messagelog.postgres]\nconninf = 1", "did you mean 'conninfo'?"),
        ("[messagelog.postgres]\nconnect-seconds = 1", "messagelog.postgres.connect-seconds"),
        ("[messagelog.postgres]\nanswer-seconds = 0.5", "messagelog.postgres.answer-seconds"),
        ("[messagelog]\nmax-body-bytes = -1", "messagelog.max-body-bytes"),
        ("[messagelog]\nmax-body-bytes = 600000000", "messagelog.max-body-bytes"),
        ("[[messagelog.bodies]]\nlogs = true", "[messagelog.bodies] unknown key 'logs'"),
        ('[[messagelog.bodies]]\nsubsystem = "a"', "log"),
        ('[messagelog.encryption]\ncurent = "a"', "did you mean 'current'?"),
    ],
)
def test_what_the_message_log_does_not_know_is_refused_by_name(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in refusal(tmp_path, MINIMAL + text + "\n")
