"""A revision is a value; the shipped stores keep to the protocol."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from xgate.serverconf.sqlite_store import SqliteConfigurationStore
from xgate.serverconf.store import ConfigurationStore, Revision


def test_the_shipped_store_is_one(tmp_path: Path) -> None:
    store: ConfigurationStore = SqliteConfigurationStore(tmp_path / "conf")  # mypy looks
    assert store.newest() == 0
    revision = Revision(1, datetime(2026, 1, 1, tzinfo=UTC), "me", b"{}")
    assert revision == Revision(1, datetime(2026, 1, 1, tzinfo=UTC), "me", b"{}")
