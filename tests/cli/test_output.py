"""What commands say, and where a PIN comes from."""

from __future__ import annotations

import getpass
import io
import json
import os
import sys
from pathlib import Path

import pytest

from xgate.cli.output import (
    Unusable,
    path_text,
    print_error,
    print_json,
    print_line,
    print_rows,
    read_file,
    read_pin,
    with_progress,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_rows_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("one")
    print_rows([("what", "value"), ("", "more"), ("businessCategory", "COM")])
    print_error("wrong")
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "one",
        "  what         value",
        "               more",
        "  businessCategory COM",
    ]
    assert err == "xgate: wrong\n"


def test_nothing_hostile_reaches_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("a\x1b[2J\nb\u202ec\udcffõ")
    assert capsys.readouterr().out == "a\\x1b[2J\\nb\\u202ec\\udcffõ\n"


def test_a_terminal_of_few_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_line("õ")
    assert raw.getvalue() == b"\\xf5\n"


def test_one_object_for_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("before")
    print_json({"ok": True})
    before, after = capsys.readouterr().out.splitlines()
    assert (before, json.loads(after)) == ("before", {"ok": True})


def test_a_path_is_text_whatever_its_octets() -> None:
    assert path_text(Path("a/õ")) == "a/õ"
    assert path_text(Path(os.fsdecode(b"a\xff"))) == "a\\xff"


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_file(file, 5) == b"12345"
    with pytest.raises(Unusable, match="larger than 4 octets"):
        read_file(file, 4)
    with pytest.raises(Unusable, match="No such file"):
        read_file(tmp_path / "gone", 5)


def test_the_pin_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pin"
    file.write_bytes(b"Secret \r\nrest")
    monkeypatch.setenv("TOKEN_PIN", "Other")
    assert read_pin(file, None) == "Secret "
    assert read_pin(None, "TOKEN_PIN") == "Other"


def test_the_pin_from_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda prompt: f"answer to {prompt}")
    assert read_pin(None, None, prompt="PIN? ") == "answer to PIN? "


def test_a_pin_that_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "pin"
    empty.write_bytes(b"\nSecret")
    monkeypatch.setattr(sys, "stdin", io.StringIO("Secret\n"))
    monkeypatch.delenv("NO_PIN", raising=False)
    for pin_file, pin_env, cause in (
        (None, None, "Give the PIN by"),
        (empty, None, "is empty"),
        (tmp_path / "gone", None, "No such file"),
        (None, "NO_PIN", "NO_PIN is not set"),
        (empty, "NO_PIN", "not by both"),
    ):
        with pytest.raises(Unusable, match=cause):
            read_pin(pin_file, pin_env)


def test_progress_is_shown_to_a_person_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    assert list(with_progress([1, 2, 3], "Verifying", 3)) == [1, 2, 3]
    assert "Verifying" in terminal.getvalue()
    assert out.getvalue() == ""


def test_progress_beside_results_that_wait_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert list(with_progress(iter([1, 2]), "Verifying", 2, silent=True)) == [1, 2]
    assert "Verifying" in terminal.getvalue()


@pytest.mark.parametrize(
    ("out", "err", "items"),
    [
        (io.StringIO(), io.StringIO(), [1, 2]),
        (Terminal(), Terminal(), [1, 2]),
        (io.StringIO(), Terminal(), [1]),
    ],
)
def test_no_progress_where_nobody_needs_it(
    monkeypatch: pytest.MonkeyPatch, out: io.StringIO, err: io.StringIO, items: list[int]
) -> None:
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert list(with_progress(items, "Verifying", len(items))) == items
    assert (out.getvalue(), err.getvalue()) == ("", "")
