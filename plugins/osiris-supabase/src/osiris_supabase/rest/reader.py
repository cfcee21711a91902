"""Reading a table through the Data API: every row once, every value exactly, or an error.

The Data API cuts an answer at a number of rows of the project's own, and says so nowhere. So a page that is shorter
than asked means nothing; the end is a page without rows, and the rows read must be as many as the server counts.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import attrs
from arro3.core import Array, DataType, RecordBatch

from osiris_core.api import BatchSource, DriverError, InvalidInput, rows
from osiris_sql.casting import Plan, cast_rows, cast_schema
from osiris_supabase.postgres.types_in import noted
from osiris_supabase.rest.catalog import missing_table, read_tables
from osiris_supabase.rest.client import Halting, RestClient, parse_rows
from osiris_supabase.rest.failures import Refused, raise_refusal
from osiris_supabase.rest.keys import role_of
from osiris_supabase.rest.names import column
from osiris_supabase.rest.paging import FIRST_ROWS, Walk, next_size
from osiris_supabase.rest.types import CURSORS, plan_of, selected

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from osiris_core.api import Dataset, DriverContext, Stream
    from osiris_core.api import Schema as AnySchema
    from osiris_supabase.config import Extractor
    from osiris_supabase.postgres.types_in import ColumnPlan
    from osiris_supabase.rest.catalog import Table, TableColumn
    from osiris_supabase.rest.paging import Params

_ENDLESS: Final = frozenset({"infinity", "-infinity"})


@attrs.frozen(kw_only=True)
class _Read:
    """What a step reads."""

    table: Table
    wanted: tuple[TableColumn, ...]
    plans: tuple[ColumnPlan, ...]
    schema: str
    limit: int | None
    endless_as_null: bool
    cursor: str | None

    @property
    def fetched(self) -> tuple[TableColumn, ...]:
        """The columns to ask for: those wanted, and those the pages are ordered by."""
        keys = (*self.table.key, *((self.cursor,) if self.cursor else ()))
        found = {one.name: one for one in (*self.wanted, *(self.table.column(key) for key in keys))}
        return tuple(found.values())

    @property
    def aliases(self) -> dict[str, str]:
        """What the columns are called in an answer."""
        return {found.name: f"osiris_{at}" for at, found in enumerate(self.fetched)}

    @property
    def what(self) -> str:
        return f"reading table '{self.table.name}'"


class RestReader:
    """A table as rows, page by page; each page is asked for when it is needed."""

    def run(
        self, *, step_id: str, config: Extractor, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """The rows of the table."""
        schema = refuse_sql(config, ctx)
        with closing(_connect(ctx, schema)) as client:
            read = _plan(client, config, schema, ctx)
        plan = _casts(read)
        ctx.emit(
            "supabase.read_plan",
            way="data api",
            role=role_of(ctx.connection.key),
            key=list(read.table.key),
            columns=[{"name": one.cast.name, "type": one.type, "read_as": one.shown} for one in read.plans],
        )
        typed = cast_rows(plan, _cells(read, plan, ctx), ctx)
        assert isinstance(typed, BatchSource)
        schema = noted(typed.schema, read.plans)
        return {"df": rows(schema, (batch.with_schema(schema) for batch in typed.batches()))}

    def bind(
        self, *, step_id: str, config: Extractor, inputs: Mapping[str, AnySchema], ctx: DriverContext
    ) -> Mapping[str, AnySchema]:
        """The columns of the table."""
        schema = refuse_sql(config, ctx)
        with closing(_connect(ctx, schema)) as client:
            read = _plan(client, config, schema, ctx)
        return {"df": noted(cast_schema(_casts(read), ctx), read.plans)}


def refuse_sql(config: Extractor, ctx: DriverContext) -> str:
    """The schema to read from; options that need SQL are refused by name."""
    for name in ("query", "where"):
        if getattr(config, name, None) is not None:
            raise InvalidInput(
                "OSR-SUPA-115",
                f"'{name}' is SQL, and the connection has only the Data API, which runs none",
                hint="add 'dsn' to the connection, or read the table and filter in a DuckDB step",
                where=name,
            )
    return config.schema or str(ctx.connection.schema)


def _connect(ctx: DriverContext, schema: str) -> RestClient:
    halting = Halting(check=ctx.check, on_cancel=ctx.on_cancel)
    return RestClient(ctx.connection, schema=schema, halting=halting, largest=max(ctx.memory_limit // 8, 1 << 20))


def _plan(client: RestClient, config: Extractor, schema: str, ctx: DriverContext) -> _Read:
    assert config.table is not None
    table = read_tables(client).get(config.table)
    if table is None:
        missing_table(client, config.table)
        raise DriverError(
            "OSR-SUPA-110",
            f"the Data API knows no table '{config.table}' in schema '{schema}'",
            hint="check the name; if the table is new, run NOTIFY pgrst, 'reload schema' in the SQL editor",
        )
    if not table.key:
        raise DriverError(
            "OSR-SUPA-113",
            f"'{config.table}' has no primary key (or is a view), so its pages would have no order",
        )
    names = config.columns if config.columns is not None else tuple(found.name for found in table.columns)
    wanted = tuple(table.column(name) for name in names)
    as_text = config.special_values == "text"
    return _Read(
        table=table,
        wanted=wanted,
        plans=tuple(plan_of(found, specials_as_text=as_text) for found in wanted),
        schema=schema,
        limit=config.limit,
        endless_as_null=config.special_values == "null",
        cursor=None if ctx.window is None else ctx.window.cursor,
    )


def _casts(read: _Read) -> Plan:
    return Plan(
        casts=tuple(plan.cast for plan in read.plans),
        refused=lambda cast, cell: DriverError(
            "OSR-SUPA-117",
            f"{read.what}: {cell!r} in column '{cast.name}' is no {cast.type or 'value'} that can be kept",
        ),
        failed=lambda said: DriverError("OSR-SUPA-117", f"{read.what}: {said}"),
    )


def _cells(read: _Read, plan: Plan, ctx: DriverContext) -> Generator[RecordBatch, None, None]:
    """The pages as text columns, and the comparison of counts at their end."""
    schema = plan.raw_schema()
    # A client of its own: rows that nobody ever asks for must leave none open.
    with closing(_connect(ctx, read.schema)) as client:
        try:
            reading = _Reading(client, read, ctx)
            for page in reading.pages():
                arrays = [Array(_values(page, plan, read), DataType.string_view()) for plan in read.plans]
                yield RecordBatch.from_arrays(arrays, schema=schema)
            reading.compare()
        except Refused as refused:
            raise_refusal(refused, what=read.what)


def _values(page: list[dict[str, Any]], plan: ColumnPlan, read: _Read) -> list[str | None]:
    """The cells of a column."""
    alias = read.aliases[plan.cast.name]
    cells: list[str | None] = [row[alias] for row in page]
    if plan.special != "moment" or _ENDLESS.isdisjoint(cells):
        return cells
    if read.endless_as_null:
        return [None if cell in _ENDLESS else cell for cell in cells]
    found = next(cell for cell in cells if cell in _ENDLESS)
    raise DriverError(
        "OSR-SUPA-117",
        f"{read.what}: '{found}' in column '{plan.cast.name}' is no {plan.cast.type} that Arrow has",
        hint="set special_values: 'null' or 'text'",
    )


class _Reading:
    """One pass over the rows."""

    def __init__(self, client: RestClient, read: _Read, ctx: DriverContext) -> None:
        self._client = client
        self._read = read
        self._ctx = ctx
        self._size = FIRST_ROWS
        self._rows = 0
        self._walks = self._windows()
        self._expected = self._count()

    def pages(self) -> Generator[list[dict[str, Any]], None, None]:
        """Pages that are not empty."""
        for walk in self._walks:
            last: tuple[str, ...] | None = None
            while self._read.limit is None or self._rows < self._read.limit:
                page = self._page(walk, last)
                if not page:
                    break
                last = self._check(walk, page, last)
                self._rows += len(page)
                yield page

    def _page(self, walk: Walk, last: tuple[str, ...] | None) -> list[dict[str, Any]]:
        """The next page; a page that is too much for the server is asked for again with half the rows."""
        read = self._read
        aliases = read.aliases
        select = ("select", ",".join(selected(found, aliases[found.name]) for found in read.fetched))
        while True:
            left = self._size if read.limit is None else min(self._size, read.limit - self._rows)
            params = (select, *walk.after(last), *walk.order, ("limit", str(left)))
            try:
                answer = self._client.read(read.table.name, params)
            except Refused as refused:
                if not refused.refusal.too_much or self._size == 1:
                    raise
                self._size = max(1, left // 2)
                continue
            page = parse_rows(answer, what=read.what)
            if page:
                self._size = next_size(len(page), len(answer.body))
            return page

    def _check(self, walk: Walk, page: list[dict[str, Any]], last: tuple[str, ...] | None) -> tuple[str, ...]:
        """The keys of the last row, once all rows are seen to be what was asked for."""
        aliases = self._read.aliases
        names = set(aliases.values())
        for row in page:
            if row.keys() != names or not all(value is None or isinstance(value, str) for value in row.values()):
                raise DriverError(
                    "OSR-SUPA-105", f"{self._read.what}: a row has other columns or values than asked for"
                )
        keys = [tuple(row[aliases[key]] for key in walk.keys) for row in page]
        if any(None in key for key in keys) or len({*keys, last}) < len(keys) + 1:
            raise DriverError(
                "OSR-SUPA-113",
                f"{self._read.what}: two rows have the same primary key ({', '.join(self._read.table.key)}), or it is "
                "NULL; is it a view?",
            )
        return keys[-1]

    def _windows(self) -> tuple[Walk, ...]:
        """The rows to read: all in the order of the key; of an increment in the order of its cursor first.

        An increment ends at the greatest cursor there was at its start: a row that is changed while it is read gets a
        greater one, so it is read once, now or next time. Rows without a cursor belong to a read without bounds.
        """
        window, table = self._ctx.window, self._read.table
        if window is None:
            return (Walk(filters=(), keys=table.key),)
        cursor = table.column(window.cursor)
        if cursor.format not in CURSORS:
            raise DriverError(
                "OSR-SUPA-115",
                f"{self._read.what}: the cursor '{cursor.name}' is of type {cursor.format}, whose order the Data API "
                "does not tell",
                hint=f"use a cursor of one of {', '.join(sorted(CURSORS))}, or add 'dsn' to the connection",
            )
        name = column(cursor.name)
        bounds: Params = tuple(
            (name, f"{operator}.{value}")
            for operator, value in (("gte", window.lower), ("lt", window.upper))
            if value is not None
        )
        keys = (cursor.name, *(key for key in table.key if key != cursor.name))
        walks = []
        if (greatest := self._greatest(cursor, bounds)) is not None:
            walks.append(Walk(filters=(*bounds, (name, f"lte.{greatest}")), keys=keys))
        if not bounds:
            walks.append(Walk(filters=((name, "is.null"),), keys=table.key))
        return tuple(walks)

    def _greatest(self, cursor: TableColumn, bounds: Params) -> str | None:
        name = column(cursor.name)
        params = (
            ("select", selected(cursor, "osiris_0")),
            *bounds,
            (name, "not.is.null"),
            ("order", f"{name}.desc"),
            ("limit", "1"),
        )
        top = parse_rows(self._client.read(self._read.table.name, params), what=self._read.what)
        found = top[0].get("osiris_0") if top else None
        return None if found is None else str(found)

    def _count(self) -> int | None:
        """How many rows there are; None when counting takes the server too long."""
        select = ("select", column(self._read.table.key[0]))
        try:
            counted = [self._client.count(self._read.table.name, (select, *walk.filters)) for walk in self._walks]
        except Refused as refused:
            if not refused.refusal.too_much:
                raise
            return None
        total = sum(counted)
        return total if self._read.limit is None else min(total, self._read.limit)

    def compare(self) -> None:
        """Compare the rows read with the rows there are; others may have written meanwhile."""
        ctx, table, count = self._ctx, self._read.table.name, self._rows
        if self._expected is None:
            ctx.emit("supabase.not_counted", table=table, rows=count, because="counting took the server too long")
            return
        if count != self._expected:
            now = self._count()
            low, high = sorted((self._expected, self._expected if now is None else now))
            if not low <= count <= high:
                raise DriverError(
                    "OSR-SUPA-116",
                    f"{self._read.what}: {count:,} rows came, and the server counted {self._expected:,} before and "
                    f"{'none' if now is None else f'{now:,}'} after",
                    retriable=True,
                )
            ctx.emit("supabase.changed_while_read", table=table, rows=count, before=self._expected, after=now)
        role = role_of(ctx.connection.key)
        if not count and role != "secret":
            ctx.emit(
                "supabase.no_rows_seen",
                table=table,
                role=role,
                because="row level security shows a key of this role nothing, or the table is empty",
            )
