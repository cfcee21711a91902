"""The rows that a driver receives: an Arrow C stream that counts what passes and can be read once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import attrs
from arro3.core import DataType, RecordBatch, Schema, Table

from osiris_core.errors import DriverError
from osiris_core.run.cstream import export_stream
from osiris_core.run.feed import is_collateral
from osiris_core.run.spool import SpooledRows, write_spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from osiris_core.run.feed import Feed


@attrs.define(kw_only=True)
class Meter:
    """What has passed an edge so far. ``bytes`` are Arrow bytes in memory; ``waited`` is seconds spent for rows."""

    rows: int = 0
    bytes: int = 0
    batches: int = 0
    waited: float = 0.0
    ended: bool = False
    nulls: list[int] | None = None
    """NULLs so far, by column; None where they are not counted."""
    void: tuple[int, ...] = ()
    """Columns of the type Null, for which Arrow keeps no number."""

    def count_nulls(self, batch: RecordBatch) -> None:
        """Take in a batch. Arrow keeps the number; a column of the type Null consists of nothing else."""
        columns = batch.columns
        if not self.nulls:
            self.nulls = [0] * len(columns)
            self.void = tuple(index for index, column in enumerate(columns) if DataType.is_null(column.type))
        for index, column in enumerate(columns):
            self.nulls[index] += column.null_count
        for index in self.void:
            self.nulls[index] += batch.num_rows


class RowStream:
    """Rows on their way from one step to the next (implements :class:`osiris_core.spec.behave.Dataset`).

    Reading is what counts them, in ``meter``; ``watch`` sees the meter each time the consumer comes for more. A failure
    of the producer reaches a foreign consumer as an Arrow error text only; :attr:`failure` keeps the exception itself,
    and the runtime reports that one.
    """

    def __init__(
        self, feed: Feed, *, name: str, watch: Callable[[Meter], None] | None = None, nulls: bool = False
    ) -> None:
        self._feed = feed
        self._name = name
        self._watch = watch
        self._failure: BaseException | None = None
        self._own_failure: BaseException | None = None
        self._lock = threading.Lock()
        self._taken = False
        self.meter = Meter(nulls=[] if nulls else None)

    @property
    def name(self) -> str:
        """The id of the step that produces the rows."""
        return self._name

    @property
    def schema(self) -> Schema:
        """The schema of the rows; reading it consumes nothing."""
        try:
            return self._feed.schema
        except BaseException as error:
            self._met(error)
            raise

    @property
    def columns(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(self.schema.names)

    @property
    def failure(self) -> BaseException | None:
        """The producer's failure that the consumer has met, whatever it made of it."""
        return self._failure

    def _met(self, error: BaseException) -> None:
        if error is self._feed.failure and not is_collateral(error):
            self._failure = error

    @property
    def own_failure(self) -> BaseException | None:
        """What went wrong between producer and consumer: a record that cannot be written, a second reading."""
        return self._own_failure

    @property
    def taken(self) -> bool:
        """Whether somebody has begun to read."""
        return self._taken

    def batches(self) -> Iterator[RecordBatch]:
        """The rows as ``arro3.core.RecordBatch`` values; raises DriverError when they have been read before."""
        with self._lock:
            if self._taken:
                self._own_failure = DriverError(
                    "OSR-RUN-010",
                    f"the rows of '{self._name}' were read twice; a stream can be read once",
                    hint="call spool() on the input first, or let two steps depend on it",
                )
                raise self._own_failure
            self._taken = True
        return self._metered()

    def _metered(self) -> Iterator[RecordBatch]:
        meter = self.meter
        try:
            while True:
                self._look()
                started = time.perf_counter()
                batch = self._feed.next_batch()
                meter.waited += time.perf_counter() - started
                if batch is None:
                    meter.ended = True
                    return
                meter.rows += batch.num_rows
                meter.bytes += batch.nbytes
                meter.batches += 1
                if meter.nulls is not None:
                    meter.count_nulls(batch)
                yield batch
        except BaseException as error:
            self._met(error)
            raise
        finally:
            self._feed.close()

    def _look(self) -> None:
        """Let the runtime see the meter, each time the consumer comes for more."""
        if self._watch is None:
            return
        try:
            self._watch(self.meter)
        except BaseException as error:
            self._own_failure = error
            raise

    def close(self) -> None:
        """Let the producer stop; safe to call more than once."""
        self._feed.close()

    def spool(self, folder: Path) -> SpooledRows:
        """Read all rows into a file below ``folder``; the result can be read any number of times."""
        return write_spool(self.schema, self.batches(), folder=folder, name=self._name)

    def relation(self, connection: Any) -> Any:
        """The rows as a DuckDB relation on ``connection``, which reads them when it runs."""
        return connection.from_arrow(self)

    def to_arrow(self) -> Table:
        """All rows as an ``arro3.core.Table``."""
        return Table.from_batches(list(self.batches()), schema=self.schema)

    def to_polars(self) -> Any:
        """All rows as a polars DataFrame."""
        try:
            import polars as pl
        except ImportError as error:
            raise DriverError(
                "OSR-RUN-011", "to_polars() needs the package 'polars'", hint="pip install polars"
            ) from error
        return pl.DataFrame(self)

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an ``arrow_array_stream`` capsule. A requested schema is not honoured, as the protocol allows."""
        return export_stream(self.schema, self.batches(), self.close)
