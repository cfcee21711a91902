"""The catalog of a DuckDB file: tables, views, columns, keys, indexes, and what their rows are like."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from osiris_core.api import (
    SAMPLE_ROWS,
    ColumnInfo,
    Deadline,
    ForeignKey,
    Index,
    Key,
    Overlap,
    Sample,
    Table,
    TableProfile,
    duckdb_spelling,
    overlap_sources,
    profile_source,
    quote_identifier,
    sample_source,
)
from osiris_core.builtin.duckdb.catalog import opened
from osiris_core.builtin.duckdb.database import database_path, file_error
from osiris_core.builtin.duckdb.failures import query_failure
from osiris_core.builtin.duckdb.hardened import ATTACHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osiris_core.api import Basis
    from osiris_core.builtin.duckdb.config import DuckDBConnection

_HERE: Final = {"name": ATTACHED}


class Discoverer:
    """Opens a file for reading what it holds."""

    def open(self, connection: DuckDBConnection, *, project_root: Path, deadline: Deadline) -> Reader:
        """A reader of the file; raises ConnectionUnusable when there is none."""
        path = database_path(connection, project_root)
        if not path.exists():
            raise file_error(FileNotFoundError("does not exist"), path, connection.path)
        return Reader(path, connection, deadline)


class Reader:
    """Reads one file; it is opened when that is needed, and nobody can change it while it is."""

    def __init__(self, path: Path, settings: DuckDBConnection, deadline: Deadline) -> None:
        self._path = path
        self._settings = settings
        self._deadline = deadline
        self._connection: Any = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def fingerprint(self) -> str:
        """Size and time of change of the file and of its log: whatever is written shows in them."""
        marks = []
        for path in (self._path, self._path.with_name(f"{self._path.name}.wal")):
            try:
                status = path.stat()
            except FileNotFoundError:
                marks.append("-")
            except OSError as error:
                raise file_error(error, self._path, self._settings.path) from error
            else:
                marks.append(f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}")
        return f"{self._path} {' '.join(marks)}"

    def tables(self) -> Iterable[Table]:
        """Every table and view of the file, in order of schema and name."""
        columns = self._columns()
        keys, foreign = self._constraints()
        indexes = self._indexes()
        for schema, name, kind, rows, comment in self._ask(
            "SELECT schema_name, table_name, 'table', estimated_size, comment FROM duckdb_tables() "
            "WHERE database_name = $name AND NOT internal UNION ALL "
            "SELECT schema_name, view_name, 'view', NULL, comment FROM duckdb_views() "
            "WHERE database_name = $name AND NOT internal ORDER BY ALL",
            _HERE,
        ):
            at = (schema, name)
            yield Table(
                schema=schema,
                name=name,
                kind=kind,
                rows=rows,
                comment=comment,
                columns=tuple(columns[at]),
                primary_key=next(iter(keys[*at, "PRIMARY KEY"]), None),
                unique_keys=tuple(keys[*at, "UNIQUE"]),
                foreign_keys=tuple(foreign[at]),
                indexes=tuple(indexes[at]),
            )

    def profile(self, table: Table, *, basis: Basis) -> TableProfile | None:
        """Counts of some rows or of all; DuckDB keeps no statistics that would say more than the catalog."""
        if basis == "estimate":
            return None
        source = _name(table)
        if basis == "full":
            return profile_source(source, table.columns, basis, duckdb_spelling(self._ask))
        if table.kind == "view" or not table.rows or table.rows <= SAMPLE_ROWS:
            found = profile_source(_first(source), table.columns, basis, duckdb_spelling(self._ask))
            return TableProfile(
                basis="full" if (found.examined or 0) < SAMPLE_ROWS else basis,
                examined=found.examined,
                columns=found.columns,
            )
        percent = 100 * SAMPLE_ROWS / table.rows
        some = f"(SELECT * FROM {source} TABLESAMPLE system({percent:.6f}%) REPEATABLE (1))"
        found = profile_source(some, table.columns, basis, duckdb_spelling(self._ask))
        return (
            found
            if found.examined
            else profile_source(_first(source), table.columns, basis, duckdb_spelling(self._ask))
        )

    def sample(self, table: Table, *, rows: int) -> Sample:
        """The first rows of the table."""
        return sample_source(_name(table), table.columns, rows, duckdb_spelling(self._ask))

    def overlap(self, table: Table, column: str, other: Table, other_column: str, *, values: int) -> Overlap | None:
        """How many values of one column another one has."""
        return overlap_sources(_name(table), column, _name(other), other_column, values, duckdb_spelling(self._ask))

    def close(self) -> None:
        """Close the file and remove what was spilled."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def _columns(self) -> Mapping[tuple[str, str], list[ColumnInfo]]:
        found: dict[tuple[str, str], list[ColumnInfo]] = defaultdict(list)
        for schema, table, name, kind, nullable, default, generated, comment in self._ask(
            "SELECT schema_name, table_name, column_name, data_type, is_nullable, column_default, is_generated, "
            "comment FROM duckdb_columns() WHERE database_name = $name AND NOT internal "
            "ORDER BY schema_name, table_name, column_index",
            _HERE,
        ):
            found[schema, table].append(
                ColumnInfo(
                    name=name,
                    type=kind,
                    nullable=nullable,
                    default=None if generated else default,
                    generated=bool(generated),
                    comment=comment,
                )
            )
        return found

    def _constraints(
        self,
    ) -> tuple[Mapping[tuple[str, str, str], list[Key]], Mapping[tuple[str, str], list[ForeignKey]]]:
        keys: dict[tuple[str, str, str], list[Key]] = defaultdict(list)
        foreign: dict[tuple[str, str], list[ForeignKey]] = defaultdict(list)
        for schema, table, kind, columns, name, other, other_columns in self._ask(
            "SELECT schema_name, table_name, constraint_type, constraint_column_names, constraint_name, "
            "referenced_table, referenced_column_names FROM duckdb_constraints() WHERE database_name = $name "
            "AND constraint_type IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY') "
            "ORDER BY schema_name, table_name, constraint_index",
            _HERE,
        ):
            if kind == "FOREIGN KEY":  # always to a table of the same schema
                foreign[schema, table].append(
                    ForeignKey(
                        columns=tuple(columns),
                        to_schema=schema,
                        to_table=other,
                        to_columns=tuple(other_columns),
                        name=name,
                    )
                )
            else:
                keys[schema, table, kind].append(Key(columns=tuple(columns), name=name))
        return keys, foreign

    def _indexes(self) -> Mapping[tuple[str, str], list[Index]]:
        found: dict[tuple[str, str], list[Index]] = defaultdict(list)
        for schema, table, name, unique, expressions in self._ask(
            "SELECT schema_name, table_name, index_name, is_unique, CAST(expressions AS VARCHAR[]) "
            "FROM duckdb_indexes() WHERE database_name = $name ORDER BY schema_name, table_name, index_name",
            _HERE,
        ):
            found[schema, table].append(Index(name=name, columns=tuple(expressions), unique=unique))
        return found

    def _ask(self, sql: str, values: Mapping[str, str] | None = None) -> list[tuple[Any, ...]]:
        self._deadline.check()
        connection = self._open()
        try:
            found: list[tuple[Any, ...]] = self._deadline.bounded(
                lambda: connection.execute(sql, values).fetchall(), connection.interrupt
            )
        except duckdb.Error as error:
            raise query_failure(error, what=f"looking into '{self._settings.path}'") from error
        return found

    def _open(self) -> Any:
        if self._connection is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="osiris-")
            self._connection = opened(
                self._path, self._settings, Path(self._scratch.name), self._deadline.remaining(), large=True
            )
        return self._connection


def _name(table: Table) -> str:
    return f"{ATTACHED}.{quote_identifier(table.schema or 'main')}.{quote_identifier(table.name)}"


def _first(source: str) -> str:
    return f"(SELECT * FROM {source} LIMIT {SAMPLE_ROWS})"
