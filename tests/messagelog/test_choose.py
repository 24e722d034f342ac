"""A store is chosen by name; other packages may offer theirs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from xgate.errors import Fault
from xgate.messagelog import choose
from xgate.messagelog.choose import GROUP, find_store, known_stores
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.store import LogStore


def offered(options: Mapping[str, Any], folder: Path, *, read_only: bool = False) -> LogStore:
    """What another package would offer."""
    return SqliteStore(folder / options["place"], read_only=read_only)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        EntryPoint("mine", f"{__name__}:offered", GROUP),
        EntryPoint("broken", "xgate_no_such_package:store", GROUP),
        EntryPoint("sqlite", "xgate_no_such_package:store", GROUP),
    ]
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or choose)
    monkeypatch.setattr(sys.modules[__name__], "offered", offered, raising=False)

    def found(*, group: str, name: str | None = None) -> list[EntryPoint]:
        assert group == GROUP
        return [entry for entry in entries if name in (None, entry.name)]

    monkeypatch.setattr(choose, "entry_points", found)


def test_sqlite_is_opened_where_the_settings_say(tmp_path: Path) -> None:
    open_store = find_store("sqlite")
    assert open_store is not None
    open_store({"path": "in/log.sqlite"}, tmp_path).close()
    assert (tmp_path / "in" / "log.sqlite").exists()
    with pytest.raises(Fault):
        open_store({"path": "other.sqlite"}, tmp_path, read_only=True)


def test_postgres_without_its_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store = find_store("postgres")
    assert open_store is not None
    monkeypatch.setitem(sys.modules, "xgate.messagelog.postgres", None)
    with pytest.raises(Fault, match=r"needs the extra xgate\[postgres\]"):
        open_store({"conninfo": "dbname=x"}, tmp_path)


@pytest.mark.usefixtures("others")
def test_another_package_may_offer_a_store(tmp_path: Path) -> None:
    open_store = find_store("mine")
    assert open_store is not None
    open_store({"place": "log"}, tmp_path).close()
    assert (tmp_path / "log").exists()
    assert known_stores() == ["broken", "mine", "postgres", "sqlite"]


@pytest.mark.usefixtures("others")
def test_one_that_cannot_be_loaded_is_refused_and_none_replaces_a_shipped_one() -> None:
    with pytest.raises(Fault, match="The log store 'broken'"):
        find_store("broken")
    assert find_store("sqlite") is choose._open_sqlite
    assert find_store("unheard of") is None
