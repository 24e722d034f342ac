"""The duties of every store of the server's configuration: whole revisions, none overwritten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from xgate.errors import Fault
from xgate.serverconf.store import ConfigurationStore, Revision

__all__ = ["ConfigurationStoreDuties", "a_revision"]


def a_revision(number: int, document: bytes = b"{}") -> Revision:
    time = datetime(2026, 1, 1, 12, 0, 0, number, tzinfo=UTC)
    return Revision(number, time, f"author {number} ä", document)


class ConfigurationStoreDuties:
    """Give a fixture ``store``, an empty one."""

    def test_there_is_nothing_at_first(self, store: ConfigurationStore) -> None:
        assert store.newest() == 0
        assert store.read(1) is None
        assert store.history(10) == []

    def test_revisions_are_kept_as_they_were_put(self, store: ConfigurationStore) -> None:
        revisions = [a_revision(number, bytes([number]) * 1000) for number in (1, 2, 3)]
        for revision in revisions:
            store.put(revision)
        assert store.newest() == 3
        assert [store.read(number) for number in (1, 2, 3)] == revisions
        assert list(store.history(2)) == [revisions[2], revisions[1]]

    @pytest.mark.parametrize("number", [1, 3])
    def test_a_revision_takes_the_place_of_the_one_that_was_seen(
        self, store: ConfigurationStore, number: int
    ) -> None:
        store.put(a_revision(1))
        with pytest.raises(Fault) as refused:
            store.put(a_revision(number, b"other"))
        assert refused.value.code == "configuration_changed"
        assert "Revision 1 was applied meanwhile" in refused.value.text
        assert store.newest() == 1

    def test_of_many_who_apply_at_once_one_succeeds(self, store: ConfigurationStore) -> None:
        def put(number: int) -> str:
            try:
                store.put(a_revision(1, bytes([number])))
            except Fault as fault:
                return fault.code
            return "kept"

        with ThreadPoolExecutor(8) as threads:
            ended = sorted(threads.map(put, range(8)))
        assert ended == [*["configuration_changed"] * 7, "kept"]
        assert store.newest() == 1
