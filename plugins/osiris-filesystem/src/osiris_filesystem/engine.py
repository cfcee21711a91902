"""The one place that opens DuckDB connections, streams their results, and quotes what goes into their statements.

No text of a pipeline becomes SQL here but as a quoted name, a quoted literal, or a type that
:mod:`osiris_filesystem.typenames` has spelled anew. Extensions neither load nor install, the session's zone is UTC, and
Python variables are out of reach.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import duckdb
import nanoarrow
from arro3.core import Array, RecordBatch, Schema, Table

from osiris_core.api import DriverError, OsirisError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from pathlib import Path

BATCH_ROWS: Final = 16_384
"""Rows in a batch that leaves DuckDB: larger ones are no faster, and wide rows would overflow Arrow's text offsets."""

_CONFIG: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "python_enable_replacements": False,
}
_SESSION: Final = (
    "SET TimeZone = 'UTC'",
    "SET enable_progress_bar = false",
    # It makes joins of IN with a list, and a join does not keep the order of rows.
    "SET disabled_optimizers = 'in_clause'",
)
_KIND: Final = re.compile(r"(?P<kind>[A-Z][A-Za-z ]*?) Error: (?P<text>.*)", re.DOTALL)
_ROOM: Final = re.compile(r"No space left|disk quota|File too large|max_temp_directory_size", re.IGNORECASE)


def connect(*, threads: int = 1, memory_limit: int | None = None, scratch: Path | None = None) -> Any:
    """An in-memory connection for statements of our own."""
    config = dict(_CONFIG, threads=max(1, threads))
    if memory_limit is not None:
        config["memory_limit"] = f"{memory_limit}B"
    if scratch is not None:
        config["temp_directory"] = str(scratch / "duckdb")
    connection = duckdb.connect(config=config)
    try:
        for statement in _SESSION:
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def literal(text: str) -> str:
    """``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def name(text: str) -> str:
    """``text`` as an SQL identifier."""
    return '"' + text.replace('"', '""') + '"'


def texts(values: Iterable[str]) -> str:
    """``values`` as an SQL list of strings."""
    return f"[{', '.join(literal(value) for value in values)}]"


def stream(connection: Any, sql: str, *, schema: Schema | None = None) -> Generator[RecordBatch, None, None]:
    """The rows of a query, read as they are made; with ``schema``, each batch is given it."""
    source = nanoarrow.c_array_stream(_Capsule(_result(connection.sql(sql))))
    try:
        while True:
            try:
                array = source.get_next()
            except StopIteration:
                return
            batch = RecordBatch.from_arrow(array)
            yield batch if schema is None or batch.schema == schema else batch.with_schema(schema)
    finally:
        source.release()


def schema_of(connection: Any, sql: str) -> Schema:
    """The Arrow schema of a query, which is run for no rows."""
    source = nanoarrow.c_array_stream(_Capsule(_result(connection.sql(f"SELECT * FROM ({sql}) LIMIT 0"))))
    try:
        return Schema.from_arrow(source.get_schema())
    finally:
        source.release()


def only_row(connection: Any, sql: str) -> Any:
    """The one row of a query, None when it has none; read to its end, as the connection does nothing else before."""
    found = connection.execute(sql).fetchall()
    return found[0] if found else None


def hold(connection: Any, table: str, columns: Mapping[str, Array]) -> None:
    """Make a temporary table of columns given as arrays (row by row, DuckDB takes a millisecond each)."""
    connection.register("osiris_held", Table.from_pydict(dict(columns)))
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM osiris_held")
    finally:
        connection.unregister("osiris_held")


def said(error: BaseException) -> str:
    """What DuckDB said, without the name of the exception."""
    match = _KIND.search(str(error))
    return (match["text"] if match else str(error)).strip()


def kind_of(error: BaseException) -> str:
    """DuckDB's word for the kind of error, empty when it is none of its."""
    match = _KIND.search(str(error))
    return match["kind"].rpartition(": ")[2] if match else ""


def is_full(error: BaseException) -> bool:
    """Whether the disk, or the process's share of it, is full."""
    return _ROOM.search(str(error)) is not None


def is_interrupt(error: BaseException) -> bool:
    """Whether ``error`` is what a connection says after ``interrupt()``."""
    return isinstance(error, duckdb.InterruptException) or kind_of(error) == "INTERRUPT"


def failure(error: BaseException, *, what: str, code: str) -> OsirisError:
    """The error to raise for whatever DuckDB raised about ``what``."""
    if isinstance(error, OsirisError):
        return error
    if is_full(error):
        return DriverError("OSR-FS-055", f"{what}: no space left on the disk")
    return DriverError(code, f"{what}: {said(error).splitlines()[0] if said(error) else type(error).__name__}")


def _result(relation: Any) -> object:
    """The result as an Arrow stream of small batches; the public ways to say how small go through pyarrow."""
    return relation._submit("stream", BATCH_ROWS).arrow_capsule()  # noqa: SLF001


class _Capsule:
    """An Arrow stream capsule as an object of the PyCapsule protocol."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._capsule
