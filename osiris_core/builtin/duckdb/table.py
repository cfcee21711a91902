"""The table a load goes to: what it looks like, and how the load's columns map onto it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError
from osiris_core.builtin.duckdb.widening import holds
from osiris_core.sqltext import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_core.builtin.duckdb.config import Writer

TARGET: Final = "osiris_target"
"""The name under which a writer attaches its file."""


@attrs.frozen
class Column:
    """A column's name, its type, and whether it must have a value and gets none by itself."""

    name: str
    type: Any
    required: bool = False


@attrs.frozen(kw_only=True)
class Plan:
    """How a load's columns go into the table: the pairs (of the load, of the table), and what changes before."""

    create: bool
    pairs: tuple[tuple[Column, Column], ...]
    added: tuple[Column, ...] = ()
    ignored: tuple[str, ...] = ()
    defaulted: tuple[str, ...] = ()

    def changes(self) -> list[dict[str, Any]]:
        """What the load changes or leaves out, as plain data."""
        return [
            *({"column": column.name, "change": "added", "type": str(column.type)} for column in self.added),
            *({"column": name, "change": "ignored"} for name in self.ignored),
            *({"column": name, "change": "default"} for name in self.defaulted),
        ]


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


def make_plan(config: Writer, load: Sequence[Column], table: Sequence[Column] | None) -> Plan:
    """How ``load`` goes into ``table``; DriverError says what does not fit."""
    ours = {column.name.casefold(): column for column in load}
    _check_keys(config, ours)
    if table is None:
        if not config.create_if_missing:
            raise DriverError("OSR-DUCKDB-030", f"there is no table '{shown(config)}'")
        for column in load:
            _refuse_untyped(config, column)
        return Plan(create=True, pairs=tuple((column, column) for column in load))
    theirs = {column.name.casefold(): column for column in table}
    new = tuple(column for key, column in ours.items() if key not in theirs)
    missing = tuple(column for key, column in theirs.items() if key not in ours)
    if config.on_schema_change == "fail" and (new or missing):
        _refuse_drift(config, new, missing)
    required = [column.name for column in missing if column.required]
    if required:
        raise DriverError(
            "OSR-DUCKDB-031",
            f"'{shown(config)}' needs a value in {_listed(required)}, which the rows do not have",
            hint="add the columns in a step before, or give them a default in the table",
        )
    pairs = [(ours[key], column) for key, column in theirs.items() if key in ours]
    _check_types(config, pairs)
    if config.on_schema_change == "add_columns":
        for column in new:
            _refuse_untyped(config, column)
        pairs += [(column, column) for column in new]
    else:
        keys = {key.casefold() for key in (config.primary_key or config.replace_keys or ())}
        lost = [column.name for column in new if column.name.casefold() in keys]
        if lost:
            raise DriverError("OSR-DUCKDB-033", f"'{shown(config)}' has no key column {_listed(lost)}")
    return Plan(
        create=False,
        pairs=tuple(pairs),
        added=new if config.on_schema_change == "add_columns" else (),
        ignored=tuple(column.name for column in new) if config.on_schema_change == "ignore" else (),
        defaulted=tuple(column.name for column in missing),
    )


def _check_keys(config: Writer, ours: Mapping[str, Column]) -> None:
    for key in config.primary_key or config.replace_keys or ():
        if key.casefold() not in ours:
            raise DriverError(
                "OSR-DUCKDB-033",
                f"the key column '{key}' is not among the rows' columns ({_listed(c.name for c in ours.values())})",
            )


def _check_types(config: Writer, pairs: Sequence[tuple[Column, Column]]) -> None:
    lossy = [(ours, theirs) for ours, theirs in pairs if not holds(ours.type, theirs.type)]
    if lossy:
        listed = "; ".join(f"'{ours.name}': {ours.type} into {theirs.type}" for ours, theirs in lossy)
        raise DriverError("OSR-DUCKDB-032", f"'{shown(config)}' cannot hold every value of {listed}")


def _refuse_drift(config: Writer, new: Sequence[Column], missing: Sequence[Column]) -> None:
    parts = []
    if new:
        parts.append(f"the rows have {_listed(column.name for column in new)}, which the table does not")
    if missing:
        parts.append(f"the table has {_listed(column.name for column in missing)}, which the rows do not")
    raise DriverError("OSR-DUCKDB-031", f"the columns of '{shown(config)}' have changed: {'; '.join(parts)}")


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


def _listed(names: Any) -> str:
    return ", ".join(f"'{name}'" for name in names)
