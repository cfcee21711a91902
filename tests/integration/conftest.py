"""The servers of the loads that go from table to table."""

from tests.servers.mariadb import mariadb
from tests.servers.postgres import postgres_server

__all__ = ["mariadb", "postgres_server"]
