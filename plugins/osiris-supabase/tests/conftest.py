"""A bench on a private PostgreSQL server, in a database of its own."""

from __future__ import annotations

import pytest

from osiris_core.api import SecretStr
from tests.bench import Bench


class PostgresBench(Bench):
    """Components of the plugin on a database, which ``sql`` asks directly."""

    def __init__(self, path, server, database):
        super().__init__(path, "supabase")
        self.server = server
        self.database = database
        self.use()

    def use(self, *, host=None, port=None, user=None, password=None, **config):
        """Connect with another role, through another address, or with other settings."""
        dsn = self.server.dsn(database=self.database, host=host, port=port, user=user, password=password)
        return self.connect(**{"dsn": SecretStr(dsn), **config})

    def sql(self, statement):
        return self.server.execute(statement, self.database)


@pytest.fixture(scope="session")
def postgres_bench():
    """The class of the bench, for a test with a database of its own."""
    return PostgresBench


@pytest.fixture(scope="session")
def postgres_database(postgres_server):
    with postgres_server.new_database("osiris_test") as name:
        yield name


@pytest.fixture
def bench(tmp_path, postgres_server, postgres_database):
    """An empty schema ``public``."""
    made = PostgresBench(tmp_path, postgres_server, postgres_database)
    made.sql("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
    return made
