"""What a store gives back is a record with its second; the SQLite store keeps to the protocol."""

from __future__ import annotations

from pathlib import Path

from xgate.opmonitor.sqlite import SqliteOperationalStore
from xgate.opmonitor.store import OperationalStore


def test_the_shipped_store_is_one(tmp_path: Path) -> None:
    store: OperationalStore = SqliteOperationalStore(tmp_path / "op.sqlite")  # mypy looks
    assert list(store.find(0, 1)) == []
    store.close()
