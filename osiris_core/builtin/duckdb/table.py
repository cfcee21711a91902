"""The table a load goes to: what it looks like, and how the load's columns map onto it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import Column, DriverError, LoadCodes, LoadPlan, LoadRules, plan_load
from osiris_core.builtin.duckdb.widening import holds
from osiris_core.sqltext import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.builtin.duckdb.config import Writer

TARGET: Final = "osiris_target"
"""The name under which a writer attaches its file."""

_CODES: Final = LoadCodes(
    no_table="OSR-DUCKDB-030", columns_differ="OSR-DUCKDB-031", lossy="OSR-DUCKDB-032", no_key="OSR-DUCKDB-033"
)


def qualified(config: Writer) -> str:
    """The table in the attached file, quoted."""
    return f"{TARGET}.{quote_identifier(config.schema)}.{quote_identifier(config.table)}"


def shown(config: Writer) -> str:
    """The table as messages and records name it."""
    return config.table if config.schema == "main" else f"{config.schema}.{config.table}"


def read_columns(connection: Any, config: Writer) -> tuple[Column, ...] | None:
    """The table's columns in the attached file, or None when there is no such table."""
    names = {"database": TARGET, "schema": config.schema, "table": config.table}
    where = "database_name = $database AND lower(schema_name) = lower($schema) AND lower({}) = lower($table)"
    views = connection.execute(
        f"SELECT count(*) FROM duckdb_views() WHERE {where.format('view_name')}", names
    ).fetchall()
    if views[0][0]:
        raise DriverError("OSR-DUCKDB-038", f"'{shown(config)}' is a view, not a table")
    rows = connection.execute(
        "SELECT column_name, data_type, is_nullable, column_default IS NOT NULL FROM duckdb_columns() "
        f"WHERE {where.format('table_name')} ORDER BY column_index",
        names,
    ).fetchall()
    if not rows:
        return None
    return tuple(
        Column(name, connection.sqltype(kind), not nullable and not default) for name, kind, nullable, default in rows
    )


def make_plan(config: Writer, load: Sequence[Column], table: Sequence[Column] | None) -> LoadPlan:
    """How ``load`` goes into ``table``; DriverError says what does not fit."""
    rules = LoadRules(codes=_CODES, holds=holds, create=lambda column: _refuse_untyped(config, column))
    return plan_load(config, load, table, target=shown(config), rules=rules)


def _refuse_untyped(config: Writer, column: Column) -> None:
    if "null" in _ids(column.type):
        raise DriverError(
            "OSR-DUCKDB-008",
            f"column '{column.name}' of '{shown(config)}' would have no type, since it holds nothing but NULL",
            hint=f"give it a type in a step before: CAST({column.name} AS VARCHAR)",
        )


def _ids(kind: Any) -> set[str]:
    found = {kind.id}
    if kind.id in ("list", "array", "map", "struct", "union"):
        for _, part in kind.children:
            if hasattr(part, "id"):
                found |= _ids(part)
    return found
