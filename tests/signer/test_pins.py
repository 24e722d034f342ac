"""PINs come from where they were said to be, whole and quietly."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.signer import pins as module
from xgate.signer.pins import PinSource, check_pin_policy, read_pins

PIN = "Secret 1234"


def says(*lines: str) -> PinSource:
    return PinSource(command=(sys.executable, "-c", "\n".join(lines)))


def refusal(source: PinSource) -> str:
    with pytest.raises(Fault) as caught:
        read_pins(source)
    assert caught.value.code == "login_failed"
    assert PIN not in str(caught.value)
    return caught.value.text


def test_a_pin_from_a_file_the_environment_or_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pin"
    file.write_bytes(f"{PIN}\r\n".encode())
    monkeypatch.setenv("A_PIN", PIN)
    for source in (PinSource(file), PinSource(env="A_PIN"), says(f"print({PIN!r})")):
        assert read_pins(source) == {"0": PIN}
        assert read_pins(source, "hsm") == {"hsm": PIN}


def test_programs_that_are_run_inherit_no_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    for pin in (PIN, "another one"):
        monkeypatch.setenv("A_PIN", pin)
        for _ in range(2):
            assert read_pins(PinSource(env="A_PIN")) == {"0": pin}
            assert read_pins(says("import os", "print(os.environ.get('A_PIN'))")) == {"0": "None"}


def test_several_lines_name_their_tokens(tmp_path: Path) -> None:
    file = tmp_path / "pins"
    file.write_text(f"0:{PIN}\n6b6579:with:colon\n\n")
    assert read_pins(PinSource(file)) == {"0": PIN, "6b6579": "with:colon"}
    for wrong in (f"0:{PIN}\n{PIN}", f"0:{PIN}\n0:other", f"0:{PIN}\n1:"):
        file.write_text(wrong)
        assert "each must be 'token-id:pin'" in refusal(PinSource(file))


def test_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PIN", raising=False)
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for source, said in (
        (PinSource(empty), f"There is no PIN in the file {empty}"),
        (PinSource(tmp_path / "none"), f"the PIN file {tmp_path / 'none'}: No such file"),
        (PinSource(env="NO_PIN"), "variable NO_PIN is not set"),
        (PinSource(command=(str(tmp_path / "none"),)), "none: No such file"),
        (says("raise SystemExit(3)"), "ended with exit code 3"),
        (says("import os", "os.write(1, b'\\xff')"), "gives no UTF-8 text"),
    ):
        assert said in refusal(source)


def test_a_command_gets_no_shell(tmp_path: Path) -> None:
    source = says("import sys", "print(sys.argv[1])")
    touched = f"; touch {tmp_path / 'touched'}"
    assert read_pins(PinSource(command=(*source.command, touched))) == {"0": touched}
    assert not list(tmp_path.iterdir())


def test_a_command_that_never_ends_or_never_stops_talking(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "more than 4096 octets" in refusal(says("while True:", "    print('x' * 1000)"))
    monkeypatch.setattr(module, "_COMMAND_SECONDS", 0.5)
    start = time.monotonic()
    child = "import subprocess; subprocess.run(['sleep', '60'])"  # it holds the output as well
    assert "gave no PIN within" in refusal(says(child))
    silent = "import os, time; os.close(1); time.sleep(60)"
    assert "gave no PIN within" in refusal(says(silent))
    assert time.monotonic() - start < 30


def test_an_agent_that_a_command_leaves_behind_is_not_waited_for() -> None:
    agent = "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True)"
    start = time.monotonic()
    assert read_pins(says(agent, f"print({PIN!r})")) == {"0": PIN}
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("pin", ["Secret1234", "secret 12345", "SECRET-1234", "geheim!!99"])
def test_good_pins(pin: str) -> None:
    check_pin_policy(pin)


@pytest.mark.parametrize(
    "pin", ["Secret123", "secret1234", "1234567890", "Secret1234\n", "Sécret12345", "٣Secret-----"]
)
def test_weak_pins(pin: str) -> None:
    with pytest.raises(Fault) as caught:
        check_pin_policy(pin)
    assert caught.value.code == "token_pin_policy_failure"
    assert pin not in str(caught.value)
