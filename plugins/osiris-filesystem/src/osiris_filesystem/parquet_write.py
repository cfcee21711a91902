"""The driver of ``filesystem.parquet_writer``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError
from osiris_core.api import rows as stream_of
from osiris_filesystem.engine import connect, name, schema_of, stream, texts
from osiris_filesystem.file_writer import FileWriter
from osiris_filesystem.parquet_footer import footer_values
from osiris_filesystem.roots import engine_path
from osiris_filesystem.writing import chosen_columns, copy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.api import Dataset, DriverContext, Schema
    from osiris_filesystem.parquet_config import ParquetWriter

_BATCH_ROWS: Final = 10 * 2048
"""Ten of DuckDB's vectors: enough that a batch costs little, few enough that it takes little memory."""
_LOSSY: Final = {
    "INTERVAL": "Parquet keeps intervals to the millisecond only",
    "HUGEINT": "Parquet has no 128-bit integers",
    "UHUGEINT": "Parquet has no 128-bit integers",
    '"NULL"': "it has no values and no type",
}


class ParquetWriterDriver(FileWriter):
    """Writes Parquet by DuckDB's COPY, whose row groups are cut by count: so bytes follow from rows alone."""

    component = "filesystem.parquet_writer"

    def extension(self, config: ParquetWriter) -> str:
        """The ending of a part's name."""
        return "parquet"

    def plan(self, config: ParquetWriter, schema: Schema) -> Sequence[tuple[str, str]]:
        """The columns to write; refuses types that Parquet would not keep."""
        columns = chosen_columns(schema, config)
        for column in columns:
            for lossy, why in _LOSSY.items():
                if re.search(rf"(?<!\w){lossy}(?!\w)", column.type_name):
                    raise DriverError("OSR-FS-050", f"the column '{column.name}' is {column.type_name}: {why}")
        return [(column.name, column.type_name) for column in columns]

    def write_rows(
        self, rows: Dataset, descriptor: int, *, first: bool, config: ParquetWriter, ctx: DriverContext
    ) -> int:
        """Write all rows to an open file, and say what its footer knows of their values where that is allowed."""
        count = self._write(rows, descriptor, config=config, ctx=ctx)
        if ctx.data_values:
            columns = footer_values(descriptor, self.plan(config, rows.schema), ctx)
            ctx.emit("columns_observed", basis="statistics", rows=count, columns=columns)
        return count

    def _write(self, rows: Dataset, descriptor: int, *, config: ParquetWriter, ctx: DriverContext) -> int:
        options = ["FORMAT parquet", f"COMPRESSION {config.compression}", f"ROW_GROUP_SIZE {config.row_group_size}"]
        if config.compression_level is not None:
            options.append(f"COMPRESSION_LEVEL {config.compression_level}")
        items = [
            f"CAST({name(column.name)} AS {column.type_name}) AS {name(column.name)}"
            if column.carried
            else name(column.name)
            for column in chosen_columns(rows.schema, config)
        ]
        # DuckDB cuts row groups where vectors end, and with several threads not always alike; one thread, and batches
        # of whole vectors, leave it no choice. A second thread would hold as much again and save no time: rows are
        # encoded while the steps before make the next.
        return copy(
            rows,
            descriptor,
            items=items,
            options=options,
            path=config.path,
            ctx=ctx,
            batch_rows=min(config.row_group_size, _BATCH_ROWS),
            threads=1,
        )

    def join(self, pieces: Sequence[int], into: int, *, config: ParquetWriter, ctx: DriverContext) -> None:
        """Write the rows of several files into one: row groups cannot simply follow one another."""
        paths = [engine_path(piece, Path(f"/dev/fd/{piece}")) for piece in pieces]
        sql = f"SELECT * FROM read_parquet({texts(paths)})"
        connection = connect(threads=ctx.threads, memory_limit=ctx.memory_limit, scratch=ctx.scratch)
        try:
            joined: Any = stream_of(schema_of(connection, sql), stream(connection, sql))
            self._write(joined, into, config=_in_order(config), ctx=ctx)
        finally:
            connection.close()


def _in_order(config: Any) -> Any:
    """The config for rows whose columns have been chosen and ordered already."""
    return attrs.evolve(config, columns=None, sort_columns=False)
