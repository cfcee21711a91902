"""Rows set down on disk, for several readers or for a second attempt.

Arrow IPC stream format, uncompressed: measured at 0.1 s of CPU per six million rows over the stream itself, where
Parquet costs 6 s and a DuckDB file 10 s (ADR "Arrow streams between steps").
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs
from nanoarrow import c_array_stream
from nanoarrow.ipc import InputStream, StreamWriter

from osiris_core.errors import RunFailed
from osiris_core.run.cstream import Pull, export_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from arro3.core import RecordBatch, Schema


@attrs.frozen(kw_only=True)
class SpooledRows:
    """Rows in a file: a source of as many streams as wanted. It exports itself, so DuckDB can read it repeatedly."""

    path: Path
    schema: Schema
    rows: int
    bytes: int

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A new stream over all rows."""
        feed = SpoolFeed(self)
        return export_stream(self.schema, iter(feed.next_batch, None), feed.close)

    def feed(self) -> SpoolFeed:
        """A new reader over all rows."""
        return SpoolFeed(self)

    def remove(self) -> None:
        """Delete the file; safe to call more than once."""
        self.path.unlink(missing_ok=True)


class SpoolFeed:
    """One reading of spooled rows."""

    def __init__(self, spooled: SpooledRows) -> None:
        self._spooled = spooled
        self._lock = threading.Lock()
        self._pull: Pull | None = None
        self._closed = False
        self._rows = 0
        self.failure: BaseException | None = None

    @property
    def schema(self) -> Schema:
        """The schema of the rows."""
        return self._spooled.schema

    def next_batch(self) -> RecordBatch | None:
        """The next batch, or None after the last one."""
        with self._lock:
            if self._closed:
                return None
            try:
                if self._pull is None:
                    self._pull = Pull(c_array_stream(InputStream.from_path(self._spooled.path)))
                batch = next(self._pull, None)
            except Exception as error:
                self.failure = RunFailed("OSR-RUN-012", f"cannot read back spooled rows: {error}")
                raise self.failure from error
            if batch is not None:
                self._rows += batch.num_rows
            elif self._rows != self._spooled.rows:
                # A file that ends between two batches reads like one that is complete.
                message = f"cannot read back spooled rows: {self._rows:,} of {self._spooled.rows:,} are there"
                self.failure = RunFailed("OSR-RUN-012", message)
                raise self.failure
            return batch

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            if self._pull is not None:
                self._pull.close()
                self._pull = None


class _Counted:
    """The batches of a spool while they are being written."""

    def __init__(self, schema: Schema, batches: Iterator[RecordBatch]) -> None:
        self._schema = schema
        self._batches = batches
        self.rows = 0
        self.failure: BaseException | None = None

    def _iterate(self) -> Iterator[RecordBatch]:
        try:
            for batch in self._batches:
                self.rows += batch.num_rows
                yield batch
        except GeneratorExit:  # the writer gives up; why is its to say
            raise
        except BaseException as error:
            self.failure = error
            raise

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return export_stream(self._schema, self._iterate(), lambda: None)


def write_spool(schema: Schema, batches: Iterator[RecordBatch], *, folder: Path, name: str) -> SpooledRows:
    """Write ``batches`` to a new file below ``folder``; nothing is left of it when that fails."""
    path = folder / f"{name}-{uuid4().hex[:12]}.arrows"
    counted = _Counted(schema, batches)
    try:
        # Unbuffered: batches are large, and an error of the disk must surface here and not when the file is dropped.
        with path.open("wb", buffering=0) as file:
            writer: Any
            with StreamWriter.from_writable(file) as writer:
                writer.write_stream(counted)
            size = file.tell()
    except BaseException as error:
        path.unlink(missing_ok=True)
        if counted.failure is not None:
            raise counted.failure from None
        if isinstance(error, Exception):
            raise RunFailed(
                "OSR-RUN-013",
                f"cannot spool the rows of '{name}': {error}",
                hint="free space on the scratch disk, or point run.temp_directory at a larger one",
            ) from error
        raise
    return SpooledRows(path=path, schema=schema, rows=counted.rows, bytes=size)
