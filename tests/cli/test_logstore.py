"""Which log a command reads, and that it only reads."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from xgate.cli.logstore import open_log, read_settings
from xgate.cli.output import Unusable
from xgate.errors import Fault
from xgate.messagelog.sqlite import SqliteStore

if TYPE_CHECKING:
    from tests.cli.conftest import Logged


def settings(folder: Path, text: str = "") -> Path:
    path = folder / "xgate.toml"
    path.write_text(f'server = "XG/COM/1/SS"\n{text}')
    return path


def test_a_file_by_its_name(logged: Logged) -> None:
    with open_log(None, logged.path) as store:
        assert store.statistics().records == 5
        with pytest.raises(Fault, match="logging_failed"):
            store.clean(next(store.find()).record.time, 1)


def test_the_log_of_a_server_s_settings(logged: Logged, tmp_path: Path) -> None:
    config = settings(tmp_path, f'[messagelog.sqlite]\npath = "{logged.path}"\n')
    with open_log(config, None) as store:
        assert store.statistics().records == 5
    assert read_settings(config).server == "XG/COM/1/SS"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('[messagelog.sqlite]\npath = "gone"\n', "Cannot open the message log"),
        ('[messagelog]\nuse = "carrier-pigeon"\n', "carrier-pigeon"),
        ("[messagelog]\nnonsense = 1\n", "unknown key 'nonsense'"),
    ],
)
def test_settings_that_lead_to_no_log(tmp_path: Path, text: str, cause: str) -> None:
    with pytest.raises(Unusable, match=cause), open_log(settings(tmp_path, text), None):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["xgate.toml"]


def test_one_log_must_be_named(logged: Logged) -> None:
    for config, store in ((None, None), (logged.path, logged.path)):
        with pytest.raises(Unusable, match="Say which log"), open_log(config, store):
            pass


def test_what_is_encrypted_is_not_shown_without_its_key(logged: Logged, tmp_path: Path) -> None:
    with closing(SqliteStore(logged.path, read_only=True)) as whole:
        (first,) = whole.find(number=1)
    with closing(SqliteStore(tmp_path / "log")) as store:
        store.append([msgspec.structs.replace(first.record, key_id="k1", key=b"1" * 16)])
    with open_log(None, tmp_path / "log") as store:
        with pytest.raises(Fault, match="key 'k1' of the message log is not among its keys"):
            next(store.find())
        assert store.statistics().encrypted == 1
