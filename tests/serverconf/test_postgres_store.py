"""The server's configuration in PostgreSQL: the same as in a file, for servers that are many."""

from __future__ import annotations

import pytest
from tests.serverconf.duties import ConfigurationStoreDuties

from xgate.errors import Fault
from xgate.serverconf.postgres_store import PostgresConfigurationStore
from xgate.serverconf.store import ConfigurationStore
from xgate.testing.postgres import Cluster


@pytest.fixture
def store(postgres: Cluster) -> ConfigurationStore:
    return PostgresConfigurationStore(postgres.make_database())


class TestPostgres(ConfigurationStoreDuties):
    """The shared duties, in a database."""


def test_a_database_that_is_not_there_is_a_refusal() -> None:
    with pytest.raises(Fault, match="database_error: The server's configuration"):
        PostgresConfigurationStore("host=/nowhere dbname=none")
