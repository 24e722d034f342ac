"""Which records a condition selects, alone and together with others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from xgate.cli.log_records import Selection, count, outlines, select
from xgate.cli.output import Unusable
from xgate.messagelog.record import outline_of
from xgate.messagelog.sqlite import SqliteStore

if TYPE_CHECKING:
    from tests.cli.conftest import Logged


@pytest.fixture
def store(logged: Logged) -> Iterator[SqliteStore]:
    with closing(SqliteStore(logged.path, read_only=True)) as store:
        yield store


def numbers(store: SqliteStore, **conditions: object) -> list[int]:
    """Their numbers, which are those of their outlines as well."""
    selection = Selection(**conditions)  # type: ignore[arg-type]  # as the test says
    found = list(select(store, selection))
    assert list(outlines(store, selection)) == [outline_of(logged) for logged in found]
    return [logged.id for logged in found]


def test_no_condition_is_everything(store: SqliteStore) -> None:
    assert numbers(store) == [1, 2, 3, 4, 5]
    assert numbers(store, newest_first=True, limit=2) == [5, 4]


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({"id": "1"}, [1, 2]),
        ({"request_id": "2", "responses": True}, [2]),
        ({"requests": True}, [1, 3, 4, 5]),
        ({"owner": "XG/COM/777/app"}, [1, 2, 4, 5]),
        ({"owner": "XG/COM/777"}, []),
        ({"client": "XG/COM/777/app", "owner": "XG/COM/12/reg"}, [3]),
        ({"service": "XG/COM/12/reg/look", "number": 4}, [4]),
        ({"member": "XG/COM/777"}, [1, 2, 3, 4, 5]),
        ({"member": "XG/COM/12", "limit": 1, "newest_first": True}, [5]),
        ({"member": "XG/COM/1"}, []),
        ({"failed": True}, [2]),
        ({"failed": True, "member": "XG/COM/1"}, []),
        ({"unstamped": True}, [3]),
        ({"unstamped": True, "id": "1"}, []),
        ({"unstamped": True, "number": 1}, []),
        ({"unstamped": True, "number": 3, "newest_first": True}, [3]),
        ({"since": "2025-06-01T15:00+02:00", "until": "2025-06-02T14:00:00Z"}, [2, 3]),
    ],
)
def test_conditions(store: SqliteStore, conditions: dict[str, object], found: list[int]) -> None:
    assert numbers(store, **conditions) == found


@pytest.mark.parametrize(
    ("conditions", "cause"),
    [
        ({"requests": True, "responses": True}, "Say --requests or --responses"),
        ({"owner": "XG"}, "--owner: 'XG' is not INSTANCE/CLASS/CODE"),
        ({"client": "XG/ /1"}, "--client: 'memberClass' must not be blank"),
        ({"member": "XG/COM/1/sub"}, "is a subsystem"),
        ({"limit": -1}, "--limit must be 1 at least"),
        ({"until": "2025-13-01"}, "--until 2025-13-01: a time is written like"),
        ({"since": "0001-01-01T00:00+10:00"}, "--since"),
    ],
)
def test_a_condition_that_says_nothing_is_refused_at_once(
    store: SqliteStore, conditions: dict[str, object], cause: str
) -> None:
    with pytest.raises(Unusable, match=cause):
        select(store, Selection(**conditions))  # type: ignore[arg-type]  # as the test says


def test_how_many_there_are_to_look_at(store: SqliteStore) -> None:
    assert count(store, Selection()) == 5
    assert count(store, Selection(id="1", limit=1)) == 1
    assert count(store, Selection(member="XG/COM/1")) == 5
