"""Rows of text and binary cells made into exactly typed rows by DuckDB, in small batches, as they come.

A plugin says for each column which DuckDB type its text stands for. A cell that is no value of that type ends the read
with an error that names column and cell; nothing is rounded, cut or made NULL unless an expression says so.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

import attrs
from arro3.core import RecordBatch, Schema

from osiris_core.api import DriverError, quote_identifier, rows
from osiris_sql.engine import FAILURES, batches, open_engine, result_schema
from osiris_sql.views import view_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from osiris_core.api import DriverContext, Stream

_LEAST_MEMORY: Final = 64 << 20
_MARK: Final = "OSIRIS-CELL"
_MARKED: Final = re.compile(rf"{_MARK}:(?P<column>\d+):(?P<cell>.*)", re.DOTALL)
_KIND: Final = re.compile(r"[A-Z][A-Za-z ]*? Error: (?P<text>.*)", re.DOTALL)
_SHOWN: Final = 80


@attrs.frozen(kw_only=True)
class Cast:
    """How a column's cells become values.

    ``is_text`` says whether cells arrive as text or bytes. ``expression`` is SQL in which ``{cell}`` stands for the
    cell; it is NULL for NULL only. With ``type`` its result is cast to that DuckDB type, and a cell that does not
    convert, or for which the condition ``refused_if`` is true, is refused; without, the result is the value.
    """

    name: str
    is_text: bool = True
    expression: str = "{cell}"
    type: str | None = None
    refused_if: str | None = None


@attrs.frozen(kw_only=True)
class Plan:
    """The columns of a read. ``refused`` makes the error for a cell that is no value of its column's type; ``failed``
    the one for anything else that goes wrong while casting.
    """

    casts: tuple[Cast, ...]
    refused: Callable[[Cast, str], DriverError]
    failed: Callable[[str], DriverError]

    def raw_schema(self) -> Schema:
        """The schema of the cells, column by column ``c0``, ``c1``, …; see :mod:`osiris_sql.views`."""
        return view_schema((f"c{at}", cast.is_text) for at, cast in enumerate(self.casts))

    def sql(self, *, names_refused: bool = False) -> str:
        """The query over the relation ``cells``; with ``names_refused``, at twice the cost, it fails with the place of
        the first cell that does not convert, and else with whatever DuckDB says of it.
        """
        values = (_value(at, cast, names_refused=names_refused) for at, cast in enumerate(self.casts))
        return f"SELECT {', '.join(values)} FROM cells"


def _value(at: int, cast: Cast, *, names_refused: bool) -> str:
    cell = f"c{at}"
    value = cast.expression.replace("{cell}", cell)
    if cast.type is not None:
        refusal = f"error('{_MARK}:{at}:' || {cell})"
        tried = f"coalesce(TRY_CAST({value} AS {cast.type}), {refusal})"
        value = tried if names_refused else f"CAST({value} AS {cast.type})"
        if cast.refused_if is not None:
            value = f"CASE WHEN {cast.refused_if.replace('{cell}', cell)} THEN {refusal} ELSE {value} END"
    return f"{value} AS {quote_identifier(cast.name)}"


def cast_schema(plan: Plan, ctx: DriverContext) -> Schema:
    """The Arrow schema of the typed rows."""
    connection = _connect(ctx)
    try:
        return _typed_schema(connection, plan)
    finally:
        connection.close()


def cast_rows(plan: Plan, cells: Generator[RecordBatch, None, None], ctx: DriverContext) -> Stream:
    """The typed rows of ``cells`` (batches of ``plan.raw_schema()``), which is closed in the end.

    Each batch is a query of its own: what is held is one batch, however wide its rows, and DuckDB never calls back into
    Python from a thread of its own.
    """
    connection = _connect(ctx)
    try:
        schema = _typed_schema(connection, plan)
    except BaseException:
        connection.close()
        raise
    return rows(schema, _typed(plan, schema, connection, cells, ctx))


def _typed(
    plan: Plan, schema: Schema, connection: Any, cells: Generator[RecordBatch, None, None], ctx: DriverContext
) -> Generator[RecordBatch, None, None]:
    with contextlib.closing(connection), contextlib.closing(cells), ctx.on_cancel(connection.interrupt):
        for batch in cells:
            ctx.check()
            for array in _query(connection, plan, ctx, batch):
                yield array if array.schema == schema else array.with_schema(schema)


def _query(connection: Any, plan: Plan, ctx: DriverContext, batch: RecordBatch) -> Generator[RecordBatch, None, None]:
    """The typed rows of one batch."""
    try:
        _register(connection, plan, batch)
        with contextlib.closing(batches(connection, plan.sql())) as arrays:
            for array in arrays:
                yield RecordBatch.from_arrow(array)
    except FAILURES as error:
        ctx.check()
        raise _failure(plan, _named(connection, plan, batch) or str(error)) from error


def _named(connection: Any, plan: Plan, batch: RecordBatch) -> str | None:
    """What is said of a batch that failed by the query that names the cell."""
    try:
        _register(connection, plan, batch)
        with contextlib.closing(batches(connection, plan.sql(names_refused=True))) as arrays:
            for _ in arrays:
                pass
    except FAILURES as error:
        return str(error)
    return None


def _failure(plan: Plan, text: str) -> DriverError:
    if (found := _MARKED.search(text)) is not None:
        cell = found["cell"]
        return plan.refused(plan.casts[int(found["column"])], cell if len(cell) <= _SHOWN else f"{cell[:_SHOWN]}…")
    said = _KIND.search(text)
    return plan.failed((said["text"] if said else text).strip().split("\n")[0])


def _connect(ctx: DriverContext) -> Any:
    return open_engine(threads=1, memory_limit=max(ctx.memory_limit, _LEAST_MEMORY), scratch=ctx.scratch)


def _typed_schema(connection: Any, plan: Plan) -> Schema:
    """What the typed rows look like; found by running the query over no cells."""
    _register(connection, plan)
    return result_schema(connection, plan.sql())


def _register(connection: Any, plan: Plan, *cells: RecordBatch) -> None:
    """Let the query find ``cells``; registering them anew costs a third of what a relation over a relation does."""
    connection.register("cells", rows(plan.raw_schema(), _each(*cells)))


def _each(*cells: RecordBatch) -> Generator[RecordBatch, None, None]:
    yield from cells
