"""The entry module: what the plugin offers, and nothing that does it."""

from __future__ import annotations

from typing import Final

from osiris_core.api import ConnectionSpec, DiscovererSpec, hookimpl
from osiris_mysql.connection import MySQLConnection

OSIRIS_API = "1.0"

FAMILY: Final = "mysql"


@hookimpl
def osiris_connections() -> tuple[ConnectionSpec, ...]:
    """The family ``mysql``."""
    return (
        ConnectionSpec(
            family=FAMILY,
            config=MySQLConnection,
            summary="A MySQL or MariaDB server.",
            example={"host": "db.example.org", "user": "osiris", "password": "${MYSQL_PASSWORD}", "database": "shop"},
        ),
    )


@hookimpl
def osiris_discoverers() -> tuple[DiscovererSpec, ...]:
    """What is in a database."""
    return (DiscovererSpec(family=FAMILY, ref="osiris_mysql.discover:MySQLDiscoverer"),)
