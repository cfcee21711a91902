"""The rows of a step on their way into DuckDB: watched, and where a format asks for it in batches of one size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from arro3.core import RecordBatch, Table

from osiris_core.api import DriverError
from osiris_core.api import rows as stream_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from osiris_core.api import Dataset, Stream

_LEAST: Final = 256 << 20
_MOST: Final = 3 << 29
"""Arrow's offsets end at 2 GiB of text in a column of a batch."""


class Watched:
    """Rows being read by DuckDB, which sees an error as a text only: ``failure`` keeps the exception itself.

    ``row_bytes`` is what a row takes in memory, by the first batch.
    """

    def __init__(self, rows: Dataset, *, batch_rows: int | None = None, memory_limit: int = _MOST) -> None:
        self._rows = rows
        self._batch_rows = batch_rows
        self._most = min(max(memory_limit, _LEAST), _MOST)
        self.count = 0
        self.row_bytes = 0.0
        self.failure: Exception | None = None

    def stream(self) -> Stream:
        """What to register with DuckDB; reads the first batch, and raises what that raises."""
        batches = self._watched()
        first = next(batches, None)
        if first is not None:
            self.row_bytes = first.nbytes / max(1, first.num_rows)
        return stream_of(self._rows.schema, _again(first, batches))

    def _watched(self) -> Generator[RecordBatch, None, None]:
        try:
            yield from self._counted() if self._batch_rows is None else self._rebatched(self._batch_rows)
        except Exception as error:
            self.failure = error
            raise

    def _counted(self) -> Generator[RecordBatch, None, None]:
        for batch in self._rows.batches():
            self.count += batch.num_rows
            yield batch

    def _rebatched(self, size: int) -> Generator[RecordBatch, None, None]:
        """The same rows in batches of ``size`` but for the last."""
        held: list[RecordBatch] = []
        count = taken_bytes = 0
        for batch in self._counted():
            rest = batch
            while rest.num_rows:
                taken = min(size - count, rest.num_rows)
                held.append(rest.slice(0, taken))
                rest = rest.slice(taken)
                count += taken
                taken_bytes += held[-1].nbytes
                if taken_bytes > self._most:
                    raise _too_large(count, taken_bytes, size)
                if count == size:
                    yield _joined(held)
                    held, count, taken_bytes = [], 0, 0
        if held:
            yield _joined(held)


def _again(first: RecordBatch | None, rest: Generator[RecordBatch, None, None]) -> Generator[RecordBatch, None, None]:
    if first is not None:
        yield first
        yield from rest


def _joined(batches: list[RecordBatch]) -> Any:
    if len(batches) == 1:
        return batches[0]
    return Table.from_batches(batches).combine_chunks().to_batches()[0]


def _too_large(rows: int, bytes_: int, size: int) -> DriverError:
    return DriverError(
        "OSR-FS-050",
        f"{rows:,} rows take {bytes_ >> 20:,} MB, and a row group of {size:,} rows is made in memory",
        hint="lower row_group_size",
    )
