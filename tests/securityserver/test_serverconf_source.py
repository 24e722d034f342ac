"""Where the configuration comes from: the settings, or the newest revision of a store."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.securityserver.client_settings import ClientSettings, Document
from xgate.securityserver.section import SettingsError
from xgate.securityserver.serverconf_source import (
    open_configuration,
    open_store,
    read_revision,
)
from xgate.securityserver.settings import Settings
from xgate.serverconf.sqlite_store import SqliteConfigurationStore
from xgate.serverconf.store import Revision

CLIENT = ClientId("XG", "COM", "1", "app")


def settings(**more: Any) -> Settings:
    return msgspec.convert({"server": "XG/COM/1/SS", **more}, Settings)


STORED = settings(serverconf={"use": "sqlite"})


def put(folder: Path, number: int, document: Document | bytes) -> None:
    octets = document if isinstance(document, bytes) else msgspec.json.encode(document)
    time = datetime(2026, 1, 1, tzinfo=UTC)
    open_store(STORED.serverconf, folder).put(Revision(number, time, "me", octets))


def test_the_settings_are_read_once(tmp_path: Path) -> None:
    load = open_configuration(settings(client=[{"id": CLIENT.short}]), tmp_path)
    assert set(load().clients) == {CLIENT}
    assert load() is load()


def test_the_newest_revision_counts_and_is_the_same_value_until_there_is_a_newer(
    tmp_path: Path,
) -> None:
    load = open_configuration(STORED, tmp_path)
    empty = load()
    assert not empty.clients
    assert load() is empty
    put(tmp_path, 1, Document((ClientSettings(CLIENT.short),), ("http://tsa/",)))
    first = load()
    assert set(first.clients) == {CLIENT}
    assert first.timestamping_services == ("http://tsa/",)
    assert load() is first
    put(tmp_path, 2, Document())
    assert not load().clients


def test_a_revision_that_cannot_be_used_is_refused_each_time(tmp_path: Path) -> None:
    load = open_configuration(STORED, tmp_path)
    put(tmp_path, 1, b'{"client": [{"id": "XG/COM/1", "later": true}]}')
    for _ in range(2):
        with pytest.raises(Fault, match="malformed_server_conf: Revision 1"):
            load()
    put(tmp_path, 2, Document((ClientSettings("nobody"),)))
    with pytest.raises(SettingsError, match="nobody"):
        load()


def test_nobody_puts_an_older_revision_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = open_configuration(STORED, tmp_path)
    put(tmp_path, 1, Document((ClientSettings(CLIENT.short),)))
    reading, go_on = threading.Event(), threading.Event()
    read = SqliteConfigurationStore.read

    def slow(store: SqliteConfigurationStore, number: int) -> Revision | None:
        if number == 1:
            reading.set()
            assert go_on.wait(60)
        return read(store, number)

    monkeypatch.setattr(SqliteConfigurationStore, "read", slow)
    told: list[int] = []
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(lambda: told.append(len(load().clients)))
        assert reading.wait(60)
        put(tmp_path, 2, Document())
        second = threads.submit(lambda: told.append(len(load().clients)))
        threading.Timer(0.2, go_on.set).start()  # time in which the second could have overtaken
        first.result(60)
        second.result(60)
    assert told == [1, 0]


def test_a_document_comes_back_as_it_was() -> None:
    document = Document((ClientSettings(CLIENT.short, "NOSSL"),))
    revision = Revision(1, datetime(2026, 1, 1, tzinfo=UTC), "", msgspec.json.encode(document))
    assert read_revision(revision) == document


def test_clients_stand_in_one_place(tmp_path: Path) -> None:
    both = settings(serverconf={"use": "sqlite"}, client=[{"id": CLIENT.short}])
    with pytest.raises(SettingsError, match="run xgate apply"):
        open_configuration(both, tmp_path)


def test_a_store_that_is_not_named_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="say use = 'sqlite' or 'postgres'"):
        open_store(settings().serverconf, tmp_path)
    with pytest.raises(SettingsError, match="needs conninfo"):
        open_store(settings(serverconf={"use": "postgres"}).serverconf, tmp_path)
