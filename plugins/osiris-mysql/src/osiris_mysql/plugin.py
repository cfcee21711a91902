"""The entry module: what the plugin offers, and nothing that does it."""

from __future__ import annotations

from typing import Final

from osiris_core.api import ComponentSpec, ConnectionSpec, DiscovererSpec, DriverSpec, hookimpl
from osiris_mysql import writing_spec
from osiris_mysql.connection import MySQLConnection

OSIRIS_API = "1.0"

FAMILY: Final = "mysql"


@hookimpl
def osiris_components() -> tuple[ComponentSpec, ...]:
    """The writer."""
    return (writing_spec.WRITER,)


@hookimpl
def osiris_drivers() -> tuple[DriverSpec, ...]:
    """The code behind the components."""
    return (writing_spec.DRIVER,)


_EXTRACTOR: Final = ComponentSpec(
    name=f"{FAMILY}.extractor",
    version="1.0.0",
    role=Role.EXTRACTOR,
    config=MySQLExtractor,
    summary="Read a table or a query of a MySQL or MariaDB server.",
    description="Types are kept exactly; a value that Arrow cannot hold ends the step unless a policy says otherwise."
    " The rows are those of one moment. SQL is refused unless it is one query that only reads.",
    connection=FAMILY,
    examples=(
        Example(title="Read a table", config={"table": "orders"}),
        Example(
            title="Read what is new since the last load",
            config={"table": "orders", "incremental": {"cursor": "updated_at", "primary_key": ["id"]}},
        ),
        Example(
            title="Read a query with values bound to it",
            config={
                "query": "SELECT id, total FROM orders WHERE placed_at >= :since",
                "query_params": {"since": "2026-01-01"},
            },
        ),
    ),
    hints=(
        "A FLOAT column in a query must be written (column + 0e0) AS column.",
        "Quote names with backticks, text with single quotes.",
    ),
    errors=(*CONNECTING, *READING),
    sql_dialect="mysql",
)


@hookimpl
def osiris_components() -> tuple[ComponentSpec, ...]:
    """The extractor."""
    return (_EXTRACTOR,)


@hookimpl
def osiris_drivers() -> tuple[DriverSpec, ...]:
    """The code behind the components."""
    return (
        DriverSpec(
            component=_EXTRACTOR.name,
            ref="osiris_mysql.extractor:ExtractorDriver",
            capabilities=frozenset({Capability.PARTITIONED, Capability.BINDS}),
        ),
    )


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
