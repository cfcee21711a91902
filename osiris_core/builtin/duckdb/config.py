"""The config of the DuckDB components and connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from osiris_core.api import Problem, config, field

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
        if self.columns is not None and not self.columns:
            yield Problem(field=("columns",), message="'columns' names no column", hint="leave it out to read all")
        if self.columns and len({name.casefold() for name in self.columns}) < len(self.columns):
            yield Problem(field=("columns",), message="'columns' names a column twice")


@config
class Writer:
    """A table of a DuckDB file, changed in one transaction."""

    table: str = field(doc="The table to write.", pattern=_IDENTIFIER, examples=("orders",))
    schema: str = field(default="main", doc="The schema of the table.", pattern=_IDENTIFIER)
    mode: Literal["append", "replace", "upsert", "delete_insert"] = field(
        doc="What happens to the rows that are there: 'append' keeps them, 'replace' removes all of them, 'upsert' "
        "updates those with the same primary_key, 'delete_insert' removes those with the same replace_keys."
    )
    primary_key: tuple[str, ...] | None = field(
        default=None, doc="The columns that identify a row; needed by 'upsert'."
    )
    replace_keys: tuple[str, ...] | None = field(
        default=None,
        doc="The columns whose values name the rows to replace; needed by 'delete_insert'. NULL is a value here.",
    )
    on_duplicate: Literal["error", "last"] = field(
        default="error",
        doc="With 'upsert', what two rows of one load with the same primary_key mean: an error, or that the last wins.",
    )
    create_if_missing: bool = field(
        default=True, doc="Create the database file, the schema and the table when they do not exist."
    )
    on_schema_change: Literal["fail", "add_columns", "ignore"] = field(
        default="fail",
        doc="When the rows have other columns than the table: 'fail'; 'add_columns' adds them to the table; 'ignore' "
        "leaves out what the table does not have. The last two fill columns that the rows lack with their default.",
    )

    def check(self) -> Iterable[Problem]:
        """Keys exactly where the mode needs them."""
        yield from self._check_keys("primary_key", self.primary_key, "upsert")
        yield from self._check_keys("replace_keys", self.replace_keys, "delete_insert")
        if self.on_duplicate == "last" and self.mode != "upsert":
            yield Problem(field=("on_duplicate",), message="'on_duplicate: last' belongs to 'mode: upsert'")
        if self.table.casefold().startswith("_osiris_"):
            yield Problem(field=("table",), message="names that start with '_osiris_' are kept for Osiris's own tables")

    def _check_keys(self, name: str, keys: tuple[str, ...] | None, mode: str) -> Iterable[Problem]:
        if self.mode == mode and not keys:
            yield Problem(field=(name,), message=f"'mode: {mode}' needs '{name}'", hint=f"{name}: [id]")
        if self.mode != mode and keys is not None:
            yield Problem(field=(name,), message=f"'{name}' belongs to 'mode: {mode}', not to '{self.mode}'")
        if keys and len({key.casefold() for key in keys}) < len(keys):
            yield Problem(field=(name,), message=f"'{name}' names a column twice")
