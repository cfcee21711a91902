"""Rows of text and binary cells made into exactly typed rows by DuckDB, in small batches, as they come.

A plugin says for each column which DuckDB type its text stands for. A cell that is no value of that type ends the read
with an error that names column and cell; nothing is rounded, cut or made NULL unless an expression says so.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

import attrs
import duckdb
import nanoarrow
from arro3.core import RecordBatch, Schema
from nanoarrow._utils import NanoarrowException

from osiris_core.api import DriverError, quote_identifier, rows
from osiris_sql.views import view_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from osiris_core.api import DriverContext, Stream

BATCH_ROWS: Final = 16_384
"""Rows in a batch that leaves DuckDB: larger ones are no faster, and wide rows would overflow Arrow's text offsets."""

_CONFIG: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "python_enable_replacements": False,
    "enable_external_access": False,
}
_SESSION: Final = ("SET TimeZone = 'UTC'", "SET enable_progress_bar = false", "SET lock_configuration = true")
_LEAST_MEMORY: Final = 64 << 20
_MARK: Final = "OSIRIS-CELL"
_MARKED: Final = re.compile(rf"{_MARK}:(?P<column>\d+):(?P<cell>.*)", re.DOTALL)
_KIND: Final = re.compile(r"[A-Z][A-Za-z ]*? Error: (?P<text>.*)", re.DOTALL)
_SHOWN: Final = 80


@attrs.frozen(kw_only=True)
class Cast:
    """How a column's cells become values.

    ``is_text`` says whether cells arrive as text or bytes. ``expression`` is SQL in which ``{cell}`` stands for the
    cell. With ``type`` its result is cast to that DuckDB type, and a cell that does not convert is refused; without,
    the result is the value.
    """

    name: str
    is_text: bool = True
    expression: str = "{cell}"
    type: str | None = None


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

    def sql(self) -> str:
        """The query over the relation ``cells``."""
        return f"SELECT {', '.join(_value(at, cast) for at, cast in enumerate(self.casts))} FROM cells"


def _value(at: int, cast: Cast) -> str:
    cell = f"c{at}"
    value = cast.expression.replace("{cell}", cell)
    if cast.type is not None:
        value = f"coalesce(TRY_CAST({value} AS {cast.type}), error('{_MARK}:{at}:' || {cell}))"
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
    stream = None
    try:
        stream = nanoarrow.c_array_stream(_Capsule(_result(connection, plan, _once(batch))))
        for array in _arrays(stream):
            yield RecordBatch.from_arrow(array)
    except (duckdb.Error, NanoarrowException) as error:
        ctx.check()
        raise _failure(plan, error) from error
    finally:
        if stream is not None:
            stream.release()


def _failure(plan: Plan, error: Exception) -> DriverError:
    if (found := _MARKED.search(str(error))) is not None:
        cell = found["cell"]
        return plan.refused(plan.casts[int(found["column"])], cell if len(cell) <= _SHOWN else f"{cell[:_SHOWN]}…")
    said = _KIND.search(str(error))
    return plan.failed((said["text"] if said else str(error)).strip().split("\n")[0])


def _connect(ctx: DriverContext) -> Any:
    config = dict(_CONFIG, threads=1, memory_limit=f"{max(ctx.memory_limit, _LEAST_MEMORY)}B")
    config["temp_directory"] = str(ctx.scratch / "duckdb")
    connection = duckdb.connect(config=config)
    try:
        for statement in _SESSION:
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def _typed_schema(connection: Any, plan: Plan) -> Schema:
    """What the typed rows look like; found by running the query over no cells."""
    stream = nanoarrow.c_array_stream(_Capsule(_result(connection, plan, _once())))
    try:
        return Schema.from_arrow(stream.get_schema())
    finally:
        stream.release()


def _once(*batches: RecordBatch) -> Generator[RecordBatch, None, None]:
    yield from batches


def _arrays(stream: Any) -> Generator[Any, None, None]:
    with contextlib.suppress(StopIteration):
        while True:
            array = stream.get_next()
            yield array


def _result(connection: Any, plan: Plan, cells: Generator[RecordBatch, None, None]) -> object:
    """The typed rows as an Arrow stream of small batches; the public ways to say how small go through pyarrow."""
    # Registering anew costs a third of what a relation over a relation does.
    connection.register("cells", rows(plan.raw_schema(), cells))
    return connection.sql(plan.sql())._submit("stream", BATCH_ROWS).arrow_capsule()  # noqa: SLF001


class _Capsule:
    """An Arrow stream capsule as an object of the PyCapsule protocol."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._capsule
