"""Facts are written down when they happen."""

from __future__ import annotations

from xgate.securityserver.note import Note
from xgate.testing.clock import FakeClock


def test_moments_are_taken_as_they_pass() -> None:
    clock = FakeClock()
    note = Note("client", clock)
    moments = [note.request_in]
    for mark in (note.sent, note.heard):
        clock.advance(1)
        mark()
    moments += [moment for moment in (note.request_out, note.response_in) if moment]
    assert [(moment - moments[0]).total_seconds() for moment in moments] == [0, 1, 2]
