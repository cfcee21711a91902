"""The config of ``mysql.extractor``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from osiris_core.api import Incremental, Problem, config, field

Value = str | int | float | bool | None
"""What can be bound to a placeholder; a date or decimal is bound as text and cast in the SQL."""

_IDENTIFIER = r"[^\x00-\x1f\x7f]{1,64}"


@config
class MySQLExtractor:
    """Rows of a table or query of a MySQL or MariaDB server."""

    query: str | None = field(
        default=None,
        doc="One SELECT in the server's dialect. It may call what computes a value, and nothing that does more.",
        min_length=1,
        sql=True,
        examples=("SELECT id, total FROM orders WHERE placed_at >= :since",),
    )
    query_params: Mapping[str, Value] = field(factory=dict, doc="Values for the placeholders ':name' of the query.")
    table: str | None = field(default=None, doc="The table or view to read, instead of a query.", pattern=_IDENTIFIER)
    database: str | None = field(
        default=None, doc="The database of 'table', when it is not the connection's.", pattern=_IDENTIFIER
    )
    columns: tuple[str, ...] | None = field(
        default=None, doc="The columns of 'table' to read, in this order; all visible ones when not given."
    )
    where: str | None = field(
        default=None,
        doc="A condition in the server's dialect on the rows of 'table'; ':name' takes a value of 'query_params'.",
        min_length=1,
        sql=True,
        examples=("status <> 'draft' AND placed_at >= :since",),
    )
    limit: int | None = field(default=None, doc="Read at most so many rows.", minimum=0)
    incremental: Incremental | None = field(
        default=None, doc="Read only what is new since the last load into the same table; everything when not given."
    )
    partition_on: str | None = field(
        default=None,
        doc="An indexed column of 'table' by which it may be read in parts at the same time. Each part sees the table "
        "as of its own start: rows that change meanwhile may be new in one part and old in another, and a row whose "
        "value of this column changes may be read twice or not at all. Without it, one read sees one moment.",
        pattern=_IDENTIFIER,
    )
    zero_dates: Literal["error", "null", "text"] = field(
        default="error",
        doc="What '0000-00-00', a date without month or day, or a year 0 means: the step fails; the value is NULL; or "
        "columns of dates and times are read as text altogether.",
    )
    long_times: Literal["error", "null", "text"] = field(
        default="error",
        doc="What a TIME that is no time of day (negative, or 24 hours and more) means: the step fails; the value is "
        "NULL; or TIME columns are read as text altogether.",
    )
    tinyint1: Literal["integer", "boolean"] = field(
        default="integer",
        doc="What TINYINT(1) is; as 'boolean', any value but 0, 1 and NULL ends the step.",
    )
    timeout: float = field(
        default=21_600.0,
        doc="Seconds after which the server stops the query, the time in which rows are sent included.",
        exclusive_minimum=0,
        maximum=604_800,
    )

    def check(self) -> Iterable[Problem]:
        """Either a query or a table, and nothing that belongs to the other."""
        if (self.query is None) == (self.table is None):
            yield Problem(
                field=() if self.query is None else ("table",),
                message="give either 'query' or 'table'" + ("" if self.query is None else ", not both"),
            )
        if self.table is None:
            yield from self._only_with_a_table()
        if self.query is None and self.where is None and self.query_params:
            yield Problem(field=("query_params",), message="'query_params' belong to 'query' or 'where'")
        if self.columns is not None:
            yield from self._check_columns(self.columns)
        if self.limit is not None and self.incremental is not None:
            yield Problem(field=("limit",), message="'limit' would leave out rows that no later load reads")
        if self.incremental is not None and self.partition_on is not None:
            yield Problem(
                field=("partition_on",),
                message="an incremental read has to see one moment, and parts of a MySQL table do not",
                hint="leave out 'partition_on' or 'incremental'",
            )
        if self.limit is not None and self.partition_on is not None:
            yield Problem(field=("limit",), message="'limit' cannot be kept by parts that are read at the same time")

    def _only_with_a_table(self) -> Iterable[Problem]:
        for name in ("database", "columns", "where", "partition_on"):
            if getattr(self, name) is not None:
                yield Problem(field=(name,), message=f"'{name}' belongs to 'table'; say it in the query")

    def _check_columns(self, columns: tuple[str, ...]) -> Iterable[Problem]:
        if not columns:
            yield Problem(field=("columns",), message="'columns' names no column", hint="leave it out to read all")
        if len({name.casefold() for name in columns}) < len(columns):
            yield Problem(field=("columns",), message="'columns' names a column twice")
