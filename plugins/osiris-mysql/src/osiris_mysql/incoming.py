"""The rows that come to a writer: their columns as DuckDB sees them, and names that a table can have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import duckdb

from osiris_core.api import Column, DriverError
from osiris_mysql.staging import PART, ROW
from osiris_sql.engine import engine_types, open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from arro3.core import Schema

    from osiris_core.api import DriverContext

_ENGINE_MEMORY: Final = 256 << 20


def row_engine(ctx: DriverContext) -> Any:
    """A DuckDB connection that writes rows as text."""
    return open_engine(threads=1, memory_limit=min(ctx.memory_limit, _ENGINE_MEMORY), scratch=ctx.scratch)


def row_columns(engine: Any, schema: Schema, target: str) -> tuple[Column, ...]:
    """The columns of rows of ``schema`` with DuckDB types; DriverError names what no table of MySQL can have."""
    _refuse_names(schema.names, target)
    try:
        return tuple(Column(name, kind) for name, kind in engine_types(engine, schema))
    except (duckdb.Error, RuntimeError, TypeError) as error:
        raise DriverError(
            "OSR-MYSQL-060",
            f"the rows for '{target}' have a column of a type that cannot be written: {_first_line(error)}",
        ) from error


def _refuse_names(names: Sequence[str], target: str) -> None:
    if not names:
        raise DriverError("OSR-MYSQL-051", f"the rows for '{target}' have no columns")
    for problem in _name_problems(names):
        raise DriverError("OSR-MYSQL-064", f"the rows for '{target}' have {problem}")


def _name_problems(names: Sequence[str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            yield f"the columns '{seen[name.lower()]}' and '{name}', which are one name"
        seen[name.lower()] = name
        if not name or "\0" in name or name.endswith(" ") or len(name) > 64:
            yield f"the column '{name}', whose name MySQL does not take"
        if name.lower() in (PART, ROW):
            yield f"the column '{name}', a name kept for Osiris's own columns"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
