"""The config of the DuckDB components and connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from osiris_core.api import Incremental, Problem, TableWriter, check_table_name, config, field

Value = str | int | float | bool | None
"""What can be bound to a placeholder; a date or decimal is bound as text and cast in the SQL."""

_IDENTIFIER = r"[^\x00-\x1f\x7f]{1,128}"


@config
class DuckDBConnection:
    """A DuckDB database file."""

    path: str = field(
        doc="The database file, relative to the project's root or absolute.",
        min_length=1,
        pattern=r"[^\x00-\x1f\x7f]+",
        examples=("warehouse.duckdb", "data/marts.duckdb"),
        identity=True,
    )
    lock_timeout: float = field(
        default=30.0,
        doc="Seconds to wait for a file that another process holds before the step fails and may be retried.",
        minimum=0,
        maximum=3600,
        override="allowed",
    )


@config
class Processor:
    """SQL over the rows of the steps before."""

    query: str = field(
        doc="One SELECT in DuckDB's dialect. Each input is a table named like its step (with '_' for '-'); "
        "a single input is also 'df'.",
        min_length=1,
        sql=True,
        examples=("SELECT carrier, count(*) AS flights FROM df GROUP BY carrier ORDER BY carrier",),
    )
    query_params: Mapping[str, Value] = field(
        factory=dict,
        doc="Values for the placeholders ':name' of the query; every placeholder needs one, and no other may be given.",
    )
    memory_limit: int | None = field(
        default=None,
        doc="Bytes of memory this step may use before it spills to disk; at most what the run grants a step.",
        minimum=64 * 1024 * 1024,
    )
    threads: int | None = field(
        default=None, doc="Threads this step may use; at most what the run grants a step.", minimum=1, maximum=1024
    )


@config
class Extractor:
    """Rows of a table or query of a DuckDB file."""

    query: str | None = field(
        default=None,
        doc="One SELECT in DuckDB's dialect over the tables of the file.",
        min_length=1,
        sql=True,
        examples=("SELECT * FROM sales.orders WHERE day >= CAST(:since AS DATE)",),
    )
    query_params: Mapping[str, Value] = field(factory=dict, doc="Values for the placeholders ':name' of the query.")
    table: str | None = field(default=None, doc="The table or view to read, instead of a query.", pattern=_IDENTIFIER)
    schema: str = field(default="main", doc="The schema of 'table'.", pattern=_IDENTIFIER)
    columns: tuple[str, ...] | None = field(
        default=None, doc="The columns of 'table' to read, in this order; all when not given."
    )
    limit: int | None = field(default=None, doc="Read at most so many rows.", minimum=0)
    incremental: Incremental | None = field(
        default=None, doc="Read only what is new since the last load into the same table; everything when not given."
    )

    def check(self) -> Iterable[Problem]:
        """Either a query or a table, and nothing that belongs to the other."""
        if (self.query is None) == (self.table is None):
            yield Problem(
                field=() if self.query is None else ("table",),
                message="give either 'query' or 'table'" + ("" if self.query is None else ", not both"),
            )
        if self.query is None and self.query_params:
            yield Problem(field=("query_params",), message="'query_params' belong to 'query'")
        if self.table is None and self.columns is not None:
            yield Problem(field=("columns",), message="'columns' belongs to 'table'; name the columns in the query")
        if self.limit is not None and self.incremental is not None:
            yield Problem(field=("limit",), message="'limit' would leave out rows that no later load reads")
        if self.columns is not None and not self.columns:
            yield Problem(field=("columns",), message="'columns' names no column", hint="leave it out to read all")
        if self.columns and len({name.casefold() for name in self.columns}) < len(self.columns):
            yield Problem(field=("columns",), message="'columns' names a column twice")


@config
class Writer(TableWriter):
    """A table of a DuckDB file, changed in one transaction."""

    folds_names: ClassVar[bool] = True

    table: str = field(doc="The table to write.", pattern=_IDENTIFIER, examples=("orders",))
    schema: str = field(default="main", doc="The schema of the table.", pattern=_IDENTIFIER)

    def check(self) -> Iterable[Problem]:
        """Keys exactly where the mode needs them, and a table that is not Osiris's own."""
        yield from super().check()
        yield from check_table_name(self.table)
