"""Bad weather between servers and the database of their log: what cannot be logged does not pass,
and what was acknowledged is there, once, when the weather has cleared.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import trio
import trio.testing
from tests.journeys.weather import NOT_HTTP, in_weather

from xgate.messagelog.postgres import PostgresStore
from xgate.messagelog.record import LoggedRecord
from xgate.sandbox.country import Country
from xgate.sandbox.wires import Wires
from xgate.testing.outside import LoopClock
from xgate.testing.postgres import Cluster
from xgate.testing.weather import FAIR, Weather, Wind

if TYPE_CHECKING:
    from tests.journeys.conftest import Starter

STAMPING = "[messagelog.timestamping]\n"
SETTINGS = {
    "[messagelog]\n": '[messagelog]\nuse = "postgres"\n',
    STAMPING: f"""[messagelog.postgres]
conninfo = "CONNINFO"
connect-seconds = 2
answer-seconds = 1.0

{STAMPING}""",
}
WEATHERS = {
    "refuses": Weather("refuse"),
    "resets": Weather("reset"),
    "closes": Weather("close"),
    "hangs": Weather(there=Wind(end="hang")),
    "answers nonsense": Weather(answer=NOT_HTTP),
    "breaks off asking": Weather(there=Wind(after=(300, 3000), end="reset")),
    "breaks off answering": Weather(back=Wind(after=(10, 300), end="reset")),
}


def kept(conninfo: str, query_id: str) -> list[LoggedRecord]:
    with closing(PostgresStore(conninfo, read_only=True)) as store:
        return list(store.find(query_id=query_id))


async def test_a_log_behind_bad_weather_loses_and_doubles_nothing(
    start: Starter,
    found: Callable[..., Country],
    mock_clock: trio.testing.MockClock,
    postgres: Cluster,
) -> None:
    conninfo = postgres.empty_database()
    parts = psycopg.conninfo.conninfo_to_dict(conninfo)
    socket = Path(str(parts["host"])) / ".s.PGSQL.5432"
    country = found(SETTINGS)

    def lead_through(wires: Wires, _: LoopClock) -> None:
        assert wires.database is not None
        through = f"host=127.0.0.1 port={wires.database.port} dbname={parts['dbname']}"
        for place in country.places:
            text = place.settings.read_text()
            text = text.replace("CONNINFO", f"{through} user={parts['user']} sslmode=disable")
            place.settings.write_text(text)

    async with in_weather(
        start, country, mock_clock, database=socket, before=lead_through
    ) as scene:
        database, caller, desk = scene.wires.database, scene.started.caller, scene.started.desk
        assert database is not None
        for number, (name, weather) in enumerate(WEATHERS.items()):
            assert (await caller.soap("tell", f"before-{number}")).code == ""
            served = len(desk.seen)
            database.weather = weather
            if weather.arrival != "accept" or weather.answer:
                database.cut()
            began = trio.current_time()
            reply = await caller.soap("tell", f"during-{number}")
            assert trio.current_time() - began < 8, name
            assert reply.code.endswith(".logging_failed.database_error"), (name, reply.text)
            assert len(desk.seen) - served <= 1
            database.weather = FAIR
            assert (await caller.soap("tell", f"after-{number}")).code == "", name
            assert len(kept(conninfo, f"after-{number}")) == 4
        every = [f"before-{n}" for n in range(len(WEATHERS))]
        assert [len(kept(conninfo, query)) for query in every] == [4] * len(every)
