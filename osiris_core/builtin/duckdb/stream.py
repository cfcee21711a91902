"""The rows of a query on their way out: run when first read, interrupted on cancellation, failing in Osiris's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import nanoarrow
from arro3.core import RecordBatch, Schema

from osiris_core.builtin.duckdb.failures import interrupted, query_failure
from osiris_core.builtin.duckdb.interrupting import interruptible
from osiris_core.run.cstream import export_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osiris_core.api import DriverContext

BATCH_ROWS: Final = 16_384
"""Rows in a batch. DuckDB's own default of 131,072 rows overflows Arrow's 32-bit text offsets at 16 KB a row, and
holds a gigabyte of 8 KB rows in every stage; smaller batches cost nothing measurable."""


class RelationStream:
    """The rows of a DuckDB relation (a ``Stream``); owns the connection it runs on.

    ``start`` makes the relation when the first row is asked for. ``close`` closes the connection in the end, and is
    told whether all rows were read. ``failures`` tell what went wrong upstream: such an error is the cause, and what
    DuckDB says about it is not.
    """

    def __init__(
        self,
        *,
        schema: Schema,
        start: Callable[[], Any],
        connection: Any,
        close: Callable[[bool], None],
        ctx: DriverContext,
        what: str,
        failures: Callable[[], BaseException | None] = lambda: None,
    ) -> None:
        self.schema = schema
        self._start = start
        self._connection = connection
        self._close = close
        self._ctx = ctx
        self._what = what
        self._failures = failures

    def batches(self) -> Iterator[RecordBatch]:
        """The rows as record batches; raises OsirisError."""
        connection = self._connection
        source = None
        ended = False
        try:
            self._ctx.check()
            with interruptible(self._ctx, connection.interrupt):
                source = nanoarrow.c_array_stream(_Capsule(result_capsule(self._start())))
                for array in _arrays(source):
                    batch = RecordBatch.from_arrow(array)
                    yield batch.with_schema(self.schema) if batch.schema != self.schema else batch
            ended = True
        except Exception as error:
            if interrupted(error):
                self._ctx.check()
            raise self._failures() or query_failure(error, what=self._what) from error
        finally:
            if source is not None:
                source.release()
            self._close(ended)

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an ``arrow_array_stream`` capsule."""
        batches = self.batches()
        return export_stream(self.schema, batches, batches.close)  # type: ignore[attr-defined]


def result_capsule(relation: Any) -> object:
    """The result of ``relation`` as an Arrow stream of batches of at most :data:`BATCH_ROWS` rows.

    The public ways to choose the batch size go through pyarrow, which the core does not have; this is what they call.
    """
    return relation._submit("stream", BATCH_ROWS).arrow_capsule()  # noqa: SLF001


def schema_of(relation: Any) -> Schema:
    """The Arrow schema of ``relation``, which is run for it; it should have no rows."""
    source = nanoarrow.c_array_stream(_Capsule(result_capsule(relation)))
    try:
        return Schema.from_arrow(source.get_schema())
    finally:
        source.release()


class _Capsule:
    """An Arrow stream capsule as an object of the PyCapsule protocol."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._capsule


def _arrays(source: Any) -> Iterator[Any]:
    while True:
        try:
            array = source.get_next()
        except StopIteration:
            return
        yield array
