"""How a logged message is shown: its own words, and no more of it than was asked for."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest

from xgate.cli.log_shown import row_line, row_of, show, shown_rows
from xgate.messagelog.record import Outline, Stamp
from xgate.messagelog.sqlite import SqliteStore

if TYPE_CHECKING:
    from tests.cli.conftest import Logged


@pytest.fixture
def request_(logged: Logged) -> Outline:
    with closing(SqliteStore(logged.path, read_only=True)) as store:
        (found,) = store.outlines(number=logged.request)
        return found


changed = msgspec.structs.replace


def test_a_row_says_when_who_what_and_how_much(request_: Outline) -> None:
    row = row_of(request_)
    assert (row.direction, row.owner, row.id) == ("request", "XG/COM/777/app", "1")
    assert row.octets == request_.message_octets + len(b"body")
    assert row_line(row).endswith(f"XG/COM/777/app > XG/COM/12/reg/look  1  {row.octets} octets")


def test_a_row_of_an_old_log_that_noted_no_service(request_: Outline) -> None:
    row = row_of(changed(request_, client=None, service=""))
    assert "XG/COM/777/app > ?  1" in row_line(row)
    rows = shown_rows(show(changed(request_, client=None, service="")))
    assert ("service", "(not noted)") in rows


def test_notes_of_what_is_missing(request_: Outline) -> None:
    bare = changed(request_, complete=False, stamp=None)
    assert row_line(row_of(bare)).endswith("  [not time-stamped]  [cut]")
    rows = dict(shown_rows(show(bare)))
    assert rows["time-stamp"] == "no"
    assert rows["cut"].startswith("by the settings")


def test_the_signer_s_certificate_is_named_and_not_believed(request_: Outline) -> None:
    shown = show(request_)
    assert shown.certificate is not None
    assert dict(shown_rows(shown))["by"].endswith(" (not verified here)")
    assert (shown.timestamp, shown.signature) == ("alone", "in a batch")
    batch = changed(request_, stamp=Stamp(b"token", b"result", b"chain"))
    assert show(batch).timestamp == "in a batch"


def test_a_signature_that_cannot_be_read_is_a_problem_and_no_more(request_: Outline) -> None:
    evidence = changed(request_.evidence, signature=b"<nothing/>")
    shown = show(changed(request_, evidence=evidence, key_id="k1"))
    rows = dict(shown_rows(shown))
    assert rows["problem"]
    assert rows["encrypted"] == "at rest, with the key k1"


def test_attachments_that_were_kept_and_not(request_: Outline) -> None:
    shown = show(changed(request_, attachment_octets=(None, 3)))
    assert shown.attachments == (None, 3)
    rows = dict(shown_rows(shown))
    assert rows["attachment1"] == "only its digest was kept"
    assert rows["attachment2"] == "3 octets"


def test_the_message_only_on_demand(request_: Outline) -> None:
    assert show(request_).message is None
    assert show(request_, b"\xff<a/>").message == "\ufffd<a/>"
