"""Which keys a command is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Town

from xgate.cli.keys_place import WhichKeys, open_place, read_member
from xgate.cli.output import Unusable
from xgate.ids import ClientId

Run = Callable[..., Any]


def test_one_of_two(town: Town) -> None:
    with (
        pytest.raises(Unusable, match="--config or --store, not both"),
        open_place(WhichKeys(config=town.config, store=town.store)),
    ):
        pass
    with open_place(WhichKeys(config=town.config)) as place:
        assert place.tokens.store == town.store
        assert place.terms(place.configuration()).server == town.country.consumer.id
    with open_place(WhichKeys(store=town.store)) as place:
        assert len(place.read().keys) == 2
        for ask in (lambda: place.settings, place.configuration):
            with pytest.raises(Unusable, match="needs --config"):
                ask()


def test_settings_that_cannot_be_used(town: Town) -> None:
    town.config.write_text(town.config.read_text().replace("[keys]", '[keys]\npin-env = "A"'))
    with (
        pytest.raises(Unusable, match="more than one of pin-file"),
        open_place(WhichKeys(config=town.config)),
    ):
        pass


def test_clients_are_known_wherever_they_are_kept(town: Town, xgate: Run) -> None:
    """Those of a store too, which is not begun by looking at it."""
    settings, clients, _ = town.config.read_text().partition("[[client]]")
    document = town.folder / "clients.toml"
    document.write_text('[[client]]\nid = "XG/COM/99/new"\nauthentication = "NOSSL"\n')
    assert clients
    town.config.write_text(f'{settings}\n[serverconf]\nuse = "sqlite"\n')

    def members() -> tuple[ClientId, ...]:
        with open_place(WhichKeys(config=town.config)) as place:
            return tuple(place.terms(place.configuration()).members)

    assert members() == ()
    assert not list(town.folder.glob("serverconf*"))
    assert xgate("apply", document, "--config", town.config).code == 0
    assert members() == (ClientId("XG", "COM", "99", "new"),)


def test_members_as_people_write_them() -> None:
    assert read_member(None) is None
    assert read_member("XG/COM/1/app") == ClientId("XG", "COM", "1", "app")
    with pytest.raises(Unusable, match="is not INSTANCE/CLASS/CODE"):
        read_member("XG")


def test_a_place_that_cannot_be_written(xgate: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("Secret1234")
    ran = xgate("keys", "pin", "--store", file / "keys.xgate", "--new-pin-file", file)
    assert ran.code == 2
    assert ran.err.startswith(f"xgate: Cannot write {file / 'keys.xgate'}: ")


def test_a_place_that_cannot_be_looked_at(xgate: Run, tmp_path: Path) -> None:
    file, store = tmp_path / "file", tmp_path / ("x" * 300)
    file.write_text("Secret1234")
    for command in (("list",), ("pin", "--new-pin-file", file), ("generate", "--pin-file", file)):
        ran = xgate("keys", *command, "--store", store)
        assert (ran.code, ran.out) in ((1, ""), (2, ""))
        assert f"Cannot read {store}: File name too long" in ran.err
