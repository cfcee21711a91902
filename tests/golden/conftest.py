"""The servers of the golden path."""

from tests.servers.mariadb import mariadb
from tests.servers.postgres import postgres_server

__all__ = ["mariadb", "postgres_server"]
