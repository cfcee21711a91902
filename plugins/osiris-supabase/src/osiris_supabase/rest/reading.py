"""Reading a table through the Data API: every row once, every value exactly, or an error.

The Data API cuts an answer at a number of rows of the project's own, and says so nowhere. So a page that is shorter
than asked means nothing; the end is a page without rows, and the rows read must be as many as the server counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.api import DriverError
from osiris_supabase.rest.client import parse_rows
from osiris_supabase.rest.failures import Refused
from osiris_supabase.rest.keys import role_of
from osiris_supabase.rest.names import column
from osiris_supabase.rest.paging import FIRST_ROWS, Walk, next_size
from osiris_supabase.rest.types import CURSORS, selected

if TYPE_CHECKING:
    from collections.abc import Generator

    from osiris_core.api import DriverContext
    from osiris_supabase.postgres.types_in import ColumnPlan
    from osiris_supabase.rest.catalog import Table, TableColumn
    from osiris_supabase.rest.client import RestClient
    from osiris_supabase.rest.paging import Params


@attrs.frozen(kw_only=True)
class Read:
    """What a step reads."""

    table: Table
    wanted: tuple[TableColumn, ...]
    plans: tuple[ColumnPlan, ...]
    schema: str
    limit: int | None
    special_as_null: bool
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
        """What is done, for messages."""
        return f"reading table '{self.table.name}'"


class Reading:
    """One pass over the rows."""

    def __init__(self, client: RestClient, read: Read, ctx: DriverContext) -> None:
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
