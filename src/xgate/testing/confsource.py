"""The duties of a ``ConfSource`` as tests: any source, also a third party's, is held against them.

The rule: a class of plain test methods over a place that can be changed. With pytest::

    class TestMySource(ConfSourceDuties):
        @pytest.fixture
        def place(self, tmp_path):
            return MyPlace(tmp_path)

A place publishes the configuration of one instance for the source under test; each test has a place
of its own. Sources may refuse by ``Fault`` or by ``OSError``, and by nothing else.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Protocol

from xgate.errors import Fault
from xgate.globalconf.source import PRIVATE_FILE, SHARED_FILE, ConfSource, LoadedConf

__all__ = ["CONF_NOW", "ConfPlace", "ConfSourceDuties"]

CONF_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""The time at which the suite asks."""


class ConfPlace(Protocol):
    """Where the source under test gets its configuration from."""

    def publish(self, freshness: int, expires: datetime) -> None:
        """Publish a whole configuration, with private parameters, in which OCSP responses are
        fresh for ``freshness`` seconds and which holds until ``expires``.
        """

    def spoil(self) -> None:
        """Change what is published so that it does not prove itself any more."""

    def open_source(self) -> ConfSource:
        """A source that knows nothing yet."""


class ConfSourceDuties:
    """What every source must do; for subclasses that have a fixture ``place``."""

    def test_what_is_published_is_got_whole(self, place: ConfPlace) -> None:
        """The own instance with both its files, and valid."""
        place.publish(600, _later(600))
        loaded = place.open_source().fetch(CONF_NOW)
        own = loaded.conf.own
        assert _freshness(loaded) == 600
        assert loaded.conf.instances[own].private is not None
        assert loaded.conf.valid_at(CONF_NOW)
        assert not loaded.conf.valid_at(_later(601))
        for name in (SHARED_FILE, PRIVATE_FILE):
            part = loaded.find_part(own, name)
            assert part is not None
            assert part.octets
            assert part.expires == _later(600)

    def test_what_is_new_is_got_and_the_old_stays_what_it_was(self, place: ConfPlace) -> None:
        """A value that was handed out never changes."""
        place.publish(600, _later(600))
        source = place.open_source()
        first = source.fetch(CONF_NOW)
        again = source.fetch(CONF_NOW)
        assert again.parts == first.parts
        place.publish(1200, _later(700))
        second = source.fetch(CONF_NOW)
        assert (_freshness(first), _freshness(second)) == (600, 1200)

    def test_what_is_not_proven_is_refused_or_left_at_what_was(self, place: ConfPlace) -> None:
        """And never got; what is mended is got again."""
        place.publish(600, _later(600))
        source = place.open_source()
        source.fetch(CONF_NOW)
        place.spoil()
        spoilt = _fetched(source, CONF_NOW)
        assert spoilt is None or _freshness(spoilt) == 600
        fresh = _fetched(place.open_source(), CONF_NOW)
        assert fresh is None or not fresh.conf.valid_at(CONF_NOW)
        place.publish(1200, _later(700))
        assert _freshness(source.fetch(CONF_NOW)) == 1200

    def test_what_has_expired_is_not_valid(self, place: ConfPlace) -> None:
        """Refused, or given with its date."""
        place.publish(600, _later(600))
        loaded = _fetched(place.open_source(), _later(1000))
        assert loaded is None or not loaded.conf.valid_at(_later(1000))

    def test_nothing_published_is_a_refusal(self, place: ConfPlace) -> None:
        """By its own kinds of error."""
        assert _fetched(place.open_source(), CONF_NOW) is None

    def test_any_thread_may_ask_one_after_the_other(self, place: ConfPlace) -> None:
        """As a server does, whose threads come and go."""
        place.publish(600, _later(600))
        source = place.open_source()
        for _ in range(3):
            with ThreadPoolExecutor(1) as thread:
                assert _freshness(thread.submit(source.fetch, CONF_NOW).result()) == 600


def _later(seconds: int) -> datetime:
    return CONF_NOW + timedelta(seconds=seconds)


def _freshness(loaded: LoadedConf) -> int:
    return int(loaded.conf.ocsp_freshness.total_seconds())


def _fetched(source: ConfSource, now: datetime) -> LoadedConf | None:
    try:
        return source.fetch(now)
    except (Fault, OSError):
        return None
