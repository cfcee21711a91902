"""The config of the Supabase components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from osiris_core.api import Incremental, Problem, TableWriter, check_table_name, config, field
from osiris_supabase.connection import check_length

Value = str | int | float | bool | None
"""What can be bound to a placeholder; a date or decimal is bound as text and cast in the SQL."""

_IDENTIFIER = r"[^\x00-\x1f\x7f]{1,63}"


@config
class Extractor:
    """Rows of a table or query."""

    query: str | None = field(
        default=None,
        doc="One SELECT in PostgreSQL's dialect, instead of a table. Needs a connection with a dsn.",
        min_length=1,
        max_length=65536,
        sql=True,
        examples=("SELECT id, total::numeric(12,2) AS total FROM orders WHERE placed_at >= :since",),
    )
    query_params: Mapping[str, Value] = field(factory=dict, doc="Values for the placeholders ':name' of the query.")
    table: str | None = field(default=None, doc="The table or view to read, instead of a query.", pattern=_IDENTIFIER)
    schema: str | None = field(
        default=None, doc="The schema of 'table'; the connection's when not given.", pattern=_IDENTIFIER
    )
    columns: tuple[str, ...] | None = field(
        default=None, doc="The columns of 'table' to read, in this order; all when not given."
    )
    where: str | None = field(
        default=None,
        doc="Which rows of 'table' to read: a condition in PostgreSQL's dialect. Needs a connection with a dsn.",
        min_length=1,
        max_length=65536,
        sql=True,
        examples=("status <> 'draft' AND total > 0",),
    )
    limit: int | None = field(default=None, doc="Read at most so many rows.", minimum=0)
    incremental: Incremental | None = field(default=None, doc="Read on from where the last load ended.")
    special_values: Literal["error", "null", "text"] = field(
        default="error",
        doc="What becomes of 'infinity' among dates and timestamps, of 24:00 among times and of NaN among numerics, "
        "which Arrow's types do not have: an error, NULL, or (then all columns of such types are read as text) the "
        "server's text.",
    )

    def check(self) -> Iterable[Problem]:
        """Either a query or a table, and nothing that belongs to the other."""
        yield from check_length(("table",), self.table)
        yield from check_length(("schema",), self.schema)
        if (self.query is None) == (self.table is None):
            yield Problem(
                field=() if self.query is None else ("table",),
                message="give either 'query' or 'table'" + ("" if self.query is None else ", not both"),
            )
        if self.query is None and self.query_params and self.where is None:
            yield Problem(field=("query_params",), message="'query_params' belong to 'query' or 'where'")
        if self.table is None:
            for name, value in (("columns", self.columns), ("where", self.where), ("schema", self.schema)):
                if value is not None:
                    yield Problem(field=(name,), message=f"'{name}' belongs to 'table'; say it in the query")
        if self.columns is not None and not self.columns:
            yield Problem(field=("columns",), message="'columns' names no column", hint="leave it out to read all")
        if self.columns and len(set(self.columns)) < len(self.columns):
            yield Problem(field=("columns",), message="'columns' names a column twice")


@config
class Writer(TableWriter):
    """A table, changed in one transaction."""

    table: str = field(doc="The table to write.", pattern=_IDENTIFIER, examples=("orders",))
    schema: str | None = field(
        default=None, doc="The schema of the table; the connection's when not given.", pattern=_IDENTIFIER
    )
    grants: tuple[str, ...] | None = field(
        default=None,
        doc="Roles that may read and write a table which this step creates; the Data API needs 'service_role'.",
        min_length=1,
        examples=(("service_role",),),
    )
    enable_rls: bool = field(
        default=False, doc="Enable row level security on a table which this step creates, so that policies decide."
    )

    def check(self) -> Iterable[Problem]:
        """Keys exactly where the mode needs them, and a table that is not Osiris's own."""
        yield from super().check()
        yield from check_table_name(self.table)
        yield from check_length(("table",), self.table)
        yield from check_length(("schema",), self.schema)
        for role in self.grants or ():
            yield from check_length(("grants",), role)
        if not self.create_if_missing:
            for name, given in (("grants", self.grants is not None), ("enable_rls", self.enable_rls)):
                if given:
                    yield Problem(field=(name,), message=f"'{name}' is for a table that the step creates")
