"""What the plugin says about ``mysql.extractor``."""

from __future__ import annotations

from typing import Final

from osiris_core.api import Capability, ComponentSpec, DriverSpec, Example, Role
from osiris_mysql.errors import CONNECTING, READING
from osiris_mysql.reader_config import MySQLExtractor

EXTRACTOR: Final = ComponentSpec(
    name="mysql.extractor",
    version="1.0.0",
    role=Role.EXTRACTOR,
    config=MySQLExtractor,
    summary="Read a table or a query of a MySQL or MariaDB server.",
    description="Types are kept exactly; a value that Arrow cannot hold ends the step unless a policy says otherwise."
    " The rows are those of one moment. SQL is refused unless it is one query that only reads.",
    connection="mysql",
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
        "A FLOAT column in a query must be written (column + 0e0) AS column, a BIT column (column + 0) AS column.",
        "Quote names with backticks, text with single quotes.",
    ),
    errors=(*CONNECTING, *READING),
    sql_dialect="mysql",
)

DRIVER: Final = DriverSpec(
    component=EXTRACTOR.name,
    ref="osiris_mysql.extractor:ExtractorDriver",
    capabilities=frozenset({Capability.PARTITIONED, Capability.BINDS}),
)
