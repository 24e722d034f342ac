"""Other packages may offer a source by name; ours are not among them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from xgate.errors import Fault
from xgate.globalconf import choose
from xgate.globalconf.choose import GROUP, find_source, known_sources
from xgate.globalconf.disk import DiskSource
from xgate.globalconf.source import ConfSource


def offered(options: Mapping[str, Any], folder: Path) -> ConfSource:
    """What another package would offer."""
    return DiskSource(folder / options["place"])


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        EntryPoint("mine", f"{__name__}:offered", GROUP),
        EntryPoint("broken", "xgate_no_such_package:source", GROUP),
        EntryPoint("http", "xgate_no_such_package:source", GROUP),
    ]
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or choose)
    monkeypatch.setattr(sys.modules[__name__], "offered", offered, raising=False)

    def found(*, group: str, name: str | None = None) -> list[EntryPoint]:
        assert group == GROUP
        return [entry for entry in entries if name in (None, entry.name)]

    monkeypatch.setattr(choose, "entry_points", found)


@pytest.mark.usefixtures("others")
def test_another_package_may_offer_a_source(tmp_path: Path) -> None:
    open_source = find_source("mine")
    assert open_source is not None
    with pytest.raises(Fault, match=r"place.instance-identifier is missing"):
        open_source({"place": "place"}, tmp_path).fetch(datetime.now().astimezone())
    assert known_sources() == ["broken", "disk", "http", "mine", "published"]


@pytest.mark.usefixtures("others")
def test_one_that_cannot_be_loaded_is_refused_and_none_replaces_ours() -> None:
    with pytest.raises(Fault, match="The source 'broken'"):
        find_source("broken")
    assert find_source("http") is None
    assert find_source("unheard of") is None
