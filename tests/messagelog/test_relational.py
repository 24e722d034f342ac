"""Both stores read by the same questions, whoever is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from xgate.messagelog import rows
from xgate.messagelog.postgres import PostgresStore
from xgate.messagelog.record import LoggedRecord, Outline
from xgate.messagelog.relational import RelationalReader
from xgate.messagelog.sqlite import SqliteStore


class Asked(RelationalReader):
    """Keeps the questions, and answers with the same rows to each."""

    def __init__(self, answer: list[Any]) -> None:
        self.answer = answer
        self.questions: list[tuple[str, tuple[object, ...]]] = []

    def _ask(self, text: str, values: Sequence[object] = ()) -> list[Any]:
        self.questions.append((text, tuple(values)))
        return self.answer

    def _records(self, text: str, values: Sequence[object]) -> Iterator[LoggedRecord]:
        self.questions.append((text, tuple(values)))
        yield from self.answer

    def _outlines(self, text: str, values: Sequence[object]) -> Iterator[Outline]:
        self.questions.append((text, tuple(values)))
        yield from self.answer

    def _part(self, number: int, place: int) -> Iterator[bytes]:
        yield b"%d/%d" % (number, place)


def test_each_question_is_asked_in_the_words_of_rows() -> None:
    asked = Asked([(7, b"value")])
    assert asked.unstamped(5) == [(7, b"value")]
    assert asked.newest_stamped() == 7
    told: list[Any] = [
        *asked.archivable(9, 2),
        *asked.find(number=3),
        *asked.outlines(number=3),
    ]
    assert told == [(7, b"value")] * 3
    assert asked.questions == [
        (rows.UNSTAMPED, (5,)),
        (rows.NEWEST_STAMPED, ()),
        (rows.ARCHIVABLE, (9, 2)),
        rows.select({"number": 3}),
        rows.select({"number": 3}),
    ]


def test_a_log_without_stamps_has_no_newest_one() -> None:
    assert Asked([(None,)]).newest_stamped() is None


def test_no_store_reads_in_another_way() -> None:
    shared = [name for name, value in vars(RelationalReader).items() if name[0] != "_"]
    assert {"find", "outlines", "archivable"} <= set(shared)
    for name in shared:
        for store in (SqliteStore, PostgresStore):
            assert getattr(store, name) is getattr(RelationalReader, name)
