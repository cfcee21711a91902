"""What lies in a folder: each file of a known format as a table, with its columns and what its rows are like."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import duckdb
from arro3.core import Table as ArrowTable

from osiris_core.api import (
    SAMPLE_ROWS,
    ColumnInfo,
    Deadline,
    DriverError,
    OsirisError,
    Overlap,
    Sample,
    Table,
    TableFault,
    TableProfile,
    duckdb_spelling,
    overlap_sources,
    profile_source,
    sample_source,
)
from osiris_filesystem.csv_config import CsvExtractor
from osiris_filesystem.csv_read import CsvExtractorDriver
from osiris_filesystem.engine import connect, failure, schema_of
from osiris_filesystem.jsonl_config import JsonlExtractor
from osiris_filesystem.jsonl_read import JsonlExtractorDriver
from osiris_filesystem.listing import InputFile, described, found_files
from osiris_filesystem.parquet_config import ParquetExtractor
from osiris_filesystem.parquet_read import ParquetExtractorDriver
from osiris_filesystem.roots import Root, engine_path
from osiris_filesystem.sources import require_unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from osiris_core.api import Basis
    from osiris_filesystem.connection import FilesystemConnection
    from osiris_filesystem.file_extractor import FileExtractor

_INFERRED_FROM: Final = 2048
_MEMORY: Final = 1024 * 1024 * 1024
_THREADS: Final = 2
_SPILL: Final = "8GB"
"""What rows of texts may take on the disk while they are counted."""


@attrs.frozen
class _Format:
    """How files of a kind are read."""

    component: str
    driver: Callable[[], FileExtractor]
    config: Callable[[str], Any]


_CSV: Final = _Format(
    "filesystem.csv_extractor", CsvExtractorDriver, lambda path: CsvExtractor(path=path, sample_rows=_INFERRED_FROM)
)
_JSONL: Final = _Format(
    "filesystem.jsonl_extractor",
    JsonlExtractorDriver,
    lambda path: JsonlExtractor(path=path, sample_rows=_INFERRED_FROM),
)
_PARQUET: Final = _Format(
    "filesystem.parquet_extractor", ParquetExtractorDriver, lambda path: ParquetExtractor(path=path)
)
_FORMATS: Final[Mapping[str, _Format]] = {
    ".csv": _CSV,
    ".tsv": _CSV,
    ".jsonl": _JSONL,
    ".ndjson": _JSONL,
    ".parquet": _PARQUET,
}


class FilesystemDiscoverer:
    """Opens a folder for reading what lies in it."""

    def open(self, connection: FilesystemConnection, *, project_root: Path, deadline: Deadline) -> FolderReader:
        """A reader of the files below the connection's root."""
        return FolderReader(Root.of(connection.root, project_root), deadline)


class FolderReader:
    """Reads headers, footers and rows of files. Rows are held in an engine of its own, which spills to the disk."""

    def __init__(self, root: Root, deadline: Deadline) -> None:
        self._root = root
        self._deadline = deadline
        self._scratch = tempfile.TemporaryDirectory(prefix="osiris-")
        self._engine = connect(threads=_THREADS, memory_limit=_MEMORY, scratch=Path(self._scratch.name))
        self._engine.execute(f"SET max_temp_directory_size = '{_SPILL}'")
        self._held: dict[tuple[str, bool], str] = {}
        self._opened: list[int] = []

    def fingerprint(self) -> str:
        """The files with what changes when they are written, or others put in their place."""
        marks = [f"{path} {_mark(self._root, file)}" for path, file in self._files()]
        return "\n".join([str(self._root.path), *marks])

    def tables(self) -> Iterable[Table]:
        """Each file of a known format: its columns and the component that reads it, or what is wrong with it."""
        for path, file in self._files():
            found = _format(path)
            if found is not None:
                yield self._table(path, file, found)

    def profile(self, table: Table, *, basis: Basis) -> TableProfile | None:
        """What the first rows or all rows of a file are like; footers say less than either."""
        if basis == "estimate":
            return None
        held = self._hold(table, all_rows=basis == "full")
        found = profile_source(held, table.columns, basis, duckdb_spelling(self._ask))
        whole = (found.examined or 0) < SAMPLE_ROWS
        return TableProfile(basis="full" if whole else basis, examined=found.examined, columns=found.columns)

    def sample(self, table: Table, *, rows: int) -> Sample:
        """The first rows of a file."""
        return sample_source(self._hold(table, all_rows=False), table.columns, rows, duckdb_spelling(self._ask))

    def overlap(self, table: Table, column: str, other: Table, other_column: str, *, values: int) -> Overlap | None:
        """How many values in one file's first rows another file has."""
        mine, theirs = self._hold(table, all_rows=False), self._hold(other, all_rows=True)
        return overlap_sources(mine, column, theirs, other_column, values, duckdb_spelling(self._ask))

    def close(self) -> None:
        """Let go of the rows that were held."""
        self._engine.close()
        self._scratch.cleanup()
        while self._opened:
            os.close(self._opened.pop())

    def _files(self) -> Iterator[tuple[str, InputFile | DriverError]]:
        for found in found_files(self._root, check=self._deadline.check):
            self._deadline.check()
            yield found

    def _table(self, path: str, file: InputFile | DriverError, found: _Format) -> Table:
        facts: dict[str, Any] = {"name": path, "kind": "file", "component": found.component}
        if isinstance(file, DriverError):
            return Table(**facts, problem=_fault(file))
        facts["bytes"] = file.size
        try:
            plan = self._plan(file, found)
        except OsirisError as error:
            return Table(**facts, problem=_fault(error))
        rows = plan.files[0].rows if found is _PARQUET else None
        columns = tuple(ColumnInfo(name=one.name, type=one.type) for one in plan.columns)
        return Table(**facts, columns=columns, rows=rows, rows_exact=rows is not None)

    def _plan(self, file: InputFile, found: _Format) -> Any:
        driver, config = found.driver(), found.config(file.path)
        try:
            return self._deadline.bounded(
                lambda: driver.plan(self._engine, self._root, [file], config), self._engine.interrupt
            )
        except (OsirisError, TimeoutError):
            raise
        except Exception as error:
            raise driver.plan_failure(error, self._root, [file], config) from error

    def _hold(self, table: Table, *, all_rows: bool) -> str:
        """What gives the first rows, or all, of a file in the engine, to stand after FROM; texts are read once."""
        for whole in (True, False):
            if (table.name, whole) in self._held and (whole or not all_rows):
                return self._held[table.name, whole]
        found = _format(table.name)
        assert found is not None
        file = described(self._root, self._root.relative(table.name))
        plan = self._plan(file, found)
        if found is _PARQUET:
            held = self._view(plan, file, limit="" if all_rows else f" LIMIT {SAMPLE_ROWS}")
        else:
            held = f"osiris_rows_{len(self._held)}"
            self._engine.execute(f"CREATE TABLE {held} AS {plan.empty()}")
            self._fill(held, plan, file, found, limit=None if all_rows else SAMPLE_ROWS)
        self._held[table.name, all_rows] = held
        return held

    def _view(self, plan: Any, file: InputFile, *, limit: str) -> str:
        """The rows of a Parquet file, read where they are, and only the columns that are asked for."""
        descriptor = self._root.open_file(file.parts)
        self._opened.append(descriptor)
        require_unchanged(descriptor, file)
        path = engine_path(descriptor, self._root.path.joinpath(*file.parts))
        return f"({plan.select(plan.files[0], path)}{limit})"

    def _fill(self, held: str, plan: Any, file: InputFile, found: _Format, *, limit: int | None) -> None:
        driver, config = found.driver(), found.config(file.path)
        reading = connect(memory_limit=_MEMORY, scratch=Path(self._scratch.name))
        try:
            batches = driver.read(reading, schema_of(reading, plan.empty()), self._root, plan, plan.files, config)
            try:
                self._insert(held, batches, limit)
            except (OsirisError, TimeoutError):
                raise
            except Exception as error:
                raise driver.read_failure(error, reading, self._root, plan, plan.files, config) from error
            finally:
                batches.close()
        finally:
            reading.close()

    def _insert(self, held: str, batches: Iterable[Any], limit: int | None) -> None:
        left = limit
        for batch in batches:
            self._deadline.check()
            some = batch if left is None else batch.slice(0, min(left, batch.num_rows))
            self._engine.register("osiris_batch", ArrowTable.from_batches([some]))
            try:
                self._engine.execute(f"INSERT INTO {held} SELECT * FROM osiris_batch")
            except duckdb.Error as error:
                raise failure(error, what="holding the rows", code="OSR-FS-034") from error
            finally:
                self._engine.unregister("osiris_batch")
            if left is not None:
                left -= some.num_rows
                if left <= 0:
                    return

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            found: list[tuple[Any, ...]] = self._deadline.bounded(
                lambda: self._engine.execute(sql).fetchall(), self._engine.interrupt
            )
        except duckdb.Error as error:
            raise failure(error, what="counting the rows", code="OSR-FS-034") from error
        return found


def _format(path: str) -> _Format | None:
    bare = path.lower().removesuffix(".gz").removesuffix(".zst")
    return next((found for ending, found in _FORMATS.items() if bare.endswith(ending)), None)


def _mark(root: Root, file: InputFile | DriverError) -> str:
    """Size and time of change, which can be set to anything, with what cannot: the file itself and when that was."""
    if isinstance(file, DriverError):
        return file.code
    try:
        status = root.path.joinpath(*file.parts).stat()
    except OSError:  # gone since it was listed
        return f"{file.size} {file.changed} -"
    return f"{file.size} {file.changed} {status.st_ctime_ns} {status.st_dev}:{status.st_ino}"


def _fault(error: OsirisError) -> TableFault:
    return TableFault(code=error.code, message=error.message)
