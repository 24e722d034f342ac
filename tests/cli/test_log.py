"""``xgate log``: what people and scripts are told of a log, also while a server writes to it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from xgate.messagelog.postgres import PostgresStore
from xgate.messagelog.sqlite import SqliteStore
from xgate.testing.postgres import Cluster

if TYPE_CHECKING:
    from tests.cli.conftest import Logged

Run = Callable[..., Any]


def test_search_lists_one_line_for_each_record(xgate: Run, logged: Logged) -> None:
    ran = xgate("log", "search", "--store", logged.path)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert len(lines) == 5
    assert (
        lines[0].split()
        == (
            f"{logged.request} 2025-06-01 12:00:00 UTC request "
            "XG/COM/777/app > XG/COM/12/reg/look 1 97 octets"
        ).split()
    )
    assert lines[2].endswith("  [not time-stamped]")
    assert lines[4].endswith("  [cut]")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--id", "1"], ["request", "answer"]),
        (["--id", "1", "--newest-first"], ["answer", "request"]),
        (["--responses"], ["answer"]),
        (["--failed"], ["answer"]),
        (["--unstamped"], ["waiting"]),
        (["--owner", "XG/COM/12/reg"], ["waiting"]),
        (["--member", "XG/COM/12", "--limit", "2"], ["request", "answer"]),
        (["--since", "2025-06-02"], ["forged", "cut"]),
        (["--until", "2025-06-01T13:00"], ["request"]),
        (["--number", "2"], ["answer"]),
        (["--service", "XG/COM/12/reg/other"], []),
    ],
)
def test_search_for_scripts(
    xgate: Run, logged: Logged, options: list[str], found: list[str]
) -> None:
    ran = xgate("log", "search", "--store", logged.path, "--json", *options)
    assert ran.code == 0
    said = json.loads(ran.out)
    assert [row["number"] for row in said["records"]] == [getattr(logged, name) for name in found]
    assert said["more"] is ("--limit" in options)


def test_a_list_that_is_cut_says_so(xgate: Run, logged: Logged) -> None:
    ran = xgate("log", "search", "--store", logged.path, "--limit", "1")
    assert len(ran.out.splitlines()) == 1
    assert ran.err == "xgate: note: there are more than 1; say --limit, or narrow the search\n"


def test_show_tells_what_a_record_is(xgate: Run, logged: Logged) -> None:
    ran = xgate("log", "show", logged.request, "--store", logged.path)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert "  attachment1  4 octets" in lines
    assert "  time-stamp   alone" in lines
    assert "  signature    in a batch" in lines
    assert "  container    1-request-1.asice" in lines
    assert "X-Road-Client" not in ran.out
    ran = xgate("log", "show", logged.request, "--store", logged.path, "--message", "--json")
    said = json.loads(ran.out)
    assert said["message"].startswith("GET\r\n/r1/XG/COM/12/reg/look")
    assert said["record"]["service"] == "XG/COM/12/reg/look"
    ran = xgate("log", "show", logged.waiting, "--store", logged.path, "--message")
    assert "  time-stamp   no" in ran.out.splitlines()
    assert "X-Road-Client:XG/COM/777/app" in ran.out.splitlines()


def test_a_record_that_is_not_there(xgate: Run, logged: Logged) -> None:
    ran = xgate("log", "show", "99", "--store", logged.path)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "xgate: not_found: There is no record 99 in the log\n"


def test_stats_count_everything(xgate: Run, logged: Logged) -> None:
    said = json.loads(xgate("log", "stats", "--store", logged.path, "--json").out)
    assert (said["log"]["records"], said["log"]["unstamped"]) == (5, 1)
    assert said["log"]["oldest"] == "2025-06-01T12:00:00Z"
    assert said["by_owner"] == {"XG/COM/12/reg": 1, "XG/COM/777/app": 4}
    assert said["by_service"] == {"XG/COM/12/reg/look": 5}
    assert said["by_day"] == {"2025-06-01": 3, "2025-06-02": 2}
    lines = xgate("log", "stats", "--store", logged.path).out.splitlines()
    assert lines[0] == "5 records"
    assert "  unstamped    1" in lines
    assert "  2            2025-06-02" in lines


def test_export_into_a_folder_tells_what_is_left_out(
    xgate: Run, logged: Logged, tmp_path: Path, configuration: Path
) -> None:
    ran = xgate("log", "export", tmp_path / "out", "--store", logged.path)
    assert ran.code == 1
    assert (
        ran.err == f"xgate: note: record {logged.waiting} has no time-stamp yet, so no container\n"
    )
    assert ran.out.startswith("4 containers, ")
    request = tmp_path / "out" / "1-request-1.asice"
    assert xgate("verify", request, "--globalconf", configuration).code == 0


def test_export_into_one_zip(xgate: Run, logged: Logged, tmp_path: Path) -> None:
    options = ("--store", logged.path, "--id", "1", "--json")
    ran = xgate("log", "export", tmp_path / "out.zip", *options)
    assert ran.code == 0
    said = json.loads(ran.out)
    assert (said["containers"], said["unstamped"]) == (2, [])
    with zipfile.ZipFile(io.BytesIO((tmp_path / "out.zip").read_bytes())) as archive:
        assert archive.namelist() == ["1-request-1.asice", "1-response-2.asice"]
        assert sum(info.file_size for info in archive.infolist()) == said["octets"]
    ran = xgate("log", "export", tmp_path / "out.zip", *options)
    assert (ran.code, ran.out) == (2, "")
    assert "say --replace" in ran.err
    assert xgate("log", "export", tmp_path / "out.zip", "--replace", *options).code == 0


def test_verify_judges_every_record_by_itself(
    xgate: Run, logged: Logged, configuration: Path
) -> None:
    options = ("--store", logged.path, "--globalconf", configuration)
    ran = xgate("log", "verify", *options)
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0] == f"NOT VALID  record {logged.forged}"
    assert "  code         invalid_signature_value" in lines
    assert lines[-1] == "2 valid, 1 invalid, 1 unstamped, 1 incomplete"
    ran = xgate("log", "verify", *options, "--json", "--until", "2025-06-02")
    assert ran.code == 0
    assert json.loads(ran.out) == {
        "ok": True,
        "valid": 2,
        "invalid": 0,
        "unstamped": 1,
        "incomplete": 0,
        "failures": [],
    }
    said = json.loads(xgate("log", "verify", *options, "--json", "--id", "forged").out)
    ((failure,)) = said["failures"]
    assert failure["number"] == logged.forged
    assert failure["verdict"]["reason"]["code"] == "invalid_signature_value"


def test_verify_a_sample(xgate: Run, logged: Logged, configuration: Path) -> None:
    options = ("--store", logged.path, "--globalconf", configuration, "--json")
    for size, total in ((2, 2), (1000, 5)):
        said = json.loads(xgate("log", "verify", *options, "--sample", size).out)
        states = ("valid", "invalid", "unstamped", "incomplete")
        assert sum(said[state] for state in states) == total


def test_all_of_it_works_while_a_server_writes(
    xgate: Run, logged: Logged, configuration: Path
) -> None:
    with closing(SqliteStore(logged.path)) as server, server._transaction():
        for command in (("search",), ("stats",), ("show", 1), ("verify", "--id", "1")):
            more = ("--globalconf", configuration) if "verify" in command else ()
            assert xgate("log", *command, "--store", logged.path, *more).code == 0


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("search",), "Say which log: --config with a server's settings file, or --store"),
        (("search", "--store", "a", "--config", "b"), "Say which log"),
        (("search", "--store", "/no/such"), "There is no message log /no/such"),
        (("stats", "--config", "/no/such.toml"), "Cannot read /no/such.toml"),
        (("search", "--store", "LOG", "--requests", "--responses"), "Say --requests or"),
        (("search", "--store", "LOG", "--client", "nobody"), "--client: 'nobody' is not INSTANCE"),
        (("search", "--store", "LOG", "--member", "A/B/C/D"), "is a subsystem"),
        (("search", "--store", "LOG", "--since", "monday"), "--since monday: a time is written"),
        (("search", "--store", "LOG", "--limit", "0"), "--limit must be 1 at least"),
        (("verify", "--store", "LOG"), "Say by which configuration"),
        (
            ("verify", "--store", "LOG", "--globalconf", "/no/such"),
            "/no/such is not a configuration",
        ),
        (("verify", "--config", "/no/such.toml"), "Cannot read /no/such.toml"),
        (
            ("verify", "--store", "LOG", "--globalconf", "CONF", "--sample", "0"),
            "--sample must be 1 at least",
        ),
        (("export", "/proc/no/such", "--store", "LOG"), "Cannot write /proc/no/such"),
        (("search", "--nonsense"), "--nonsense"),
    ],
)
def test_what_cannot_be_used_ends_with_2(
    xgate: Run, logged: Logged, configuration: Path, arguments: tuple[str, ...], cause: str
) -> None:
    named = {"LOG": logged.path, "CONF": configuration}
    ran = xgate("log", *(named.get(argument, argument) for argument in arguments))
    assert (ran.code, ran.out) == (2, "")
    assert cause in ran.err
    assert ran.err.count("\n") == 1


def test_another_program_s_file_is_no_log(xgate: Run, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"what is this" * 1000)
    ran = xgate("log", "stats", "--store", tmp_path / "other")
    assert (ran.code, ran.out) == (2, "")
    assert "Cannot open the message log" in ran.err


def test_verify_many_on_all_processors(
    xgate: Run,
    logged: Logged,
    configuration: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same verdicts in the same order, from processes of their own."""
    monkeypatch.setattr("xgate.cli.workers.processor_count", lambda: 2)
    with closing(SqliteStore(logged.path, read_only=True)) as few:
        records = list(few.find())
    with closing(SqliteStore(tmp_path / "many")) as many:
        for _ in range(12):
            numbers = many.append([one.record for one in records])
            stamps = zip(numbers, records, strict=True)
            many.stamp({n: one.stamp for n, one in stamps if one.stamp is not None}, {})
    options = ("--store", tmp_path / "many", "--globalconf", configuration, "--json")
    said = json.loads(xgate("log", "verify", *options).out)
    assert [said[s] for s in ("valid", "invalid", "unstamped", "incomplete")] == [24, 12, 12, 12]
    assert [failure["number"] for failure in said["failures"]] == list(range(4, 60, 5))


def test_a_log_in_postgresql_while_a_server_writes_to_it(
    xgate: Run, logged: Logged, postgres: Cluster, tmp_path: Path, configuration: Path
) -> None:
    conninfo = postgres.empty_database()
    config = tmp_path / "xgate.toml"
    config.write_text(
        'server = "XG/COM/1/SS"\n[messagelog]\nuse = "postgres"\n'
        f'[messagelog.postgres]\nconninfo = "{conninfo}"\n'
    )
    with (
        closing(SqliteStore(logged.path, read_only=True)) as written,
        closing(PostgresStore(conninfo, connect_seconds=5, answer_seconds=5)) as server,
    ):
        for one in written.find():
            (number,) = server.append([one.record])
            if one.stamp is not None:
                server.stamp({number: one.stamp}, {})
        told = json.loads(xgate("log", "search", "--config", config, "--json").out)
        assert [row["number"] for row in told["records"]] == [1, 2, 3, 4, 5]
        assert xgate("log", "show", "1", "--config", config).code == 0
        assert "5 records" in xgate("log", "stats", "--config", config).out
        ran = xgate("log", "verify", "--config", config, "--globalconf", configuration)
        assert "2 valid, 1 invalid, 1 unstamped, 1 incomplete" in ran.out
