"""The duties of a ``LogStore`` after a record is kept: counting, archiving, cleaning.

The rule: as in ``logstore``, which is the whole suite; this is a part of it.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from xgate.ids import ClientId
from xgate.messagelog.record import Stamp
from xgate.testing.logstore_records import (
    OWNER,
    START,
    OpenStore,
    a_record,
    one,
    opened,
    refused,
    stamped,
)
from xgate.trust.linking import Link
from xgate.trust.verify import Evidence

__all__ = ["UpkeepDuties"]


class UpkeepDuties:
    """What ``logstore.LogStoreDuties`` holds a store to, besides keeping and stamping."""

    # counting

    def test_records_are_counted(self, open_store: OpenStore) -> None:
        """By owner, client, service and day; and all of them."""
        with opened(open_store) as store:
            assert store.statistics().records == 0
            assert store.statistics().oldest is None
            assert store.count_by("owner") == {}
            numbers = store.append(
                [
                    a_record(0, evidence=Evidence(b"shared")),
                    a_record(1, evidence=Evidence(b"shared"), complete=False),
                    a_record(2, client=None, service="s", owner=OWNER.member),
                    a_record(86_400, message=b"12345", attachments=(b"678", None)),
                ]
            )
            store.stamp({numbers[0]: Stamp(b"t"), numbers[1]: Stamp(b"t")}, {})
            store.archived([numbers[0]], {})
            assert store.count_by("owner") == {"XG/COM/777": 1, "XG/COM/777/app": 3}
            assert store.count_by("client") == {"": 1, "XG/GOV/1/client": 3}
            assert store.count_by("service", owner=OWNER) == {"XG/COM/777/app/look": 3}
            assert store.count_by("day") == {"2026-01-02": 3, "2026-01-03": 1}
            told = store.statistics()
            assert (told.records, told.unstamped, told.archived, told.incomplete) == (4, 2, 1, 1)
            assert (told.signatures, told.timestamps) == (3, 1)
            assert told.octets >= 3 * 9 + 8
            assert (told.oldest, told.newest) == (START, START + timedelta(days=1))

    # archiving

    def test_what_is_stamped_is_archivable_owner_by_owner(self, open_store: OpenStore) -> None:
        """A member before its subsystems, and apart from members whose codes begin like its own."""
        owners = [
            ClientId("XG", "COM", "7", "b"),
            ClientId("XG", "COM", "7-8"),
            ClientId("XG", "COM", "7"),
            ClientId("XG", "COM", "7", "a"),
            ClientId("XG", "COM", "7", "b"),
        ]
        with opened(open_store) as store:
            assert store.newest_stamped() is None
            numbers = store.append([a_record(n, owner=o) for n, o in enumerate(owners)])
            last = store.append([a_record(9)])[0]
            assert store.newest_stamped() is None
            store.stamp({n: Stamp(b"t") for n in numbers}, {})
            assert store.newest_stamped() == numbers[-1]
            order = [numbers[place] for place in (2, 3, 0, 4, 1)]
            assert [outline.id for outline in store.archivable(last, 100)] == order
            assert [outline.id for outline in store.archivable(last, 2)] == order[:2]
            upto = [outline.id for outline in store.archivable(numbers[2], 100)]
            assert upto == [numbers[2], numbers[0], numbers[1]]
            found = next(store.archivable(last, 1))
            assert found.stamp == Stamp(b"t")
            assert found == next(store.outlines(number=numbers[2]))

    def test_marks_and_links_are_put_together(self, open_store: OpenStore) -> None:
        """A group's last link is replaced, others stay; no group is a group of its own."""
        with opened(open_store) as store:
            assert store.links() == {}
            first, second, third = stamped(store, 3)
            store.archived([first], {None: Link("aa", "one.zip"), "g": Link("bb", "two.zip")})
            store.archived([second], {None: Link("cc", "three.zip"), "": Link("dd", "four.zip")})
            links = {None: Link("cc", "three.zip"), "g": Link("bb", "two.zip")}
            with opened(open_store) as other:
                assert other.links() == {**links, "": Link("dd", "four.zip")}
                assert [logged.id for logged in other.archivable(third, 9)] == [third]
                assert other.newest_stamped() == third

    def test_nothing_is_archived_twice_or_without_a_stamp(self, open_store: OpenStore) -> None:
        """Of such a call nothing is done; the very same call again is none."""
        link: dict[str | None, Link] = {None: Link("aa", "one.zip")}
        with opened(open_store) as store:
            first, second = stamped(store, 2)
            (unstamped,) = store.append([a_record(9)])
            store.archived([first], link)
            store.archived([first], link)
            for numbers in ([first, second], [second, unstamped], [second, unstamped + 999]):
                refused(partial(store.archived, numbers, {None: Link("bb", "other.zip")}))
            refused(lambda: store.archived([first], {None: Link("bb", "other.zip")}))
            assert store.links() == link
            assert [logged.id for logged in store.archivable(unstamped, 9)] == [second]

    def test_one_process_at_a_time_does_a_task(self, open_store: OpenStore) -> None:
        """Other tasks may be done meanwhile; an end lets the next one in."""
        with opened(open_store) as store, opened(open_store) as other:
            with store.alone("archiver") as mine:
                assert mine
                with other.alone("archiver") as also, other.alone("timestamper") as apart:
                    assert (also, apart) == (False, True)
                with other.alone("archiver") as still:
                    assert not still
            with other.alone("archiver") as now:
                assert now

    def test_a_check_of_writing_changes_nothing(self, open_store: OpenStore) -> None:
        """However often it is asked for."""
        with opened(open_store) as store:
            numbers = stamped(store, 1)
            store.check_writable()
            store.check_writable()
            assert [logged.id for logged in store.find()] == numbers
            assert store.append([a_record(2)])[0] > numbers[0]

    # cleaning

    def test_only_what_is_archived_and_old_is_deleted(self, open_store: OpenStore) -> None:
        """The lowest numbers first, at most as many as asked for; links stay."""
        with opened(open_store) as store:
            numbers = stamped(store, 6)
            store.archived(numbers[1:], {None: Link("aa", "one.zip")})
            before = START + timedelta(seconds=4)
            assert store.clean(before, 0) == 0
            assert store.clean(before, 2) == 2
            assert [logged.id for logged in store.find()] == [numbers[0], *numbers[3:]]
            assert store.clean(before, 100) == 1
            assert store.clean(before, 100) == 0
            assert [logged.id for logged in store.find()] == [numbers[0], *numbers[4:]]
            assert store.links() == {None: Link("aa", "one.zip")}

    def test_a_batch_that_comes_in_slices_has_its_token_once(self, open_store: OpenStore) -> None:
        """Another token is another row, also between two slices."""
        with opened(open_store) as store:
            numbers = store.append([a_record(n) for n in range(5)])
            batch = Stamp(b"token", b"result", b"chain")
            for number in numbers[:2]:
                store.stamp({number: batch}, {})
            assert store.statistics().timestamps == 1
            store.stamp({numbers[2]: Stamp(b"token")}, {})
            store.stamp({numbers[3]: Stamp(b"token")}, {})
            assert store.statistics().timestamps == 2
            store.stamp({numbers[4]: batch}, {})
            found = [logged.stamp for logged in store.find()]
            assert found == [batch, batch, Stamp(b"token"), Stamp(b"token"), batch]

    def test_what_others_share_stays(self, open_store: OpenStore) -> None:
        """A signature and a timestamp go with the last record that has them."""
        with opened(open_store) as store:
            shared = Evidence(b"shared", b"result")
            numbers = store.append([a_record(n, evidence=shared) for n in range(3)])
            store.stamp({n: Stamp(b"token", b"r", b"c") for n in numbers}, {})
            assert store.statistics().signatures == store.statistics().timestamps == 1
            store.archived(numbers[:2], {})
            assert store.clean(START + timedelta(days=1), 10) == 2
            left = one(store, numbers[2])
            assert (left.record.evidence, left.stamp) == (shared, Stamp(b"token", b"r", b"c"))
            store.archived(numbers[2:], {})
            assert store.clean(START + timedelta(days=1), 10) == 1
            told = store.statistics()
            assert (told.records, told.signatures, told.timestamps, told.octets) == (0, 0, 0, 0)
