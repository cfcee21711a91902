"""The DuckDB connection that rows pass through on their way, and its results as Arrow arrays in small batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import duckdb
import nanoarrow
from arro3.core import Schema, Table
from nanoarrow._utils import NanoarrowException

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

BATCH_ROWS: Final = 16_384
"""Rows in a batch that leaves DuckDB: larger ones are no faster, and wide rows would overflow Arrow's text offsets."""

FAILURES: Final = (duckdb.Error, NanoarrowException)
"""What :func:`batches` raises: DuckDB's errors, and those that it hands over in an Arrow stream."""

_CONFIG: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "python_enable_replacements": False,
    "enable_external_access": False,
}
_SESSION: Final = ("SET TimeZone = 'UTC'", "SET enable_progress_bar = false", "SET lock_configuration = true")


def open_engine(*, threads: int, memory_limit: int, scratch: Path) -> Any:
    """An in-memory connection for statements of our own: it reaches no file but its own temporary ones, loads nothing,
    and its zone is UTC. ``memory_limit`` is in bytes.
    """
    limits = {"threads": max(1, threads), "memory_limit": f"{memory_limit}B", "temp_directory": str(scratch / "duckdb")}
    connection = duckdb.connect(config={**_CONFIG, **limits})
    try:
        for statement in _SESSION:
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def engine_types(connection: Any, schema: Schema) -> tuple[tuple[str, Any], ...]:
    """The columns of rows of ``schema`` and their types as DuckDB sees them; ``duckdb.Error`` where it cannot."""
    connection.register("osiris_shape", Table.from_batches([], schema=schema))
    try:
        relation = connection.sql("SELECT * FROM osiris_shape")
        return tuple(zip(relation.columns, relation.types, strict=True))
    finally:
        connection.unregister("osiris_shape")


def result_schema(connection: Any, sql: str) -> Schema:
    """The Arrow schema of the rows of ``sql``, which is begun for it; :data:`FAILURES` say why there is none."""
    stream = _stream(connection, sql)
    try:
        return Schema.from_arrow(stream.get_schema())
    finally:
        stream.release()


def batches(connection: Any, sql: str) -> Generator[Any, None, None]:
    """The rows of ``sql`` as Arrow arrays (nanoarrow's) of at most :data:`BATCH_ROWS`; raises :data:`FAILURES`."""
    stream = _stream(connection, sql)
    try:
        while True:
            try:
                array = stream.get_next()
            except StopIteration:
                return
            yield array
    finally:
        stream.release()


def _stream(connection: Any, sql: str) -> Any:
    # The public ways to say how small batches shall be go through pyarrow.
    result = connection.sql(sql)._submit("stream", BATCH_ROWS)  # noqa: SLF001
    return nanoarrow.c_array_stream(_Capsule(result.arrow_capsule()))


class _Capsule:
    """An Arrow stream capsule as an object of the PyCapsule protocol."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._capsule
