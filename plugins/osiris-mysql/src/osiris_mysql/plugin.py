"""The entry module: what the plugin offers, and nothing that does it."""

from __future__ import annotations

from typing import Final

from osiris_core.api import ComponentSpec, ConnectionSpec, DiscovererSpec, DriverSpec, hookimpl
from osiris_mysql import reading_spec, writing_spec
from osiris_mysql.connection import MySQLConnection

OSIRIS_API = "1.0"

FAMILY: Final = "mysql"


@hookimpl
def osiris_components() -> tuple[ComponentSpec, ...]:
    """The extractor and the writer."""
    return (reading_spec.EXTRACTOR, writing_spec.WRITER)


@hookimpl
def osiris_drivers() -> tuple[DriverSpec, ...]:
    """The code behind the components."""
    return (reading_spec.DRIVER, writing_spec.DRIVER)


@hookimpl
def osiris_connections() -> tuple[ConnectionSpec, ...]:
    """The family ``mysql``."""
    return (
        ConnectionSpec(
            family=FAMILY,
            config=MySQLConnection,
            summary="A MySQL or MariaDB server.",
            doctor="osiris_mysql.doctor:MySQLDoctor",
            example={"host": "db.example.org", "user": "osiris", "password": "${MYSQL_PASSWORD}", "database": "shop"},
        ),
    )


@hookimpl
def osiris_discoverers() -> tuple[DiscovererSpec, ...]:
    """What is in a database."""
    return (DiscovererSpec(family=FAMILY, ref="osiris_mysql.discover:MySQLDiscoverer"),)
